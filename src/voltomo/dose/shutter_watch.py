"""The shutter as its controller tells it: whether beam may pass, and how far to rely on it."""

from __future__ import annotations

from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_words import ShutterState

__all__ = ["GATES", "ShutterWatch"]

GATES = ("Lease", "TriggerWindow")
"""Gate modes of the controller, in the order of its enum."""

_ROUNDING_s = 1e-6


class ShutterWatch:
    """What was read last; None where it is not connected or reads nonsense.

    Parameters
    ----------
    settings : GuardSettings
        The times that every reservation counts on.
    """

    def __init__(self, settings: GuardSettings) -> None:
        self._settings = settings
        self.state: ShutterState | None = None
        self.blade: float | None = None
        self.stale_s: float | None = None
        self.travel_s: float | None = None

    @property
    def open(self) -> bool:
        """Whether beam may pass: always, unless the shutter is read closed.

        In a fault the blade's position says it, where it can be read.
        """
        if self.state is ShutterState.FAULT:
            return self.blade is None or not self.blade <= 0
        return self.state is not ShutterState.CLOSED

    @property
    def slow(self) -> str:
        """Why the controller closes later than every reservation counts on; empty where not."""
        times = (
            ("waits", "for a silent guard", self.stale_s, self._settings.stale_s),
            ("needs", "to close", self.travel_s, self._settings.travel_s),
        )
        for does, what, read_s, counted_s in times:
            if read_s is None:
                return f"how long the shutter's controller {does} {what} is not read"
            if not read_s <= counted_s + _ROUNDING_s:
                return (
                    f"the shutter's controller {does} {read_s:g} s {what}, reservations count on "
                    f"{counted_s:g} s: set the controller or the guard's settings right"
                )
        return ""

    @property
    def unfit(self) -> str:
        """Why no beam can be given now; empty where it can."""
        if self.state is None:
            return "the shutter is not connected; see that its controller runs"
        if self.state is ShutterState.FAULT:
            return "the shutter reads a fault; see to it first"
        if self.open:
            return "the shutter is open without a lease; close it by hand first"
        return self.slow
