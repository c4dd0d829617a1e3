"""All corrections as one pipeline: its order, its record, and what it refuses."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from tests.analysis import phantom
from voltomo.analysis.batch import fbp
from voltomo.analysis.correction_settings import CorrectionSettings, PhaseSettings
from voltomo.analysis.frame_faults import FramesUnusable, field_notes
from voltomo.analysis.pipeline import Corrections, Fields

VIEWS, ROWS, COLUMNS = 90, 3, 96
ANGLES = np.arange(VIEWS) * 2.0
BODY = np.concatenate([[[0.05, 0.0, 0.75, 0.7, 0.3, 1.0]], phantom.jelly_roll(10, 5)[16:]])
CLEAN = phantom.sinogram(BODY, COLUMNS, ANGLES)
BEAM = (2e4 * (1 + 0.2 * np.cos(np.arange(COLUMNS) / 9))).astype(np.float32)


def _scan(seed: int = 1, drift: float = 0.0) -> tuple[NDArray[np.uint16], Fields]:
    """Counts, and flats before and after, of a beam that fades while it is scanned."""
    random = np.random.default_rng(seed)
    beam = np.broadcast_to(BEAM, (ROWS, COLUMNS))
    fading = 1 - drift * np.arange(VIEWS + 20)[:, None, None] / (VIEWS + 20)
    passed = np.exp(-np.broadcast_to(CLEAN[:, None], (VIEWS, ROWS, COLUMNS)))
    counts = random.poisson(100 + fading[10 : VIEWS + 10] * beam * passed).astype(np.uint16)
    before, after = fading[:10] * beam, fading[-10:] * beam
    flats = random.poisson(100 + np.concatenate([before, after])).astype(np.uint16)
    places = np.concatenate([np.arange(10), VIEWS + 10 + np.arange(10)])
    darks = random.poisson(100, (5, ROWS, COLUMNS)).astype(np.uint16)
    return counts, Fields(flats, darks, places)


PLACES = 10 + np.arange(VIEWS)


def test_the_steps_are_recorded_in_their_order() -> None:
    counts, fields = _scan()
    settings = CorrectionSettings(
        rings="consistent", air_columns=4, half_acquisition=False,
        phase=PhaseSettings(delta_over_beta=50, distance_mm=1),
    )  # fmt: skip
    pipeline = Corrections(settings, fields, energy_keV=20, pixel_um=1)
    done = pipeline.sinograms(counts, ANGLES, 47.5, PLACES)
    assert [step.name for step in done.steps] == [
        "zingers", "flats, interpolated", "air", "phase", "rings, consistent", "filter, ram-lak"
    ]  # fmt: skip
    assert done.rows.shape == (ROWS, VIEWS, COLUMNS)
    assert (done.size, done.axis_column, done.left_out) == (COLUMNS, 47.5, {})
    with pytest.raises(ValidationError):
        settings.rings = "none"
    with pytest.raises(ValidationError):
        CorrectionSettings.model_validate({"ring": "none"})


def test_the_slice_is_that_of_the_phantom_though_the_beam_fades() -> None:
    counts, fields = _scan(drift=0.2)
    settings = CorrectionSettings()
    in_time = Corrections(settings, fields).sinograms(counts, ANGLES, 47.5, PLACES)
    np.testing.assert_allclose(in_time.rows.mean(axis=0), CLEAN, atol=0.1)
    assert abs(float((in_time.rows - CLEAN).mean())) < 0.002
    mean = Corrections(
        settings.model_copy(update={"flats": "mean", "continue_truncated": False}), fields
    )
    off = mean.sinograms(counts, ANGLES, 47.5, PLACES).rows - CLEAN
    assert float(off[:, :10].mean()) < -0.05


def test_a_smoother_filter_lowers_the_noise() -> None:
    counts, fields = _scan()
    smooth = Corrections(CorrectionSettings(filter="hann"), fields)
    done = smooth.sinograms(counts, ANGLES, 47.5, PLACES)
    sharp = Corrections(CorrectionSettings(), fields).sinograms(counts, ANGLES, 47.5, PLACES)
    assert (done.rows - CLEAN)[..., :8].std() < 0.7 * (sharp.rows - CLEAN)[..., :8].std()
    assert done.steps[-1].name == "filter, hann"


def test_the_order_of_the_views_does_not_matter() -> None:
    counts, fields = _scan()
    order = np.random.default_rng(3).permutation(VIEWS)
    pipeline = Corrections(CorrectionSettings(), fields)
    straight = pipeline.sinograms(counts, ANGLES, 47.5, PLACES)
    mixed = pipeline.sinograms(counts[order], ANGLES[order], 47.5, PLACES[order])
    np.testing.assert_array_equal(mixed.rows, straight.rows)
    np.testing.assert_array_equal(mixed.angles_deg, ANGLES)


def test_bad_frames_are_left_out_and_named() -> None:
    counts, fields = _scan()
    broken = counts.astype(np.float32)
    broken[7, 1, 5] = np.nan
    broken[20] = 100
    done = Corrections(CorrectionSettings(), fields).sinograms(broken, ANGLES, 47.5, PLACES)
    assert set(done.left_out) == {7, 20}
    assert "not finite" in done.left_out[7]
    assert "frozen camera" in done.left_out[20]
    assert done.angles_deg.tolist() == [a for a in ANGLES if a not in (14, 40)]
    broken[::3] = 100
    with pytest.raises(FramesUnusable, match="look at the camera"):
        Corrections(CorrectionSettings(), fields).sinograms(broken, ANGLES, 47.5, PLACES)


def test_fields_that_cannot_normalise_are_refused() -> None:
    counts, fields = _scan()
    settings = CorrectionSettings()
    with pytest.raises(FramesUnusable, match="expected darks of 3 × 96"):
        Corrections(settings, Fields(fields.flats, fields.darks[:, :2]))
    with pytest.raises(FramesUnusable, match="are the two exchanged"):
        Corrections(settings, Fields(fields.darks, fields.flats))
    with pytest.raises(FramesUnusable, match="finite counts in the flats"):
        Corrections(settings, Fields(fields.flats * np.float32(np.nan), fields.darks))
    with pytest.raises(ValueError, match="no readings"):
        Corrections(settings.model_copy(update={"monitor": True}), fields)
    pipeline = Corrections(settings, fields)
    with pytest.raises(ValueError, match="shape of the flats"):
        pipeline.sinograms(counts[:, :, 1:], ANGLES, 47.5)
    with pytest.raises(ValueError, match="needs a finite angle; there are 89"):
        pipeline.sinograms(counts, [*ANGLES[:-1], np.nan], 47.5)
    phase = settings.model_copy(update={"phase": PhaseSettings(delta_over_beta=9, distance_mm=1)})
    with pytest.raises(ValueError, match="needs the pixel size"):
        Corrections(phase, fields, energy_keV=20)


def test_flats_with_the_sample_in_are_flagged() -> None:
    counts, fields = _scan()
    dark = np.full((ROWS, COLUMNS), 100, np.float32)
    views = counts[::30]
    mean = fields.flats.mean(axis=0)
    assert field_notes(views, fields.flats, fields.darks, mean) == []
    held = fields.flats.copy()
    held[2:4] = counts[:2]
    (note,) = field_notes(views, held, fields.darks, mean)
    assert "2 of 20 flats (numbers 2, 3)" in note
    all_held = np.stack([counts[0]] * 20)
    notes = field_notes(counts[::15], all_held, fields.darks, all_held.mean(axis=0))
    assert any("the sample stood in the flats" in note for note in notes)
    blind = mean.copy()
    blind[:, :5] = dark[:, :5]
    assert any(
        "see no beam" in note for note in field_notes(views, fields.flats, fields.darks, blind)
    )


def test_the_monitor_replaces_flats_after_the_scan() -> None:
    counts, fields = _scan(drift=0.3)
    before = Fields(fields.flats[:10], fields.darks, None, 1000 * (1 - 0.3 * np.arange(10) / 110))
    monitor = 1000 * (1 - 0.3 * PLACES / 110)
    pipeline = Corrections(CorrectionSettings(monitor=True, flats="mean"), before)
    done = pipeline.sinograms(counts, ANGLES, 47.5, monitor=monitor)
    assert [step.name for step in done.steps][:2] == ["zingers", "monitor"]
    assert abs(float((done.rows - CLEAN).mean())) < 0.003


def test_eigenflats_work_in_the_pipeline() -> None:
    counts, fields = _scan()
    done = Corrections(CorrectionSettings(flats="eigen"), fields).sinograms(
        counts, ANGLES, 47.5, PLACES
    )
    assert done.steps[1].name == "flats, eigen"
    assert abs(float((done.rows - CLEAN).mean())) < 0.003


def test_truncated_and_half_acquired_scans_are_widened() -> None:
    counts, fields = _scan()
    cut = slice(20, 76)
    narrow = Fields(fields.flats[..., cut], fields.darks[..., cut], fields.flat_places)
    done = Corrections(CorrectionSettings(), narrow).sinograms(
        counts[..., cut], ANGLES, 27.5, PLACES
    )
    assert done.steps[-2].name == "continued"
    assert done.size == 56
    image = fbp(done.rows[1], done.angles_deg, done.axis_column, done.size)
    truth = phantom.image(BODY, COLUMNS)[cut, cut]
    middle = slice(18, 38)
    assert float(image[middle, middle].mean()) == pytest.approx(
        float(truth[middle, middle].mean()), rel=0.02
    )
    half = Corrections(CorrectionSettings(half_acquisition=True), narrow)
    with pytest.raises(ValueError, match="views all round"):
        half.sinograms(counts[..., cut], ANGLES, 10.0)
    around = half.sinograms(counts[..., cut], 2 * ANGLES, 10.0)
    assert around.steps[-2].name == "half acquisition"
    assert around.size == around.rows.shape[2] == 91
