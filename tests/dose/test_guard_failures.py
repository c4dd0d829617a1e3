"""What breaks: disk, blade, controller, the guard itself. The beam is off in the end."""

from __future__ import annotations

import math

import pytest

from tests.dose.guard_rig import RATE_GY_S, Rig
from voltomo.dose.guard_words import ShutterState


def test_no_beam_without_shutter_or_after_a_latch() -> None:
    rig = Rig()
    rig.core.shutter(None, rig.now_s, rig.now_s)
    assert "shutter is not connected" in rig.request()["error"]
    rig.core.shutter(ShutterState.CLOSED, rig.now_s, rig.now_s)
    lease = rig.request()["lease_id"]
    rig.run(0.3, lease)
    rig.stuck = True
    assert rig.settle(lease)["ok"]
    assert rig.core.state == "Latched"
    assert "told to close and is still open" in rig.core.reason
    assert "without a lease" in rig.core.reason
    assert "latched" in rig.request()["error"]
    rig.core.reset("looked at it")
    assert rig.core.state == "Latched"
    assert "not read closed" in rig.core.reason
    rig.stuck = False
    rig.run(0.1)
    for _ in range(100):
        rig.core.reset("  ")
    assert rig.core.state == "Latched"
    assert rig.core.reason.count("a reset needs a reason") == 1
    rig.core.reset("blade freed")
    assert rig.core.state == "Idle"
    assert rig.core.reason == ""
    assert rig.request()["ok"]
    assert rig.dose_Gy() >= rig.truth_Gy


@pytest.mark.parametrize("open_at_return", [True, False])
def test_a_guard_that_died_charges_its_reservation(open_at_return: bool) -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request(60.0)["lease_id"]
    rig.run(3.0, lease)
    reserved_Gy = rig.disk.ledger().open_leases[lease].reserved_Gy
    rig.kill_guard()
    rig.run(0.2)
    rig.stuck = open_at_return
    rig.run(1.8)
    assert rig.open_part == float(open_at_return)
    rig.start_guard()
    assert "died" in rig.core.reason
    assert rig.renew(lease)["error"].startswith("the lease is lost")
    if open_at_return:
        assert rig.core.state == "Latched"
        assert "the shutter is open without a lease" in rig.core.reason
        assert "latched" in rig.request()["error"]
        rig.stuck = False
        rig.run(0.2)
    else:
        assert rig.core.state == "Idle"
        assert rig.dose_Gy() == reserved_Gy
        assert rig.request()["ok"]
    assert rig.dose_Gy() >= rig.truth_Gy


def test_what_latched_a_guard_keeps_its_successor_latched_until_a_reset() -> None:
    rig = Rig()
    lease = rig.request()["lease_id"]
    rig.run(0.3, lease)
    rig.stuck = True
    assert rig.settle(lease)["ok"]
    rig.stuck = False
    rig.run(0.2)
    for _ in range(2):
        rig.kill_guard()
        rig.run(1.0)
        rig.start_guard()
        assert rig.core.state == "Latched"
        assert "still open" in rig.request()["error"]
    rig.core.reset("blade freed")
    rig.act()
    rig.kill_guard()
    rig.run(1.0)
    rig.start_guard()
    assert rig.core.state == "Idle"
    assert rig.request()["ok"]


def test_without_a_writable_log_the_beam_goes_off_and_the_guard_latches() -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request(60.0)["lease_id"]
    rig.run(0.2, lease)
    rig.disk.full = True
    rig.run(1.5, lease)
    assert not rig.core.enable
    assert rig.open_part == 0
    assert "the exposure log cannot be written (disk full)" in rig.core.reason
    asked = rig.ask()
    assert "latched" in rig.answers[asked]["error"]
    assert "disk full" in rig.answers[asked]["error"]
    rig.core.reset("no idea")
    assert "still cannot be written" in rig.core.reason
    # What the log holds is enough even if the guard dies now.
    assert rig.dose_Gy() >= rig.truth_Gy
    rig.disk.full = False
    rig.run(0.2)
    assert {"exposure", "settle", "latch", "refuse"} <= set(rig.kinds())
    assert rig.truth_Gy <= rig.dose_Gy() <= 1.2 * rig.truth_Gy
    assert rig.core.state == "Latched"
    rig.core.reset("room was made")
    assert rig.request()["ok"]


def test_a_request_while_the_log_cannot_be_written_gets_no_beam() -> None:
    rig = Rig()
    rig.disk.full = True
    asked = rig.ask()
    rig.run(1.0)
    assert "the exposure log cannot be written" in rig.answers[asked]["error"]
    assert rig.truth_Gy == 0
    rig.disk.full = False
    rig.run(0.5)
    assert rig.kinds().count("reserve") == rig.kinds().count("settle") == 1
    assert rig.dose_Gy() == 0


def test_a_beam_of_nobody_is_in_the_log_even_if_the_disk_was_full_meanwhile() -> None:
    rig = Rig()
    rig.run(0.2)
    rig.disk.full = True
    rig.manual = True
    rig.run(1.0)
    rig.manual = False
    rig.run(0.3)
    assert rig.dose_Gy() == 0
    rig.disk.full = False
    rig.run(0.2)
    assert rig.dose_Gy() >= rig.truth_Gy > 0.9 * RATE_GY_S


@pytest.mark.parametrize("seconds", [0.3, 0.45, 5.0])
def test_a_guard_that_was_held_up_never_opens_again_by_itself(seconds: float) -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request(60.0)["lease_id"]
    rig.run(0.5, lease)
    rig.stall(seconds)
    rig.run(0.02)
    lived = rig.renew(lease)["ok"]
    assert lived is (seconds < 0.4)
    if not lived:
        assert "the guard itself was held up" in rig.renew(lease)["error"]
        truth_Gy = rig.truth_Gy
        rig.run(1.0, lease)
        assert rig.truth_Gy <= truth_Gy + 0.05 * RATE_GY_S
    assert rig.core.state != "Latched"
    settlement = rig.settle(lease)["settlement"]
    assert rig.truth_Gy <= settlement["dose_Gy"] <= 2.1 * rig.truth_Gy


def test_a_disk_that_is_always_slow_does_not_keep_a_dead_holders_lease() -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request(60.0)["lease_id"]
    rig.run(0.5, lease)
    for _ in range(4):
        rig.stall(0.3)
    assert not rig.core.enable
    assert "not renewed" in rig.core.reason


@pytest.mark.parametrize(
    ("stale_s", "travel_s", "lost", "refused"),
    [
        (5.0, 0.015, "waits 5 s for a silent guard", "reservations count on 0.5 s"),
        (0.5, 0.2, "needs 0.2 s to close", "reservations count on 0.015 s"),
        (None, 0.015, "not connected any more", "waits for a silent guard is not read"),
        (0.5, None, "not connected any more", "needs to close is not read"),
        (math.nan, 0.015, "waits nan s", "waits nan s"),
    ],
)
def test_a_controller_slower_than_reservations_count_on_gets_no_beam(
    stale_s: float | None, travel_s: float | None, lost: str, refused: str
) -> None:
    rig = Rig()
    lease = rig.request()["lease_id"]
    rig.run(0.2, lease)
    rig.core.travel_time(travel_s, rig.now_s)
    rig.core.stale_time(stale_s, rig.now_s)
    assert not rig.core.enable
    assert lost in rig.core.reason
    rig.run(0.5)
    assert refused in rig.request()["error"]


def test_a_gate_mode_that_somebody_changes_ends_the_lease() -> None:
    rig = Rig()
    lease = rig.request(gate="trigger_window")["lease_id"]
    rig.core.gate_mode(1, rig.now_s)
    rig.core.gate_mode(None, rig.now_s)
    assert rig.renew(lease)["ok"]
    rig.core.gate_mode(0, rig.now_s)
    assert not rig.core.enable
    assert "gate mode" in rig.core.reason


def test_a_shutter_that_goes_away_ends_the_lease_and_counts_on() -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request()["lease_id"]
    rig.run(0.5, lease)
    rig.core.shutter(None, rig.now_s, rig.now_s)
    assert not rig.core.enable
    assert "the shutter is not connected any more" in rig.renew(lease)["error"]
    rig.stuck = True
    rig.run(2.0)
    assert "not connected" in rig.request()["error"]
    assert rig.core.status("cell", rig.now_s)["dose_Gy"] >= rig.truth_Gy
