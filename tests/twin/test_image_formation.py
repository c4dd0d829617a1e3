"""Image formation: darks, flats, photon statistics, fringes, columns that make rings."""

from dataclasses import replace

import numpy as np
import pytest

from voltomo.twin.camera_settings import CameraSettings
from voltomo.twin.frame_source import Exposure
from voltomo.twin.image_formation import PhantomCamera, add_propagated
from voltomo.twin.prepared_source import PreparedFrames

FLUENCE = 1e11 * 0.02
SETTINGS = CameraSettings(rows=64, columns=96, pixel_um=5.0)
EXPOSURE = Exposure(
    number=1,
    start_s=3.0,
    end_s=3.02,
    angles_deg=np.array([10.0, 10.4]),
    weights=np.array([0.5, 0.5]),
    fluence_per_cm2=FLUENCE,
    open_part=1.0,
    mid_angle_deg=10.2,
    sample_x_mm=0.0,
    sample_z_mm=0.0,
    energy_keV=20.0,
)
FLAT = replace(EXPOSURE, sample_x_mm=5.0)
DARK = replace(EXPOSURE, fluence_per_cm2=0.0, open_part=0.0, weights=np.zeros(2))


@pytest.fixture(scope="module")
def camera() -> PhantomCamera:
    return PhantomCamera(SETTINGS, 3, 1e11)


def test_seed_and_trigger_give_the_frame(camera: PhantomCamera) -> None:
    again = PhantomCamera(SETTINGS, 3, 1e11)
    assert np.array_equal(camera.frame(EXPOSURE), again.frame(EXPOSURE))
    assert not np.array_equal(camera.frame(EXPOSURE), camera.frame(replace(EXPOSURE, number=2)))


def test_a_closed_shutter_gives_a_dark(camera: PhantomCamera) -> None:
    dark = camera.frame(DARK)
    assert dark.dtype == np.uint16
    assert dark.shape == (64, 96)
    assert dark.mean() == pytest.approx(100, abs=1)
    assert dark.std() < 5


def test_counts_follow_the_fluence_up_to_the_full_well(camera: PhantomCamera) -> None:
    flat = camera.frame(FLAT).mean() - 100
    assert flat == pytest.approx(2e4, rel=0.2)
    half = camera.frame(replace(FLAT, fluence_per_cm2=FLUENCE / 2)).mean() - 100
    assert half == pytest.approx(flat / 2, rel=0.01)
    assert camera.frame(replace(FLAT, fluence_per_cm2=FLUENCE * 10)).max() == 65535


def test_noise_is_that_of_photons(camera: PhantomCamera) -> None:
    flats = [camera.frame(replace(FLAT, number=k)).astype(float) for k in range(60)]
    counts, variance = np.mean(flats, 0) - 100, np.var(flats, axis=0, ddof=1)
    assert np.mean(variance / counts) == pytest.approx(1.0, abs=0.05)


def test_the_flat_field_drifts(camera: PhantomCamera) -> None:
    def mean_at(start_s: float) -> np.ndarray:
        at = replace(FLAT, start_s=start_s)
        return np.mean([camera.frame(replace(at, number=k)) for k in range(30)], 0)

    assert np.abs(mean_at(600.0) / mean_at(0.0) - 1).max() > 0.01


def test_propagation_makes_fringes_and_no_light() -> None:
    attenuation = np.zeros((40, 40), np.float32)
    path_m = np.zeros((40, 40), np.float32)
    path_m[10:30, 10:30] = 1e-11
    out = np.zeros((40, 40), np.float32)
    add_propagated(out, attenuation, path_m, 1e9, np.ones(40, np.float32))
    assert out.sum() == pytest.approx(1600, rel=1e-6)
    assert out.max() > 1.005
    assert out.min() < 0.995
    assert out[20, 20] == out[2, 2] == 1


def test_some_columns_are_off_in_a_way_that_flats_do_not_take_away() -> None:
    settings = SETTINGS.model_copy(update={"ring_columns": 0.1, "ring_gain_error": 0.05})
    bad, good = (
        PhantomCamera(settings.model_copy(update={"ring_gain_error": error}), 3, 1e11)
        for error in (0.05, 0.0)
    )
    assert np.array_equal(bad.frame(FLAT), good.frame(FLAT))
    ratio = bad.frame(EXPOSURE).sum(0) / good.frame(EXPOSURE).sum(0)
    assert 0 < np.count_nonzero(np.abs(ratio - 1) > 0.01) < 30


def test_prepared_frames_fit_angle_stage_and_shutter(camera: PhantomCamera) -> None:
    prepared = PreparedFrames(camera, 0.48, FLUENCE)
    frame = prepared.frame(EXPOSURE)
    assert frame is prepared.frame(replace(EXPOSURE, mid_angle_deg=11.0))
    assert frame is not prepared.frame(replace(EXPOSURE, mid_angle_deg=40.0))
    assert prepared.frame(DARK).mean() == pytest.approx(100, abs=1)
    assert prepared.frame(FLAT).mean() > frame.mean()
