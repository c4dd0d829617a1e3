"""Who goes first, who waits, who is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from voltomo.experiment.cell import CyclingCell
from voltomo.experiment.course import Course, forecast
from voltomo.experiment.due import Due, never_due, times_due
from voltomo.experiment.finding import Finding
from voltomo.experiment.protocol import Step
from voltomo.experiment.scan_entry import Flow, Freeze, ScanEntry
from voltomo.experiment.schedule import Planned, schedule
from voltomo.experiment.surroundings import Environment
from voltomo.model.condition import Condition

CELL = CyclingCell(capacity_Ah=1.0, min_V=3.0, max_V=4.0, max_current_mA=2000)
HELD: dict[str, Any] = {"freeze": Freeze(longest_s=600)}
FLOWING: dict[str, Any] = {"flow": Flow(most_delta_soc=0.1)}


def course() -> Course:
    # 0.9 of the charge in 0.9 h, then the way back.
    up = Step(step="constant_current", rate_C=1.0, until_time_s=3240)
    down = Step(step="constant_current", rate_C=-1.0, until_time_s=3000)
    return forecast(CELL, [up, down], Environment())


def scan(name: str, *socs: float, **more: Any) -> ScanEntry:
    when = tuple(Condition(quantity="soc", at=soc) for soc in socs)
    return ScanEntry(name=name, scan_file=Path("scan.yml"), when=when, **more)


def planned(*scans: ScanEntry, takes_s: float = 120.0) -> tuple[list[Planned], list[Finding]]:
    dues: list[Due] = []
    for number, each in enumerate(scans):
        dues += times_due(course(), CELL, number, each)
    return schedule(course(), scans, dict.fromkeys(range(len(scans)), takes_s), dues)


def test_the_middle_of_a_flowing_scan_falls_on_its_condition() -> None:
    (one,), findings = planned(scan("a", 0.5, **FLOWING))
    assert one.begins_s == pytest.approx(1800 - 60, abs=1)
    assert one.ends_s == pytest.approx(1800 + 60, abs=1)
    assert one.delta_soc == pytest.approx(120 / 3600, rel=1e-3)
    assert not findings


def test_a_held_cell_puts_off_what_comes_later_by_the_clock() -> None:
    (first, second), findings = planned(scan("a", 0.25, 0.5, **HELD))
    assert first.clock_s == pytest.approx(900, abs=1)
    assert second.clock_s == pytest.approx(1800 + 120, abs=1)
    assert second.due.soc == pytest.approx(0.5, abs=1e-6)
    assert second.delta_soc == 0
    assert not findings


def test_two_held_scans_follow_each_other_by_priority() -> None:
    (first, second), (said,) = planned(scan("a", 0.5, **HELD), scan("b", 0.5, priority=1, **HELD))
    assert (first.due.scan, second.due.scan) == (1, 0)
    assert second.clock_s == pytest.approx(first.clock_s + 120)
    assert not said.refuses
    assert "'b' goes first, and the cell is held for both" in said.what


def test_a_flowing_scan_gives_way() -> None:
    (one,), (said,) = planned(scan("a", 0.5, **FLOWING), scan("b", 0.51, priority=1, **HELD))
    assert one.due.scan == 1
    assert not said.refuses
    assert said.place == ("scans", 0, "when", 0)
    assert "'a' is left out" in said.what


def test_equal_priorities_are_a_mistake() -> None:
    _, (said,) = planned(scan("a", 0.5, **FLOWING), scan("b", 0.51, **FLOWING))
    assert said.refuses
    assert "with the same priority" in said.what


def test_scans_that_touch_nothing_of_each_other_are_all_taken() -> None:
    taken, findings = planned(scan("a", 0.3, **FLOWING), scan("b", 0.4, 0.6, **HELD))
    assert len(taken) == 3
    assert not findings


def test_what_is_not_passed_in_its_direction_never_comes_true() -> None:
    falling = Condition(quantity="soc", at=0.05, direction="falling")
    entry = ScanEntry(name="a", scan_file=Path("a"), when=(falling,), **FLOWING)
    due = times_due(course(), CELL, 0, entry)
    (said,) = never_due(course(), CELL, 0, entry, due)
    assert said.place == ("scans", 0, "when", 0)
    assert "and is not falling there" in said.what


def test_voltages_without_a_table_are_not_guessed() -> None:
    volt = Condition(quantity="voltage_V", at=3.5)
    entry = ScanEntry(name="a", scan_file=Path("a"), when=(volt,), **FLOWING)
    assert times_due(course(), CELL, 0, entry) == []
    (said,) = never_due(course(), CELL, 0, entry, [])
    assert not said.refuses
    assert "give ocv_soc and ocv_V" in said.what
