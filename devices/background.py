"""Work that takes several puts and waits, in a thread of its own, seen as an ophyd status."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ophyd.status import Status

from voltomo.devices.faults import DeviceFault, fault

log = logging.getLogger(__name__)

_POLL_S = 0.01


class GivenUp(DeviceFault):
    """A step was not taken, since something later has been asked of the device."""


class Turns:
    """Lets the works of one device come one after the other, and old ones give way to new ones.

    A status may fail, by its time-out or because another device of its group failed, while the
    work behind it goes on. What is asked for next asks it to give up, and begins when it has
    ended: so nothing is armed after it was disarmed.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.give_up = threading.Event()
        """Set when the latest work is asked to give up; each work looks at its own."""

    def next(self) -> threading.Event:
        """Ask what works to give up; by the event the new work will be asked in its turn."""
        self.give_up.set()
        self.give_up = threading.Event()
        return self.give_up

    def take(self, work: Callable[[], object], undo: Callable[[], object] | None = None) -> None:
        """Work, once all earlier works have ended; should it fail, undo what it did."""
        with self._lock:
            try:
                work()
            except Exception:
                if undo is not None:
                    _quietly(undo)
                raise


def _quietly(undo: Callable[[], object]) -> None:
    try:
        undo()
    except Exception as error:  # noqa: BLE001
        # What failed first is the error that counts.
        log.warning("a step that failed could not be undone: %s", error)


def demand_wanted(give_up: threading.Event, name: str) -> None:
    """Refuse the next step where something later has been asked for.

    Raises
    ------
    GivenUp
        It has.
    """
    if give_up.is_set():
        raise GivenUp(f"{name}: the step was given up, since something else was asked for")


def in_background(name: str, work: Callable[[], object], timeout_s: float) -> Status:
    """Start ``work`` in a thread that shares the Channel Access context.

    Parameters
    ----------
    name : str
        Device and action, for the thread's name and the sentence of a time-out.
    work : callable
        Must end by itself; its exception becomes that of the status.
    timeout_s : float
        After this long the status fails, whatever the thread does.
    """
    # Not before ophyd, which says where libca is.
    from epics.ca import CAThread

    status = Status(timeout=None)

    def overdue() -> None:
        late = fault(name, f"to be done within {timeout_s:.1f} s", "no end of it")
        finish(status, late)

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001
            # It is not lost: it is the outcome of the status.
            finish(status, error)
        else:
            finish(status)
        finally:
            timer.cancel()

    timer = threading.Timer(timeout_s, overdue)
    timer.daemon = True
    timer.start()
    CAThread(target=run, name=name, daemon=True).start()
    return status


def finish(status: Status, error: Exception | None = None) -> bool:
    """End a status if it has not ended; returns whether this call ended it."""
    with status._lock:
        if status.done or status._externally_initiated_completion:
            return False
        if error is None:
            status.set_finished()
        else:
            status.set_exception(error)
        return True


def wait_until(
    reached: Callable[[], bool],
    timeout_s: float,
    complaint: Callable[[], Exception],
    stop: threading.Event | None = None,
) -> None:
    """Wait in a background thread until something holds.

    Parameters
    ----------
    reached : callable
        Whether it holds.
    timeout_s : float
        How long to wait.
    complaint : callable
        Makes the exception that is raised when it does not hold in time.
    stop : threading.Event, optional
        Ends the waiting without complaint.
    """
    end_s = time.monotonic() + timeout_s
    while not reached():
        if stop is not None and stop.wait(_POLL_S):
            return
        if time.monotonic() > end_s:
            raise complaint()
        if stop is None:
            time.sleep(_POLL_S)


def put(signal: Any, value: object, timeout_s: float = 3.0) -> None:
    """Write and wait for completion; a signal that is away is not waited for.

    Raises
    ------
    DeviceFault
        The signal is disconnected.
    """
    if not signal.connected:
        raise fault(signal.name, f"to be set to {value!r}", "it disconnected")
    signal.put(value, wait=True, timeout=timeout_s)


def put_and_confirm(signal: Any, value: object, *, timeout_s: float = 3.0) -> None:
    """Write a setting and read it back until it is what was written.

    Enumerations are written and compared by their words.

    Raises
    ------
    DeviceFault
        The readback stayed different.
    """
    put(signal, value, timeout_s)
    seen: list[object] = [None]

    def same() -> bool:
        as_text = isinstance(value, str)
        seen[0] = signal.get(use_monitor=False, **({"as_string": True} if as_text else {}))
        if isinstance(value, float):
            return abs(float(str(seen[0])) - value) <= 1e-6 * max(1.0, abs(value))
        return seen[0] == value

    wait_until(same, timeout_s, lambda: fault(signal.name, repr(value), repr(seen[0])))
