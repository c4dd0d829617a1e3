"""Profiles: they end where they should, within their limits; crossings are exact."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.twin.trajectory import after, approach, crossing_times, evaluate, halt

positions = st.floats(-700, 700)
speeds = st.floats(0.1, 200)
accelerations = st.floats(1, 1000)


@given(positions, st.floats(-150, 150), positions, speeds, accelerations)
def test_an_approach_ends_at_its_target_smoothly_and_within_its_limits(
    start, velocity, target, speed, acceleration
) -> None:
    pieces = approach(5.0, start, velocity, target, speed, acceleration)
    end_s = pieces[-1].t1
    assert evaluate(pieces, end_s + 1) == (target, 0.0)
    for earlier, later in itertools.pairwise(pieces):
        assert later.t0 == earlier.t1
        span = earlier.t1 - earlier.t0
        reached = earlier.x0 + earlier.v0 * span + earlier.a * span * span / 2
        assert reached == pytest.approx(later.x0, abs=1e-7)
        if later.t1 > later.t0:
            assert earlier.v0 + earlier.a * span == pytest.approx(later.v0, abs=1e-6)
    for piece in pieces:
        assert abs(piece.a) <= acceleration * (1 + 1e-9)
        assert abs(piece.v0) <= max(speed, abs(velocity)) * (1 + 1e-9)


@given(positions, st.floats(-150, 150), accelerations)
def test_a_halt_ends_at_rest_in_the_time_that_it_needs(start, velocity, acceleration) -> None:
    pieces = halt(1.0, start, velocity, acceleration)
    assert pieces[-1].t1 - 1.0 == pytest.approx(abs(velocity) / acceleration)
    way = velocity * abs(velocity) / (2 * acceleration)
    assert evaluate(pieces, 1e9)[0] == pytest.approx(start + way)


@given(
    st.floats(-30, 30), st.floats(-40, 40), st.floats(0.01, 3), st.booleans(), st.integers(1, 50)
)
def test_every_crossing_lies_on_its_position_and_none_is_left_out(
    begin, start, width, forwards, count
) -> None:
    step = width if forwards else -width
    target = begin + (60 if forwards else -60)
    pieces = approach(2.0, begin, 0.0, target, 25.0, 50.0)
    times = crossing_times(pieces, 0, start, step, count)
    assert np.all(np.diff(times) > 0)
    for number, time_s in enumerate(times):
        assert evaluate(pieces, time_s)[0] == pytest.approx(start + number * step, abs=1e-6)
    wanted = start + np.arange(count) * step
    ahead = (start - begin) * step >= 1e-6 * width
    reachable = np.sum((target - wanted) * step >= 1e-6 * width) if ahead else 0
    if abs(start - begin) > 1e-5 and np.min(np.abs(wanted - target)) > 1e-5:
        assert times.size == reachable


def test_a_position_fires_once_and_in_order() -> None:
    there = approach(0.0, -5.0, 0.0, 7.5, 10.0, 100.0)
    first = crossing_times(there, 0, 0.0, 1.0, 20)
    assert first.size == 8
    back = approach(10.0, 7.5, 0.0, 3.0, 10.0, 100.0)
    assert crossing_times(back, 8, 0.0, 1.0, 20).size == 0
    on = approach(20.0, 3.0, 0.0, 30.0, 10.0, 100.0)
    second = crossing_times(on, 8, 0.0, 1.0, 20)
    assert second.size == 12
    assert evaluate(on, second[0])[0] == pytest.approx(8.0)


def test_standing_on_the_first_position_counts_standing_beyond_it_does_not() -> None:
    on_it = crossing_times(approach(0.0, 4.0, 0.0, 9.0, 10.0, 100.0), 0, 4.0, 1.0, 5)
    assert on_it.size == 5
    assert on_it[0] == 0.0
    beyond = approach(0.0, 4.5, 0.0, 9.0, 10.0, 100.0)
    assert crossing_times(beyond, 0, 4.0, 1.0, 5).size == 0


def test_what_is_left_of_a_plan_goes_on_as_before() -> None:
    plan = approach(0.0, 0.0, 0.0, 50.0, 20.0, 40.0)
    left = after(plan, 1.2)
    assert left[0].t0 == 1.2
    for time_s in (1.2, 1.9, 2.6, 9.0):
        assert evaluate(left, time_s) == pytest.approx(evaluate(plan, time_s))
    assert crossing_times(left, 0, 0.0, 1.0, 60).size == 0
    assert crossing_times(left, 25, 0.0, 1.0, 51).size == 26
