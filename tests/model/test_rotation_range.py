"""Wired ranges, blind sectors, and the wedge that is missing."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from voltomo.model.rotation_range import RotationRange, missing_wedge_deg, wedge_sentence

WIRED = RotationRange(wired=True, low_deg=-190, high_deg=190)
BLIND = RotationRange(blind_sectors=((85.0, 95.0), (350.0, 370.0)))

angles = st.floats(-1000, 1000, allow_nan=False)


def test_a_free_stage_goes_anywhere_and_sees_everything() -> None:
    free = RotationRange()
    assert free.reaches(1e6)
    assert free.placed(700.0, 900.0, 0.0) == (700.0, 900.0)
    assert free.stretches(0.0, 180.0) == ((0.0, 180.0),)
    assert missing_wedge_deg(free.stretches(0.0, 180.0)) == ()
    assert wedge_sentence(()) == ""


def test_a_wired_stage_unwinds_to_the_nearest_place_that_fits() -> None:
    assert WIRED.placed(-5.0, 185.0, here_deg=170.0) == (-5.0, 185.0)
    assert WIRED.placed(355.0, 535.0, here_deg=170.0) == (-5.0, 175.0)
    # Backwards, and with two places to choose from.
    assert WIRED.placed(170.0, 10.0, here_deg=0.0) == (170.0, 10.0)
    with pytest.raises(ValueError, match=r"path of 400 deg.*range.*-190.*190.*shorter"):
        WIRED.placed(0.0, 400.0, 0.0)


def test_blind_sectors_cut_a_path_in_the_direction_of_travel() -> None:
    assert BLIND.stretches(0.0, 180.0) == ((10.0, 85.0), (95.0, 180.0))
    assert BLIND.stretches(180.0, 0.0) == ((180.0, 95.0), (85.0, 10.0))
    assert BLIND.stretches(0.0, 180.0, margin_deg=1.0) == ((11.0, 84.0), (96.0, 180.0))
    assert BLIND.stretches(86.0, 94.0) == ()
    assert BLIND.stretches(-100.0, -5.0) == ((-100.0, -10.0),)


def test_what_is_missing_is_said() -> None:
    half = missing_wedge_deg(BLIND.stretches(0.0, 180.0))
    assert half == ((0.0, 10.0), (85.0, 95.0))
    assert wedge_sentence(half) == (
        "missing wedge: no view from 0 to 10 deg, 85 to 95 deg (20 deg of 180)"
    )
    # A whole turn makes good what has no blind sector opposite to it.
    whole = missing_wedge_deg(BLIND.stretches(0.0, 360.0))
    assert whole == ()
    both = RotationRange(blind_sectors=((85.0, 95.0), (260.0, 280.0)))
    assert missing_wedge_deg(both.stretches(0.0, 360.0)) == ((85.0, 95.0),)
    assert missing_wedge_deg(((0.0, 120.0),)) == ((120.0, 180.0),)


@given(start=angles, length=st.floats(-700, 700), margin=st.floats(0, 20))
def test_stretches_and_blind_angles_say_the_same(
    start: float, length: float, margin: float
) -> None:
    assume(abs(length) > 1e-3)
    path = np.linspace(start, start + length, 301)
    inside = np.zeros(path.shape, bool)
    for first, last in BLIND.stretches(start, start + length, margin):
        inside |= (path >= min(first, last)) & (path <= max(first, last))
        assert math.copysign(1, last - first) == math.copysign(1, length)
    # At the very edges rounding may decide.
    sure = BLIND.blind_at(path, margin + 1e-6) == BLIND.blind_at(path, margin - 1e-6)
    assert np.array_equal(inside[sure], ~BLIND.blind_at(path, margin)[sure])


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"wired": True, "low_deg": 10.0, "high_deg": -10.0}, "upwards"),
        ({"low_deg": -10.0}, "wired: true"),
        ({"blind_sectors": [[95.0, 85.0]]}, "upwards"),
        ({"blind_sectors": [[0.0, 360.0]]}, "less than a turn"),
    ],
)
def test_what_cannot_be_is_refused(values, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        RotationRange.model_validate(values)
