"""Leases: given, kept alive, ended and settled, by a guard without I/O."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.dose.guard_rig import RATE_GY_S, Rig
from voltomo.dose.lease import LeaseRequest


def test_a_lease_opens_and_settles_at_what_the_sample_got() -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request(5.0)["lease_id"]
    assert rig.kinds()[-1] == "reserve"
    rig.run(3.0, lease)
    settlement = rig.settle(lease)["settlement"]
    assert rig.truth_Gy == pytest.approx(3.0 * RATE_GY_S, rel=0.02)
    assert rig.truth_Gy <= settlement["dose_Gy"] <= 1.05 * rig.truth_Gy
    assert settlement["dose_Gy"] == pytest.approx(rig.dose_Gy())
    assert rig.settle(lease)["settlement"] == settlement


@pytest.mark.parametrize("seconds", [0.5, 0.52, 0.54, 0.56])
def test_a_stretch_waits_for_the_reading_after_its_end(seconds: float) -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request(5.0)["lease_id"]
    rig.run(seconds, lease)
    assert rig.settle(lease)["settlement"]["stamp"] == ""


def test_silence_loses_the_lease_and_says_why() -> None:
    rig = Rig()
    lease = rig.request()["lease_id"]
    rig.run(0.5, lease)
    rig.run(1.0)
    assert rig.open_part == 0
    assert "not renewed" in rig.renew(lease)["error"]
    assert rig.kinds().count("lost") == 1
    assert "not renewed" in rig.settle(lease)["settlement"]["reason"]


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"sample": "stranger"}, "no sample 'stranger'.*known: 'cell'"),
        ({"seconds": 50.0}, "would fit"),
        ({"seconds": 1.0, "dose_Gy": 1e4}, "would fit"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_beam(wanted: Any, sentence: str) -> None:
    rig = Rig(limit_Gy=40 * RATE_GY_S)
    rig.run(0.2)
    answer = rig.request(**wanted)
    assert not answer["ok"]
    assert re.search(sentence, answer["error"])
    assert "reserve" not in rig.kinds()
    rig.run(0.5)
    assert rig.truth_Gy == 0


@pytest.mark.parametrize("limit", [{"limit_Gy": 40 * RATE_GY_S}, {"limit_s": 40.0}])
def test_what_was_said_to_fit_does_fit(limit: dict[str, float]) -> None:
    rig = Rig(**limit)
    rig.run(0.2)
    error = rig.request(seconds=50.0)["error"]
    found = re.search(r"; ([\d.]+) s or [\d.]+ Gy would fit", error)
    assert found is not None
    fits_s = float(found[1])
    assert 38 < fits_s < 40
    assert rig.request(seconds=0.99 * fits_s)["ok"]


def test_nothing_is_given_where_not_even_the_smallest_reservation_fits() -> None:
    rig = Rig(limit_Gy=0.5 * RATE_GY_S)
    rig.run(0.2)
    assert "smallest reservation of 0.615 s does not fit" in rig.request(seconds=0.1)["error"]


def test_a_second_lease_is_refused_and_the_first_named() -> None:
    rig = Rig()
    first = rig.request(purpose="sweep_0", scan_uid="abc", holder="process 7 of ann on here")
    lease = first["lease_id"]
    error = rig.request(holder="process 8 of bob on there")["error"]
    assert "process 7 of ann on here" in error
    assert lease in error
    assert "sweep_0" in error
    assert "abc" in error


def test_a_request_while_the_last_lease_ends_waits_for_its_end() -> None:
    rig = Rig()
    rig.run(0.2)
    first = rig.request()["lease_id"]
    rig.run(0.5, first)
    rig.core.stop_beam(rig.now_s)
    rig.act()
    asked = rig.ask()
    assert asked not in rig.answers
    rig.run(0.5)
    assert rig.answers[asked]["ok"]
    assert rig.answers[asked]["lease_id"] != first
    kinds = rig.kinds()
    assert kinds.index("settle") < len(kinds) - 1 - kinds[::-1].index("reserve")


def test_who_has_given_up_gets_no_beam() -> None:
    rig = Rig()
    first = rig.request()["lease_id"]
    rig.run(0.5, first)
    rig.core.stop_beam(rig.now_s)
    asked = rig.ask()
    rig.core.give_up(asked, rig.now_s)
    rig.run(0.5)
    assert rig.core.lease is None
    wanted = LeaseRequest(sample="cell", seconds=1.0)
    rig.core.request("slow", wanted, rig.now_s)
    lease = rig.core.lease
    assert lease is not None
    rig.core.give_up("slow", rig.now_s)
    rig.core.gate_set(lease.lease_id, True, rig.now_s)
    assert not rig.core.enable


def test_a_gate_that_is_set_too_late_gives_no_beam() -> None:
    rig = Rig()
    rig.core.request("slow", LeaseRequest(sample="cell", seconds=1.0), rig.now_s)
    lease = rig.core.lease
    assert lease is not None
    rig.core.take()
    rig.now_s += 1.0
    rig.core.tick(rig.now_s)
    assert lease.ending is None
    rig.now_s += 0.6
    rig.core.gate_set(lease.lease_id, True, rig.now_s)
    rig.act()
    assert not rig.core.enable
    assert "did not take its gate mode in time" in rig.answers["slow"]["error"]


def test_stop_beam_ends_the_lease_at_once() -> None:
    rig = Rig()
    lease = rig.request()["lease_id"]
    rig.run(0.3, lease)
    rig.core.stop_beam(rig.now_s)
    assert not rig.core.enable
    assert "by hand" in rig.renew(lease)["error"]


def test_a_scan_that_began_before_the_beam_was_stopped_gets_none() -> None:
    rig = Rig()
    seen = rig.core.stops
    rig.core.stop_beam(rig.now_s)
    rig.act()
    assert "scans that had begun get no beam" in rig.core.reason
    refused = rig.request(stops_seen=seen)["error"]
    assert "stopped by hand after this scan had begun; start the scan again" in refused
    rig.kill_guard()
    rig.start_guard()
    assert not rig.request(stops_seen=seen)["ok"], "a guard that was started again still knows"
    assert rig.request(stops_seen=rig.core.stops)["ok"]


def test_who_waited_for_the_lease_that_was_stopped_gets_none() -> None:
    rig = Rig()
    seen = rig.core.stops
    first = rig.request(stops_seen=seen)["lease_id"]
    rig.run(0.3, first)
    rig.core.stop_beam(rig.now_s)
    rig.act()
    asked = rig.ask(stops_seen=seen)
    rig.run(0.5)
    assert "stopped by hand" in rig.answers[asked]["error"]
    assert "reserve" not in rig.kinds()[-2:]


@pytest.mark.parametrize("rises", [True, False])
def test_triggers_must_come_once_they_flow(rises: bool) -> None:
    rig = Rig()
    lease = rig.request(60.0, trigger_deadline_s=0.3)["lease_id"]
    for number in range(20):
        rig.run(0.1, lease)
        rig.core.trigger_count(number + 1, rig.now_s)
    assert rig.renew(lease)["ok"]
    for number in range(5):
        rig.run(0.1, lease)
        if rises:
            rig.core.trigger_count(30 + number, rig.now_s)
    assert rig.renew(lease)["ok"] is rises
    if not rises:
        assert "no trigger came" in rig.renew(lease)["error"]


def test_a_trigger_source_that_goes_away_ends_the_lease() -> None:
    rig = Rig()
    lease = rig.request(60.0, trigger_deadline_s=0.3)["lease_id"]
    rig.run(0.1, lease)
    rig.core.trigger_count(None, rig.now_s)
    assert not rig.core.enable
    rig.run(0.2)
    assert "trigger source is not connected" in rig.request(trigger_deadline_s=1.0)["error"]


@pytest.mark.parametrize("limit", [{"limit_Gy": 10 * RATE_GY_S}, {"limit_s": 10.0}])
def test_the_limit_ends_a_lease_early(limit: dict[str, float]) -> None:
    rig = Rig(**limit)
    rig.run(0.2)
    lease = rig.request(9.5)["lease_id"]
    rig.run(15.0, lease)
    assert 9 * RATE_GY_S < rig.truth_Gy <= rig.dose_Gy() <= 10 * RATE_GY_S * 1.02
    error = rig.renew(lease)["error"]
    assert "limit" in error or "used up" in error


def test_no_more_than_was_asked_for_is_given() -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request(2.0)["lease_id"]
    rig.run(5.0, lease)
    assert rig.truth_Gy < 3.0 * RATE_GY_S
    assert "that it asked for are used up" in rig.renew(lease)["error"]


def test_a_guard_that_is_stopped_takes_the_beam_and_gives_none() -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request()["lease_id"]
    rig.run(0.3, lease)
    rig.core.shut_down(rig.now_s)
    asked = rig.ask()
    rig.monitor_lives = False
    rig.run(0.2)
    assert rig.core.lease is None
    assert "being stopped" in rig.answers[asked]["error"]
    assert "settle" in rig.kinds()
    assert rig.dose_Gy() >= rig.truth_Gy
