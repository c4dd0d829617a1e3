"""The benchmark of damage on few seeds, with times as they were once measured."""

from __future__ import annotations

from typing import Any, cast

from benchmarks.damage import compare, gain_for, judge, run, visible_mm3
from benchmarks.damage_timing import SweepTiming

TIMING = SweepTiming(2.0, 4.5)


def test_a_wasteful_series_ruins_the_cell_and_a_managed_one_does_not() -> None:
    found = cast("dict[str, Any]", run(7, 2, TIMING))
    assert found["gas_ratio_median"] >= 5
    assert found["right_calls"] == 2
    assert found["false_alarms_effect_off"] <= 1
    assert [each["gain_part"] for each in found["held_out"]] == [0.85, 1.1, 1.5]


def test_the_same_times_make_no_difference() -> None:
    even = SweepTiming(2.0, 2.0)
    pair = compare(3, gain_for(even, 1e11), even)
    assert not pair[1].harmed
    assert judge([pair])["gas_ratio_median"] == 1
    assert visible_mm3() > 0
