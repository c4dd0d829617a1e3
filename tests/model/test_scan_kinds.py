"""Every kind of scan as blocks of triggers in one index."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.model.test_scan_spec import spec
from voltomo.model.geometry import Geometry
from voltomo.model.place import Place, grid
from voltomo.model.scan_spec import Block, ScanSpec, Stop
from voltomo.model.sweep_angles import GOLDEN, golden_angles_deg, interlace_offset
from voltomo.model.target import Target


def geometry(**changes) -> Geometry:
    given = {"rows": 8, "columns": 40, "pixel_um": 1.0, "step_deg": 1.8, "projections": 100}
    return Geometry(**(given | changes))


def sweeps_of(scan: ScanSpec) -> list[Block]:
    return [block for block in scan.blocks() if block.kind == "sweep"]


def asked(block: Block) -> np.ndarray:
    angles = block.asked_deg
    assert angles is not None
    return angles


@given(sweeps=st.integers(1, 9), alternate=st.booleans())
def test_evenly_interlaced_sweeps_are_one_fine_sweep_together(sweeps: int, alternate: bool) -> None:
    order = "alternate" if alternate else "forward"
    scan = spec(sweeps=sweeps, interlace="even", order=order)
    angles = np.sort(np.concatenate([asked(block) for block in sweeps_of(scan)]))
    assert np.allclose(angles, np.arange(100 * sweeps) * 1.8 / sweeps, atol=1e-9)
    signs = [np.sign(block.step_deg or 0) for block in sweeps_of(scan)]
    assert signs == [-1 if alternate and n % 2 else 1 for n in range(sweeps)]


@given(st.integers(2, 40))
def test_golden_offsets_leave_no_gap_wider_than_the_golden_rule_allows(sweeps: int) -> None:
    offsets = np.sort([interlace_offset(n, sweeps, "golden") for n in range(sweeps)])
    gaps = np.diff(offsets, append=offsets[0] + 1)
    # There are two or three widths of gaps; the widest is below φ² of an even share.
    assert gaps.max() < 1 / GOLDEN**2 / sweeps
    assert offsets.min() >= 0
    assert offsets.max() < 1


@given(st.integers(1, 300), st.integers(0, 300))
def test_golden_frames_go_on_where_the_last_sweep_ended(count: int, before: int) -> None:
    whole = golden_angles_deg(-90, 180, before + count)
    assert np.allclose(golden_angles_deg(-90, 180, count, first=before), whole[before:])
    assert whole.min() >= -90
    assert whole.max() < 90


def test_a_golden_scan_step_by_step_repeats_no_angle() -> None:
    scan = spec(motion="step", angles="golden", sweeps=2)
    angles = np.concatenate([asked(block) for block in sweeps_of(scan)])
    assert np.unique(angles.round(6)).size == 200
    assert scan.plan_name == "tomography_step"


def test_steps_stand_at_the_angles_of_the_sweep_there_and_back() -> None:
    there, back = sweeps_of(spec(motion="step", sweeps=2, order="alternate"))
    assert there.start_deg is None
    assert there.stepped
    assert np.allclose(asked(there), np.arange(100) * 1.8)
    assert np.allclose(asked(back), asked(there)[::-1])
    assert [stop.count for stop in there.stops] == [1] * 100
    assert [stop.first for stop in back.stops] == list(range(back.first, back.last))


def test_radiographs_are_one_stop_with_all_triggers() -> None:
    scan = spec(motion="step", geometry=geometry(step_deg=0, start_deg=30, projections=50))
    (block,) = sweeps_of(scan)
    assert block.stops == (Stop(30.0, block.first, 50),)
    assert scan.plan_name == "radiography"
    assert scan.velocity_deg_s == 0


def test_turns_go_on_in_one_sweep() -> None:
    (block,) = sweeps_of(spec(turns=3))
    assert (block.count, block.turns) == (300, 3)
    assert asked(block)[-1] == pytest.approx(3 * 180 - 1.8)


@given(sweeps=st.integers(1, 7), every=st.integers(0, 4), after=st.integers(0, 3))
def test_flats_come_before_after_and_every_so_many_sweeps(
    sweeps: int, every: int, after: int
) -> None:
    scan = spec(sweeps=sweeps, flats_every=every, flats_before=4, flats_after=after)
    blocks = scan.blocks()
    assert all(a.last == b.first for a, b in itertools.pairwise(blocks))
    assert len({block.name for block in blocks}) == len(blocks)
    between = [b for b in blocks if b.kind == "flats" and b.name[6:].isdigit()]
    assert len(between) == (((sweeps - 1) // every) if every else 0)
    done = 0
    for block in blocks:
        done += block.kind == "sweep"
        if block in between:
            assert done % every == 0
            assert 0 < done < sweeps


def test_flats_and_darks_are_a_scan_without_sweeps() -> None:
    scan = spec(sweeps=0)
    assert [block.kind for block in scan.blocks()] == ["priming", "darks", "flats", "flats"]
    assert scan.plan_name == "flats_and_darks"


def test_a_mosaic_takes_all_sweeps_of_a_place_and_a_series_all_places_of_a_round() -> None:
    places = (Place(x_mm=-0.01), Place(x_mm=0.01))
    mosaic = sweeps_of(spec(sweeps=2, places=places))
    assert [block.place for block in mosaic] == [places[0], places[0], places[1], places[1]]
    series = sweeps_of(spec(sweeps=2, places=places, every_s=60))
    assert [block.place for block in series] == [places[0], places[1], places[0], places[1]]
    assert [block.due_s for block in series] == [0, 0, 60, 60]


def test_the_axis_goes_with_the_stage() -> None:
    places = (Place(x_mm=-0.01), Place(x_mm=0.01))
    scan = spec(geometry=geometry(), places=places)
    assert [scan.axis_column(block) for block in sweeps_of(scan)] == pytest.approx([9.5, 29.5])


@given(st.integers(1, 4), st.integers(1, 4))
def test_a_grid_is_centred_and_moves_one_tile_at_a_time(tiles_x: int, tiles_z: int) -> None:
    places = grid(tiles_x, tiles_z, 0.5, 0.25)
    assert len(set(places)) == tiles_x * tiles_z
    assert sum(p.x_mm for p in places) == pytest.approx(0)
    assert sum(p.z_mm for p in places) == pytest.approx(0)
    for a, b in itertools.pairwise(places):
        assert (abs(a.x_mm - b.x_mm) > 1e-9) != (abs(a.z_mm - b.z_mm) > 1e-9)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"flats_before": 0}, "a scan needs flats"),
        ({"stored_flats": "f00"}, "both taken and stored"),
        ({"geometry": geometry(step_deg=0)}, "radiographs need motion 'step'"),
        ({"angles": "golden"}, "a stage that stands for each"),
        ({"angles": "golden", "motion": "step", "order": "alternate"}, "no order"),
        ({"steps_per_lease": 3}, "set motion to 'step'"),
        ({"gate": "lease"}, "set motion to 'step'"),
        ({"turns": 2, "motion": "step"}, "of scans on the fly"),
        ({"turns": 2, "geometry": geometry(projections=50)}, "take 180 or 360 deg"),
        ({"half_acquisition": True}, "a range of 360 deg, not 180"),
        (
            {"half_acquisition": True, "geometry": geometry(projections=200)},
            "0 columns from the middle of 40",
        ),
        ({"every_s": -1}, "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_scanned_is_refused(wrong, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        spec(**wrong)


@pytest.mark.parametrize("wrong", [{"tilt_deg": 30.0}, {"roll_deg": 2.0}, {"roll_deg": -2.0}])
def test_what_one_row_cannot_measure_ends_no_scan(wrong: dict[str, float]) -> None:
    growing = {"sweeps": 3, "interlace": "golden", "stop_when": Target(metric="snr", at_least=3)}
    with pytest.raises(ValidationError, match="makes no slice about an axis tilted by"):
        spec(geometry=geometry(projections=200, **wrong), **growing)
    # Rolled by less than half a row at its end, a row is a slice.
    assert spec(geometry=geometry(projections=200, roll_deg=1.0), **growing).grows


def test_stored_flats_stand_in_for_own_ones() -> None:
    scan = spec(stored_flats="f00", flats_before=0, flats_after=0)
    assert [block.kind for block in scan.blocks()] == ["priming", "darks", "sweep"]


def test_all_of_it_survives_a_start_document() -> None:
    scan = spec(
        geometry=geometry(projections=200), places=grid(2, 1, 0.01, 0), half_acquisition=True,
        sweeps=3, interlace="golden", turns=2, every_s=9.5, flats_every=1,
    )  # fmt: skip
    again = ScanSpec.model_validate(scan.model_dump(mode="json"))
    assert again == scan
    assert again.blocks() == scan.blocks()
