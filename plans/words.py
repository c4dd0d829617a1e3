"""Errors of plans, in sentences for the person on shift."""

from __future__ import annotations

from bluesky.utils import FailedPause, RunEngineControlException

from voltomo.model.sentence import SentenceError

INTERRUPTIONS = (RunEngineControlException, FailedPause)
"""What the engine throws into a plan that a person stops, aborts, or pauses where it cannot."""

CLOSED = "Closed"
"""What a closed shutter reads."""


class ScanRefused(SentenceError):
    """The scan cannot be run as asked; no beam was used."""


class ScanFailed(SentenceError):
    """The scan was ended; the message says by what, and what was made safe."""


def root_of(error: BaseException) -> BaseException:
    """The error that all others came of."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def innermost(error: BaseException) -> str:
    """The sentence at the root of an error: a device's own words where there are any."""
    cause = root_of(error)
    return str(cause) or type(cause).__name__
