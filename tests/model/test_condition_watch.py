"""Conditions fire once, where they should, whatever the noise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from voltomo.model.cell_reading import CellReading
from voltomo.model.condition import Condition
from voltomo.model.condition_watch import ConditionWatch, Crossing


def fired(watch: ConditionWatch, readings: list[CellReading], lead_s: float = 0) -> list[Crossing]:
    found = [watch.observe(reading, lead_s) for reading in readings]
    return [crossing for crossing in found if crossing is not None]


def ramp(start: float, stop: float, begin_s: float = 0.0, poll_s: float = 2.0) -> list[CellReading]:
    """An hour's charge or discharge between two states, polled."""
    times_s = np.arange(0.0, 3600.0, poll_s)
    socs = start + (stop - start) * times_s / 3600
    current_A = math.copysign(1.0, stop - start)
    return [
        CellReading(begin_s + float(t), 3.0 + float(s), current_A, soc=float(s), step=int(begin_s))
        for t, s in zip(times_s, socs, strict=True)
    ]


def test_a_crossing_is_told_once_in_each_half_cycle() -> None:
    watch = ConditionWatch(Condition(quantity="soc", at=0.5), poll_s=2)
    cycle = ramp(0.1, 0.9), ramp(0.9, 0.1, 4000), ramp(0.1, 0.9, 8000)
    crossings = fired(watch, [reading for part in cycle for reading in part])
    assert [c.time_s for c in crossings] == pytest.approx([1800, 9800], abs=0.01)
    assert not any(crossing.expected for crossing in crossings)


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    at=st.floats(3.2, 3.8),
    falling=st.booleans(),
    poll_s=st.sampled_from([1.0, 2.0, 5.0, 10.0]),
)
def test_noise_makes_no_second_crossing_and_hides_none(seed, at, falling, poll_s) -> None:
    random = np.random.default_rng(seed)
    clean = ramp(0.9, 0.1, poll_s=poll_s) if falling else ramp(0.1, 0.9, poll_s=poll_s)
    noisy = [
        CellReading(r.time_s, r.voltage_V + random.normal(0, 5e-3), r.current_A) for r in clean
    ]
    condition = Condition(
        quantity="voltage_V",
        at=at,
        direction="falling" if falling else "rising",
        smooth_s=20 * poll_s,
        hysteresis=10e-3,
    )
    (crossing,) = fired(ConditionWatch(condition, poll_s=poll_s), noisy)
    volts = np.interp(crossing.time_s, [r.time_s for r in clean], [r.voltage_V for r in clean])
    assert abs(volts - at) < 0.02


def test_with_a_lead_the_middle_of_a_scan_falls_on_the_value() -> None:
    watch = ConditionWatch(Condition(quantity="soc", at=0.5), poll_s=10)
    (crossing,) = fired(watch, ramp(0.1, 0.9, poll_s=10), lead_s=33)
    assert crossing.expected
    assert crossing.start_s + 33 == pytest.approx(1800, abs=0.01)


def test_a_cell_that_is_beyond_from_the_start_never_fires() -> None:
    watch = ConditionWatch(Condition(quantity="soc", at=0.3), poll_s=2)
    assert fired(watch, ramp(0.4, 0.9)) == []


def test_a_value_passed_while_nothing_may_fire_is_not_told_in_the_next_half_cycle() -> None:
    watch = ConditionWatch(Condition(quantity="soc", at=0.5), poll_s=2)
    up = ramp(0.1, 0.9)
    back = [CellReading(4000 + i, 3.4, 1.0, soc=0.4) for i in range(3)]
    again = [CellReading(4010 + i, 3.7, 1.0, soc=0.7) for i in range(3)]
    discharge = [CellReading(4020 + i, 3.7, -1.0, soc=0.7 - 0.001 * i) for i in range(20)]
    assert len(fired(watch, up + back + again + discharge)) == 1


def test_several_readings_in_a_row_are_asked_for() -> None:
    condition = Condition(quantity="temperature_C", at=40, debounce=3)
    values = [30, 41, 30, 41, 41, 41, 41]
    readings = [CellReading(i, 3.5, 1.0, temperature_C=value) for i, value in enumerate(values)]
    (crossing,) = fired(ConditionWatch(condition), readings)
    assert 3 <= crossing.time_s <= 5


def test_steps_and_times_are_reached_not_passed() -> None:
    readings = [CellReading(100.0 + i, 3.5, 0.0, step=i // 3) for i in range(9)]
    (at_step,) = fired(ConditionWatch(Condition(quantity="step", at=2)), readings)
    (at_time,) = fired(ConditionWatch(Condition(quantity="time_s", at=4), 100.0), readings)
    (from_start,) = fired(ConditionWatch(Condition(quantity="step", at=0)), readings)
    assert 105 <= at_step.time_s <= 106
    assert at_time.time_s == pytest.approx(104)
    assert from_start.time_s == 100


def test_a_rate_of_voltage_is_found_in_its_slope() -> None:
    volts = [3.5 + 1e-4 * t if t < 300 else 3.53 + 1e-3 * (t - 300) for t in range(600)]
    readings = [CellReading(float(t), v, 1.0) for t, v in enumerate(volts)]
    condition = Condition(quantity="dV_dt_V_per_s", at=5e-4, smooth_s=30)
    (crossing,) = fired(ConditionWatch(condition), readings)
    assert 300 < crossing.time_s < 330


def test_readings_without_the_quantity_are_passed_over() -> None:
    watch = ConditionWatch(Condition(quantity="temperature_C", at=40))
    assert fired(watch, ramp(0.1, 0.9)) == []


def test_time_that_steps_back_is_refused() -> None:
    watch = ConditionWatch(Condition(quantity="soc", at=0.5))
    watch.observe(CellReading(10.0, 3.5, 1.0, soc=0.1))
    with pytest.raises(ValueError, match=r"expected a reading after 10\.000 s, saw one of 9\.000"):
        watch.observe(CellReading(9.0, 3.5, 1.0, soc=0.1))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"quantity": "soc", "at": 50}, "write 0.5 for 50 %"),
        ({"quantity": "step", "at": 2, "direction": "falling"}, "only rises"),
        ({"quantity": "cycle", "at": -1}, "at least 0"),
        ({"quantity": "charge", "at": 1}, "quantity"),
    ],
)
def test_conditions_that_cannot_be_are_refused(settings, says) -> None:
    with pytest.raises(ValidationError, match=says):
        Condition.model_validate(settings)


def test_a_crossing_that_was_foreseen_is_told_once_at_each_crossing() -> None:
    watch = ConditionWatch(Condition(quantity="soc", at=0.5, once="crossing"), poll_s=2)
    cycle = ramp(0.1, 0.9), ramp(0.9, 0.1, 4000), ramp(0.1, 0.9, 8000)
    crossings = fired(watch, [reading for part in cycle for reading in part], lead_s=120)
    assert [c.time_s for c in crossings] == pytest.approx([1800, 9800], abs=0.1)
    assert all(crossing.expected for crossing in crossings)
