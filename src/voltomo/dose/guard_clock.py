"""The guard's own time, which never steps, and how the machine's clock stands to it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["SteadyUtc", "boot_id"]

# Stamps from before say that a record has never been processed.
_YEAR_2000_S = 946684800.0
_STEP_s = 0.5
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class SteadyUtc:
    """UTC that never steps: the wall clock at the start, plus monotonic time.

    Parameters
    ----------
    wall_s, monotonic_s : callable
        The machine's clocks.
    """

    def __init__(
        self,
        wall_s: Callable[[], float] = time.time,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall_s, self._monotonic_s = wall_s, monotonic_s
        self._offset_s = wall_s() - monotonic_s()
        self._known_step_s = 0.0

    def now_s(self) -> float:
        """Seconds since 1970-01-01."""
        return self._monotonic_s() + self._offset_s

    def of_stamp(self, stamp_s: float) -> float:
        """Time of a stamp by the wall clock, wherever that clock stands now."""
        if stamp_s < _YEAR_2000_S:
            return self.now_s()
        return stamp_s - self._wall_s() + self.now_s()

    def step_s(self) -> float:
        """How far the wall clock has stepped since the last call; 0 where it has not."""
        off_s = self._wall_s() - self.now_s()
        step_s = off_s - self._known_step_s
        if abs(step_s) < _STEP_s:
            return 0.0
        self._known_step_s = off_s
        return step_s


def boot_id() -> str:
    """Of the machine's present run, within which monotonic times can be compared; else empty."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""
