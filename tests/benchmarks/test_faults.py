"""Faults are drawn fairly, and what came of them is judged by what was true."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from benchmarks.faults import TARGETS, Fault, Seen, draw, summary

GUARD = Fault("guard", True, 1.0, 1.0)
CAMERA = Fault("camera", False, 1.0, 1.0)


def seen(fault: Fault = GUARD, **values: Any) -> Seen:
    """A run in which all went well: closed 0.6 s after the fault, a reservation charged."""
    usual: dict[str, Any] = {
        "fault_s": 10.0, "ended_s": 10.0, "open_spans": [(8.0, 10.6)], "truth_Gy": 13.0,
        "ledger_Gy": 18.0, "reservation_Gy": 7.5, "resumed": True,
    }  # fmt: skip
    return Seen(fault, **(usual | values))


def test_a_seed_gives_the_same_faults_and_every_target_its_share() -> None:
    faults = draw(20, 7, 60.0)
    assert faults == draw(20, 7, 60.0)
    assert faults != draw(20, 8, 60.0)
    assert Counter(fault.target for fault in faults) == dict.fromkeys(TARGETS, 4)
    assert {fault.kill for fault in faults} == {True, False}
    assert all(0 <= fault.after_s <= 60 for fault in faults)


def test_a_run_in_which_all_went_well_counts_nowhere() -> None:
    found = summary([seen(), seen(CAMERA, ended_s=20.0, open_spans=[(8.0, 20.5)], truth_Gy=18.0)])
    assert found["runs"] == 2
    assert found["closed_s_max"] == pytest.approx(0.6)
    bad = ("beam_left_open", "ledger_below_truth", "ledger_over_one_reservation", "not_resumed")
    assert [found[key] for key in bad] == [0, 0, 0, 0]
    assert found["hit"] == {"guard killed": 1, "camera stopped": 1}


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("beam_left_open", {"open_spans": [(8.0, 11.2)]}),
        ("beam_left_open", {"open_spans": [(8.0, 10.1), (12.0, 12.1)]}),
        ("ledger_below_truth", {"ledger_Gy": 12.9}),
        ("ledger_over_one_reservation", {"ledger_Gy": 23.0}),
        ("not_resumed", {"resumed": False}),
    ],
)
def test_what_falls_short_is_counted(key: str, values: dict[str, Any]) -> None:
    assert summary([seen(), seen(**values)])[key] == 1


def test_a_fault_without_beam_has_no_time_of_closing() -> None:
    found = summary([seen(open_spans=[(1.0, 2.0)], fault_s=3.0)])
    assert found["closed_s_max"] is None
    assert found["beam_open_at_fault"] == 0
