"""Somebody dies or stands still: holder, guard, controller. The beam closes, the log is enough."""

from __future__ import annotations

import signal
import time

import pytest

from tests.dose.guard_bench import GuardBench, Remote

pytestmark = [pytest.mark.twin, pytest.mark.kill]

STALE_S, TRAVEL_S = 0.5, 0.015
# A counter is up to one late beat old, and the machine has other things to do.
LATE_S = 0.15


def test_a_killed_holder_loses_the_beam_within_a_second(bench: GuardBench, client: Remote) -> None:
    holder = bench.remote()
    lease = holder.take()
    bench.wait_open()
    time.sleep(0.5)
    killed_s = bench.world.now_s()
    holder.kill()
    bench.wait_closed(killed_s, 1.0)
    bench.wait(lambda: "not renewed for 0.5 s" in client.get("Guard:Reason"), 2)
    bench.wait(lambda: bench.of_lease(lease)[-1].kind == "settle", 2)
    kinds = [entry.kind for entry in bench.of_lease(lease)]
    assert kinds[-3:] == ["lost", "exposure", "settle"]
    bench.assert_logged()


def test_a_stopped_guard_closes_and_never_opens_again_by_itself(
    bench: GuardBench, client: Remote
) -> None:
    lease = client.take()
    bench.wait_open()
    time.sleep(0.5)
    stopped_s = bench.signal("guard", signal.SIGSTOP)
    bench.wait_closed(stopped_s, STALE_S + TRAVEL_S + LATE_S)
    time.sleep(1.0)
    went_on_s = bench.signal("guard", signal.SIGCONT)
    # The holder has never ceased to renew.
    time.sleep(1.0)
    assert bench.intervals(went_on_s) == []
    assert "the guard itself was held up" in client.ask("renew", lease_id=lease)["error"]
    settlement = client.give_back(lease)
    assert "held up" in settlement["reason"]
    assert settlement["dose_Gy"] >= bench.truth_Gy(stopped_s)
    assert client.get("Guard:State") == 0
    bench.assert_logged()
    assert client.try_beam()


def test_a_killed_guard_closes_and_its_reservation_is_charged_in_full(
    bench: GuardBench, client: Remote
) -> None:
    lease = client.take()
    bench.wait_open()
    time.sleep(1.0)
    killed_s = bench.world.now_s()
    bench.kill("guard")
    bench.wait_closed(killed_s, STALE_S + TRAVEL_S + LATE_S)
    bench.assert_logged()
    reserved_Gy = max(entry.data["reserved_Gy"] for entry in bench.of_lease(lease))
    before_Gy = bench.account().dose_Gy
    bench.start_guard()
    late = bench.remote()
    assert "died while a lease was open" in late.get("Guard:Reason")
    assert bench.entries("start")[-1].data["charged"] == [lease]
    exposure, settle = bench.of_lease(lease)[-2:]
    assert (exposure.kind, settle.kind) == ("exposure", "settle")
    charged = [e.data["dose_Gy"] for e in bench.of_lease(lease) if e.kind == "exposure"]
    assert sum(charged) == pytest.approx(reserved_Gy)
    assert settle.data["dose_Gy"] == pytest.approx(reserved_Gy)
    assert "charged in full" in settle.data["stamp"]
    assert bench.account().dose_Gy == pytest.approx(before_Gy)
    bench.assert_logged()
    assert "never gave that one" in late.ask("renew", lease_id=lease)["error"]
    second = late.take()
    bench.wait_open()
    late.give_back(second)


def test_a_guard_that_finds_the_shutter_open_after_its_death_says_both(bench: GuardBench) -> None:
    client = bench.remote()
    lease = client.take()
    bench.wait_open()
    bench.kill("guard")
    client.put("Shutter:Manual", 1, wait=True)
    time.sleep(1.0)
    bench.start_guard()
    late = bench.remote()
    bench.wait(lambda: late.get("Guard:State") == 2, 10)
    bench.wait(lambda: "without a lease" in late.get("Guard:Reason"), 2)
    assert "it died while a lease was open" in late.get("Guard:Reason")
    assert bench.entries("start")[-1].data["charged"] == [lease]
    assert "latched" in late.request()["error"]
    late.put("Guard:Reset", "let me go on", wait=True)
    bench.wait(lambda: "not reset: the shutter is not read closed" in late.get("Guard:Reason"), 2)
    late.put("Shutter:Manual", 0, wait=True)
    bench.wait(lambda: bench.open_part == 0, 2)
    bench.wait(lambda: "was open without a lease for" in late.get("Guard:Reason"), 3)
    bench.assert_logged()
    late.put("Guard:Reset", "closed by hand", wait=True)
    assert bench.entries("reset")[-1].data["reason"] == "closed by hand"
    assert late.try_beam()


def test_a_guard_that_is_told_to_end_settles_first(bench: GuardBench) -> None:
    client = bench.remote()
    lease = client.take()
    bench.wait_open()
    asked_s = bench.world.now_s()
    assert bench.end("guard") == 0
    bench.wait_closed(asked_s, 0.4)
    kinds = [entry.kind for entry in bench.entries()]
    assert kinds[-1] == "stop"
    assert "the guard was stopped" in bench.of_lease(lease)[-1].data["reason"]
    bench.assert_logged()
    bench.start_guard()


def test_a_killed_controller_ends_the_lease_and_a_new_one_may_have_beam(bench: GuardBench) -> None:
    client = bench.remote()
    lease = client.take()
    bench.wait_open()
    killed_s = bench.world.now_s()
    bench.kill("shutter")
    bench.wait_closed(killed_s, 1.0)
    bench.wait(lambda: not client.ask("renew", lease_id=lease)["ok"], 2)
    assert "shutter is not connected" in client.ask("renew", lease_id=lease)["error"]
    assert client.give_back(lease)["reason"] == "the shutter is not connected any more"
    assert "shutter is not connected" in client.request()["error"]
    # Nobody reads it closed: it counts as open until somebody does.
    bench.wait(lambda: "without a lease" in client.get("Guard:Reason"), 2)
    bench.start("shutter")
    bench.wait(lambda: client.try_beam(), 20)
    bench.assert_logged()
