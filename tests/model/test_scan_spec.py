"""One scan as plan, planner and rehearsal take it: blocks of triggers in one index."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voltomo.model.geometry import Geometry
from voltomo.model.scan_spec import ScanSpec


def spec(**changes) -> ScanSpec:
    geometry = Geometry(rows=8, columns=8, pixel_um=1.0, step_deg=1.8, projections=100)
    given = {"sample": "cell 3", "geometry": geometry, "exposure_s": 0.02, "period_s": 0.025}
    return ScanSpec(**(given | changes))


@given(
    sweeps=st.integers(1, 5),
    priming=st.integers(6, 20),
    darks=st.integers(1, 9),
    before=st.integers(1, 9),
    after=st.integers(0, 9),
)
def test_the_index_spans_the_whole_scan_without_holes(
    sweeps: int, priming: int, darks: int, before: int, after: int
) -> None:
    scan = spec(sweeps=sweeps, priming=priming, darks=darks, flats_before=before,
                flats_after=after)  # fmt: skip
    blocks = scan.blocks()
    assert blocks[0].first == 0
    assert all(a.last == b.first for a, b in itertools.pairwise(blocks))
    assert scan.triggers == priming + darks + before + 100 * sweeps + after
    kinds = [block.kind for block in blocks]
    assert kinds == ["priming", "darks", "flats", *["sweep"] * sweeps, *["flats"] * (after > 0)]


def test_alternate_sweeps_come_back_over_the_same_angles() -> None:
    there, back = [b for b in spec(sweeps=2, order="alternate").blocks() if b.kind == "sweep"]
    assert (there.start_deg, there.step_deg) == (0.0, 1.8)
    assert (back.start_deg, back.step_deg) == (pytest.approx(178.2), -1.8)
    again = [b for b in spec(sweeps=2).blocks() if b.kind == "sweep"][1]
    assert (again.start_deg, again.step_deg) == (0.0, 1.8)


def test_who_triggers_is_told_by_the_block() -> None:
    by_clock = [b.kind for b in spec().blocks() if b.start_deg is None]
    assert by_clock == ["priming", "darks", "flats", "flats"]


def test_speed_and_times_follow() -> None:
    scan = spec()
    assert scan.velocity_deg_s == pytest.approx(72)
    assert scan.blocks()[3].seconds == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"exposure_s": 0.025}, "does not fit into a period"),
        ({"flats_shift_mm": 0.0}, "with the sample in the beam"),
        ({"priming": 3}, "greater than or equal to 6"),
        ({"sample": "../cell"}, "cannot be a name"),
        ({"order": "random"}, "'forward' or 'alternate'"),
        ({"exposure": 0.02}, "Extra inputs"),
    ],
)
def test_what_cannot_be_scanned_is_refused(wrong, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        spec(**wrong)


def test_it_survives_a_start_document() -> None:
    scan = spec(sweeps=3, flats_shift_mm=-4.0)
    assert ScanSpec.model_validate(scan.model_dump(mode="json")) == scan
