"""Times of the guard are told by cause, and only where they belong to it."""

from __future__ import annotations

import pytest

from benchmarks.dose import commits_per_s, guard_settings
from benchmarks.false_trips import tripped
from benchmarks.guard_times import CAUSES, Timed, statistics
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_table import TABLE
from voltomo.runtime.append_log import Entry


def test_times_run_from_the_cause_and_from_the_decision() -> None:
    tries = [Timed(10.0, 10.1, 10.2, 10.18), Timed(20.0, 20.1, 20.25, 20.2)]
    found = statistics(tries, travel_s=0.015)
    assert found["n"] == 2
    assert found["detect_ms_p99"] == pytest.approx(100, abs=0.2)
    assert found["react_ms_p50"] == pytest.approx(110, abs=0.2)
    assert found["closed_ms_p99"] == pytest.approx(199.8, abs=0.3)


def test_what_closes_nothing_has_no_reaction() -> None:
    found = statistics([Timed(10.0, 10.5)], travel_s=0.015)
    assert found["react_ms_p99"] is found["closed_ms_p99"] is None


def test_every_cause_that_is_timed_is_in_the_table_and_every_try_has_its_limit() -> None:
    assert set(CAUSES) <= set(TABLE)
    settings = GuardSettings.model_validate(guard_settings(3))
    assert [s.name for s in settings.samples] == ["bench", "limit-0", "limit-1", "limit-2"]


def test_losses_and_latches_are_trips() -> None:
    entries = [
        Entry(n, 0.0, kind, {"reason": kind})
        for n, kind in enumerate(["start", "lost", "reserve", "settle", "latch", "warn"])
    ]
    assert tripped(entries) == ["lost", "latch"]


def test_commits_are_counted(tmp_path) -> None:
    assert commits_per_s(tmp_path, seconds=0.05) > 0
