"""The lease as a device: its threads against a guard that answers from memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ophyd.status import Status

from voltomo.devices.beam_lease import BeamLease
from voltomo.dose.lease import LeaseLost, LeaseRefused, LeaseRequest, Settlement
from voltomo.model.arming import BeamNeed


class AnsweredLease(BeamLease):
    """The device without its wire: commands are answered here."""

    def __init__(self) -> None:
        super().__init__("NOWHERE:", name="lease")
        self.engine_running = lambda: True
        self.asked: list[str] = []
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "request": lambda _: {"ok": True, "lease_id": "L1"},
            "renew": lambda _: {"ok": True},
            "settle": lambda words: {"ok": True, "settlement": settlement(words["reason"])},
            "status": lambda _: {
                "ok": True,
                "latched": False,
                "seconds_left": 10.0,
                "dose_left_Gy": 5.0,
            },
        }

    def ask(self, op: str, **words: Any) -> dict[str, Any]:
        self.asked.append(op)
        return self.answers[op](words)


def settlement(reason: str) -> dict[str, Any]:
    return Settlement(
        lease_id="L1", sample="cell", open_s=1.0, dose_Gy=2.0, dose_central_Gy=1.9, reason=reason
    ).model_dump()


REQUEST = LeaseRequest(sample="cell", seconds=5.0, purpose="sweep_0")


@pytest.fixture
def lease() -> Iterator[AnsweredLease]:
    made = AnsweredLease()
    yield made
    made.stop()
    made.destroy()


def failure(status: Status) -> BaseException | None:
    error = status.exception(timeout=3.0)
    return error if isinstance(error, BaseException) else None


def test_a_lease_is_renewed_while_it_is_held_and_settled_with_none(lease: AnsweredLease) -> None:
    told: list[Settlement] = []
    lease.on_settlement = told.append
    assert failure(lease.set(REQUEST)) is None
    held = lease.trigger()
    time.sleep(0.45)
    assert lease.held
    assert not held.done
    assert lease.asked.count("renew") >= 2
    assert failure(lease.set(None)) is None
    assert failure(held) is None
    assert not lease.held
    assert [s.reason for s in told] == ["done"]
    renewed = lease.asked.count("renew")
    time.sleep(0.25)
    assert lease.asked.count("renew") <= renewed + 1


def test_what_the_guard_refuses_is_told_in_its_words(lease: AnsweredLease) -> None:
    lease.answers["request"] = lambda _: {"ok": False, "error": "12 s were asked, 3 s fit"}
    error = failure(lease.set(REQUEST))
    assert isinstance(error, LeaseRefused)
    assert "12 s were asked, 3 s fit" in str(error)
    assert not lease.held


@pytest.mark.parametrize("cause", ["engine", "device", "guard"])
def test_a_lost_lease_fails_what_waits_and_is_settled(lease: AnsweredLease, cause: str) -> None:
    told: list[Settlement] = []
    lease.on_settlement = told.append
    assert failure(lease.set(REQUEST)) is None
    held = lease.trigger()
    if cause == "engine":
        lease.engine_running = lambda: False
    elif cause == "device":
        lease.device_lost = lambda: "camera: expected its PVs to answer, saw none"
    else:
        lease.answers["renew"] = lambda _: {"ok": False, "error": "the count stood still"}
    error = failure(held)
    assert isinstance(error, LeaseLost)
    words = {
        "engine": "the RunEngine is not running",
        "device": "camera: expected its PVs",
        "guard": "the count stood still",
    }
    assert words[cause] in str(error)
    end = time.monotonic() + 2
    while not told and time.monotonic() < end:
        time.sleep(0.01)
    assert told[0].reason.startswith("lost: ")
    assert not lease.held


def test_stop_settles_at_once_and_may_come_twice(lease: AnsweredLease) -> None:
    assert failure(lease.set(REQUEST)) is None
    held = lease.trigger()
    lease.stop(success=True)
    assert failure(held) is None, "the engine stops it on purpose: no loss"
    assert not lease.held
    lease.stop()
    assert lease.asked.count("settle") == 1


def test_a_stop_that_is_no_success_is_a_loss(lease: AnsweredLease) -> None:
    assert failure(lease.set(REQUEST)) is None
    held = lease.trigger()
    lease.stop()
    assert isinstance(failure(held), LeaseLost)


def test_giving_back_what_is_not_held_is_no_error(lease: AnsweredLease) -> None:
    assert failure(lease.set(None)) is None
    assert lease.asked == []


def test_nothing_is_held_without_a_lease(lease: AnsweredLease) -> None:
    assert isinstance(failure(lease.trigger()), LeaseLost)


def test_a_second_lease_is_refused(lease: AnsweredLease) -> None:
    assert failure(lease.set(REQUEST)) is None
    assert "no lease to be held" in str(failure(lease.set(REQUEST)))


@pytest.mark.parametrize(
    ("answer", "need_s", "words"),
    [
        ({"ok": False, "error": "unknown sample"}, 1.0, "unknown sample"),
        (
            {"ok": True, "latched": True, "reason": "stop beam", "seconds_left": 9},
            1.0,
            "stop beam",
        ),
        (
            {"ok": True, "latched": False, "seconds_left": 9.0, "dose_left_Gy": 1.0},
            12.5,
            "expected 12.5 s of beam",
        ),
        (
            {"ok": True, "latched": False, "seconds_left": 9.0, "dose_left_Gy": 0.0},
            1.0,
            "0 Gy left",
        ),
    ],
)
def test_a_need_beyond_the_budget_is_refused_before_any_beam(
    lease: AnsweredLease, answer: dict[str, Any], need_s: float, words: str
) -> None:
    lease.answers["status"] = lambda _: answer
    error = failure(lease.prepare(BeamNeed("cell", need_s)))
    assert words in str(error)
    assert "no beam was used" in str(error)


def test_a_need_within_the_budget_passes(lease: AnsweredLease) -> None:
    assert failure(lease.prepare(BeamNeed("cell", 9.0))) is None


def test_without_a_word_on_the_engine_there_is_no_beam(lease: AnsweredLease) -> None:
    lease.engine_running = None
    said = str(failure(lease.set(REQUEST)))
    assert "expected to be told whether the RunEngine runs" in said
    assert "lambda: str(RE.state) == 'running'" in said
    lease.engine_running = lambda: False
    assert "expected a RunEngine that runs" in str(failure(lease.set(REQUEST)))
    assert lease.asked == []
    assert not lease.held


def test_a_plain_lease_begins_without_that_word() -> None:
    lease = BeamLease("NOWHERE:", name="lease")
    assert lease.engine_running is None
    lease.destroy()
