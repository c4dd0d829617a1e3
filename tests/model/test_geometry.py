"""Where rays, axis and pixels are, said once for plan, twin, worker and file."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from voltomo.model.geometry import Geometry, Region


def geometry(**changes) -> Geometry:
    given = {"rows": 1024, "columns": 1024, "pixel_um": 0.65, "step_deg": 0.2, "projections": 900}
    return Geometry(**(given | changes))


def test_angles_of_a_half_turn_do_not_repeat_its_first() -> None:
    scan = geometry()
    assert scan.range_deg == pytest.approx(180)
    assert scan.angles_deg.shape == (900,)
    assert scan.angles_deg[0] == 0
    assert scan.angles_deg[-1] == pytest.approx(179.8)


@given(columns=st.integers(1, 8192))
def test_the_axis_is_in_the_middle_unless_it_is_said(columns: int) -> None:
    scan = geometry(columns=columns)
    assert scan.axis == (columns - 1) / 2
    mirrored = columns - 1 - scan.axis
    assert mirrored == scan.axis
    assert geometry(axis_column=511.8).axis == 511.8


def test_a_point_falls_where_the_drawing_says() -> None:
    """(x, y) pixels from the axis fall on axis + x cos(angle) + y sin(angle)."""
    scan = geometry(columns=101, axis_column=52.0)
    on_x = scan.axis + 10 * np.cos(np.radians(scan.angles_deg))
    assert on_x[0] == 62
    assert on_x[450] == pytest.approx(52)
    assert on_x.min() == pytest.approx(42, abs=0.01)


def test_tilt_zero_is_tomography() -> None:
    assert geometry().tilt_deg == 0
    assert geometry(tilt_deg=30).tilt_deg == 30


@pytest.mark.parametrize(
    "wrong",
    [
        {"tilt_deg": -1}, {"tilt_deg": 90}, {"roll_deg": 50}, {"pixel_um": 0}, {"step_deg": -1},
        {"projections": 1}, {"rows": 0}, {"axis": 3},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        geometry(**wrong)


def test_a_region_holds_a_pixel() -> None:
    assert Region(first_row=3, last_row=4, first_column=0, last_column=1).last_row == 4
    with pytest.raises(ValidationError, match="at least one pixel"):
        Region(first_row=3, last_row=3, first_column=0, last_column=1)


def test_it_is_frozen_and_survives_json() -> None:
    region = Region(first_row=0, last_row=8, first_column=2, last_column=9)
    scan = geometry(axis_column=511.8, region=region)
    assert Geometry.model_validate_json(scan.model_dump_json()) == scan
    with pytest.raises(ValidationError):
        scan.step_deg = 1.0
