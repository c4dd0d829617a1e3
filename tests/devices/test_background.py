"""Works of one device: one after the other, and the newest has the last word."""

from __future__ import annotations

import threading
import time

import pytest

from voltomo.devices.background import GivenUp, Turns, demand_wanted, in_background, wait_until


def test_what_is_asked_for_last_comes_last_whatever_became_of_the_status_before() -> None:
    turns, done = Turns(), []
    begun = threading.Event()

    def arm(give_up: threading.Event) -> None:
        demand_wanted(give_up, "camera")
        done.append("open the file")
        begun.set()
        # A put that hangs for longer than the status waits.
        wait_until(lambda: False, 5.0, lambda: TimeoutError("never"), give_up)
        demand_wanted(give_up, "camera")
        done.append("acquire")

    give_up = turns.next()
    arming = in_background(
        "camera arm",
        lambda: turns.take(lambda: arm(give_up), undo=lambda: done.append("undone")),
        0.05,
    )
    assert begun.wait(5)
    with pytest.raises(Exception, match="to be done within"):
        arming.wait(5)
    turns.next()
    closing = in_background("camera close", lambda: turns.take(lambda: done.append("close")), 10)
    closing.wait(10)
    assert done == ["open the file", "undone", "close"]


def test_a_work_that_has_not_begun_when_another_is_asked_for_does_nothing() -> None:
    turns, done = Turns(), []
    give_up = turns.next()
    turns.next()
    turns.take(lambda: done.append("close"))

    def arm() -> None:
        demand_wanted(give_up, "camera")
        done.append("acquire")

    with pytest.raises(GivenUp, match="camera: the step was given up"):
        turns.take(arm)
    assert done == ["close"]


def test_the_first_error_counts_and_not_that_of_the_undoing() -> None:
    def fail() -> None:
        raise ValueError("the file exists")

    def undo() -> None:
        raise TimeoutError("the camera is away")

    with pytest.raises(ValueError, match="the file exists"):
        Turns().take(fail, undo)


def test_works_do_not_overlap() -> None:
    turns, inside, most = Turns(), [0], [0]

    def work() -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        time.sleep(0.02)
        inside[0] -= 1

    statuses = [in_background("w", lambda: turns.take(work), 10) for _ in range(5)]
    for status in statuses:
        status.wait(10)
    assert most == [1]
