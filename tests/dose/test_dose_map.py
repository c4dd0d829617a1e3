"""The map against a truth that follows single points through every exposure."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from voltomo.dose.beam_frame import on_detector
from voltomo.dose.beam_place import BeamPlace
from voltomo.dose.dose_map import DoseMap, DoseMapProjection
from voltomo.dose.nested_grid import BLOCK, NestedGrid, level_below
from voltomo.runtime.append_log import Entry

PER_FLUENCE = 2e-12
CLASSES = {
    "electrolyte": lambda energy_keV: (1e-12, 2e-12),
    "active material": lambda energy_keV: (2e-11 * 20 / energy_keV, 4e-11 * 20 / energy_keV),
}
REACH_mm = 4.0


def entry(place: dict[str, Any] | None, dose_Gy: float = 100.0, **more: Any) -> Entry:
    data: dict[str, Any] = {
        "sample": "cell", "lease_id": "a", "purpose": "sweep_0", "scan_uid": None,
        "dose_Gy": dose_Gy, "dose_central_Gy": 0.9 * dose_Gy, "open_s": 1.0, "charged_s": 1.0,
        "dose_per_fluence_Gy_cm2": PER_FLUENCE, "energy_keV": 20.0, "opened_utc_s": 0.0,
        "closed_utc_s": 10.0, "stamp": "",
    }  # fmt: skip
    data |= {} if place is None else {"place": place}
    return Entry(0, 0.0, "exposure", data | more)


def place(**changes: Any) -> dict[str, Any]:
    return {"width_mm": 0.8, "height_mm": 0.4, "track": [(0.0, 0.0), (10.0, 180.0)]} | changes


def fold(*entries: Entry) -> DoseMap:
    return DoseMapProjection("cell", CLASSES, 20.0, REACH_mm).fold(entries)


def true_part(given: dict[str, Any], points: np.ndarray) -> np.ndarray:
    """Part of the time that each point is in the beam, from 700 moments."""
    one = BeamPlace.model_validate(given)
    times, angles = np.array(one.track).T
    moments = np.linspace(times[0], times[-1], 700)
    at = np.interp(moments, times, angles) if times.size > 1 else np.full(1, angles[0])
    inside = np.zeros(points.shape[0])
    x, y, z = (points - np.array(one.axis_mm)).T
    for angle in at:
        u, v = on_detector(x, y, z, float(angle), one.tilt_deg)
        inside += (np.abs(u - one.beam_off_mm[0]) <= one.width_mm / 2) & (
            np.abs(v - one.beam_off_mm[1]) <= one.height_mm / 2
        )
    return inside / at.size


places = st.fixed_dictionaries(
    {
        "width_mm": st.floats(0.4, 1.5),
        "height_mm": st.floats(0.4, 1.0),
        "axis_mm": st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-1, 1)),
        "beam_off_mm": st.tuples(st.floats(-0.5, 0.5), st.floats(-0.3, 0.3)),
        "tilt_deg": st.sampled_from([0.0, 0.0, 30.0]),
        "track": st.sampled_from(
            [
                [(0.0, 0.0), (10.0, 180.0)],
                [(0.0, 20.0), (1.0, 20.0), (4.0, 95.0)],
                [(0.0, 90.0)],
                [(0.0, 0.0), (10.0, -360.0)],
            ]
        ),
    }
)


@settings(max_examples=12)
@given(st.lists(places, min_size=1, max_size=2), st.integers(0, 1000))
def test_the_bound_never_lies_below_the_truth(given: list[dict[str, Any]], seed: int) -> None:
    points = np.random.default_rng(seed).uniform(-2, 2, (150, 3))
    points[:75, 2] = points[:75, 2] / 4
    truth = sum((true_part(one, points) for one in given), np.zeros(150)) * 100.0
    made = fold(*(entry(one) for one in given))
    bound, central = made.at_Gy("electrolyte", points)
    # The truth itself knows a part of the time to one moment in 700.
    assert np.all(bound >= truth - 100.0 * len(given) * 2 / 700)
    assert np.all(bound >= central)
    hottest, _ = made.hottest_Gy("electrolyte")
    assert hottest >= truth.max() * (1 - 3e-3)
    assert hottest <= 100.0 * len(given) * (1 + 1e-9)


def test_the_estimate_is_right_on_average() -> None:
    given = place(track=[(0.0, 0.0), (10.0, 180.0)])
    points = np.random.default_rng(1).uniform(-0.6, 0.6, (400, 3))
    points[:, 2] /= 4
    made = fold(entry(given))
    _, central = made.at_Gy("electrolyte", points)
    truth = 45.0 * true_part(given, points)
    assert central.mean() == pytest.approx(truth.mean(), rel=0.05)


def test_the_core_of_a_whole_turn_is_lit_all_the_time_and_the_rest_is_not() -> None:
    made = fold(entry(place()))
    axis, beside, above = made.at_Gy("electrolyte", np.array([[0, 0, 0], [3, 0, 0], [0, 0, 1.0]]))[
        0
    ]
    assert axis == pytest.approx(100.0)
    assert 0 < beside < 30.0
    assert above == 0
    value, where = made.hottest_Gy("electrolyte")
    assert value == pytest.approx(100.0)
    assert where is not None
    assert math.hypot(where[0], where[1]) < 0.5


def test_zooms_add_up_where_they_hit() -> None:
    overview = place(width_mm=3.0, height_mm=1.0)
    left = place(width_mm=0.3, height_mm=0.3, axis_mm=(-0.8, 0.0, 0.0))
    right = place(width_mm=0.3, height_mm=0.3, axis_mm=(0.8, 0.0, 0.0))
    made = fold(entry(overview, 10.0), entry(left), entry(left), entry(right))
    points = np.array([[-0.8, 0, 0], [0.8, 0, 0], [0, 0.9, 0.3]])
    at_left, at_right, elsewhere = made.at_Gy("electrolyte", points)[0]
    assert at_left == pytest.approx(210.0, rel=0.12)
    assert at_left > 210.0
    assert 110.0 < at_right < 140.0
    assert elsewhere == pytest.approx(10.0)
    value, where = made.hottest_Gy("electrolyte")
    assert value >= 210.0
    assert where is not None
    assert where[0] == pytest.approx(-0.8, abs=0.2)


def test_voxels_are_small_against_the_beam() -> None:
    for side in (0.2, 0.37, 1.0):
        made = fold(entry(place(width_mm=2.0, height_mm=side)))
        assert 2.0 ** made.grid.levels[0] <= side / 4


def test_the_profile_peak_and_the_energy_count() -> None:
    made = fold(entry(place(peak_over_mean=1.5)))
    assert made.hottest_Gy("electrolyte")[0] == pytest.approx(150.0)
    # Of 100 Gy in the sample's own material by 5e13 photons/cm2.
    assert made.hottest_Gy("active material")[0] == pytest.approx(1.5 * 5e13 * 4e-11)
    softer = fold(entry(place(), energy_keV=10.0))
    assert softer.hottest_Gy("active material")[0] == pytest.approx(5e13 * 8e-11)
    undated = fold(entry(place(), energy_keV=None))
    assert undated.hottest_Gy("active material")[0] == pytest.approx(5e13 * 4e-11)


def test_what_does_not_say_where_counts_everywhere() -> None:
    unreadable = place(width_mm=-1.0)
    made = fold(entry(place()), entry(None, 50.0), entry(unreadable, 5.0))
    assert made.unplaced == 2
    assert made.hottest_Gy("electrolyte")[0] == pytest.approx(155.0)
    far = made.at_Gy("electrolyte", np.array([[30.0, 30.0, 30.0]]))[0]
    assert far == pytest.approx([55.0])


def test_others_and_free_beam_do_not_count() -> None:
    other = entry(place(), sample="another")
    free = entry(place(), 0.0)
    made = fold(other, free)
    assert made.hottest_Gy("electrolyte") == (0.0, None)
    assert made.opened == []


def test_an_open_reservation_counts_everywhere() -> None:
    reserve = Entry(
        0, 0.0, "reserve",
        {"lease_id": "b", "reserved_Gy": 40.0, "reserved_s": 1.0, "request": {"sample": "cell"}},
    )  # fmt: skip
    spent = entry(place(), 25.0, lease_id="b")
    made = fold(reserve, spent)
    assert made.hottest_Gy("electrolyte")[0] == pytest.approx(40.0)
    settle = Entry(0, 0.0, "settle", {"lease_id": "b"})
    assert fold(reserve, spent, settle).hottest_Gy("electrolyte")[0] == pytest.approx(25.0)


def test_the_same_entries_give_the_same_map() -> None:
    entries = [entry(place(axis_mm=(0.1 * k, 0.0, 0.0))) for k in range(3)]
    projection = DoseMapProjection("cell", CLASSES, 20.0, REACH_mm)
    one, two = projection.fold(entries), projection.fold(entries)
    assert one.opened == two.opened
    assert np.array_equal(one.grid.cells().values, two.grid.cells().values)


def test_a_track_must_not_go_back() -> None:
    with pytest.raises(ValidationError, match="must not go back"):
        BeamPlace.model_validate(place(track=[(1.0, 0.0), (0.0, 10.0)]))


def test_cells_cover_each_part_of_space_once() -> None:
    grid = NestedGrid(1)
    grid.add(0, (-40, -40, -40), np.ones((1, 80, 80, 80)))
    grid.add(-3, (3, 5, 7), np.ones((1, 20, 30, 40)))
    grid.add(-6, (100, 100, 100), np.full((1, 5, 5, 5), 10.0))
    cells = grid.cells()
    whole = 6 * BLOCK
    assert cells.volume_mm3.sum() == pytest.approx(whole**3)
    total = float(cells.values[0] @ cells.volume_mm3)
    assert total == pytest.approx(80.0**3 + 20 * 30 * 40 / 8**3 + 10 * 125 / 64**3)
    assert cells.values[0].max() == grid.hottest(0)[0]


def test_levels() -> None:
    assert level_below(0.25) == -2
    assert level_below(0.26) == -2
    assert level_below(0.24) == -3
