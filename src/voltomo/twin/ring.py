"""The current of the twin's storage ring over time: decay, top-up, dumps. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

NEVER_S = -1.0
"""Seconds to the next top-up where there is none."""


@dataclass(frozen=True)
class Dump:
    """The beam is lost at ``at_s`` and comes back, filled up, after ``off_s`` (0: not at all)."""

    at_s: float
    off_s: float = 0.0


@dataclass(frozen=True)
class Ring:
    """Ring current in mA as a function of world time.

    Between fills it decays exponentially; every ``top_up_period_s`` it is filled up to
    ``full_mA`` within ``fill_s``. A dump takes all of it within ``dump_s``.

    Parameters
    ----------
    full_mA : float
        After a fill, and at world time 0.
    lifetime_s : float
        Time in which it falls to 1/e.
    top_up_period_s : float or None
        None: it only decays.
    fill_s, dump_s : float
        How long a fill and a loss take.
    dumps : sequence of Dump
        Losses, oldest first.
    """

    full_mA: float
    lifetime_s: float
    top_up_period_s: float | None = None
    fill_s: float = 2.0
    dump_s: float = 0.02
    dumps: Sequence[Dump] = ()

    def current_mA(self, time_s: float) -> float:
        """Current at a world time ≥ 0."""
        dump = self._last_dump(time_s)
        if dump is None:
            return self._undisturbed_mA(time_s, 0.0)
        lost = (time_s - dump.at_s) / self.dump_s
        if lost < 1:
            earlier = [other for other in self.dumps if other.at_s < dump.at_s]
            before = Ring(**{**self.__dict__, "dumps": earlier})
            return before.current_mA(dump.at_s) * (1 - lost)
        back_s = self._back_s(dump)
        if time_s < back_s:
            return 0.0
        if time_s < back_s + self.fill_s:
            return self.full_mA * (time_s - back_s) / self.fill_s
        return self._undisturbed_mA(time_s, back_s + self.fill_s)

    def next_top_up_s(self, time_s: float) -> float:
        """Seconds until the next fill begins; `NEVER_S` where none is planned."""
        dump = self._last_dump(time_s)
        if dump is not None and time_s < self._back_s(dump):
            back_s = self._back_s(dump)
            return NEVER_S if math.isinf(back_s) else back_s - time_s
        if self.top_up_period_s is None:
            return NEVER_S
        return self.top_up_period_s - time_s % self.top_up_period_s

    def filling(self, time_s: float) -> bool:
        """Whether a fill is under way."""
        dump = self._last_dump(time_s)
        if dump is not None and 0 <= time_s - self._back_s(dump) < self.fill_s:
            return True
        period_s = self.top_up_period_s
        return (
            period_s is not None
            and time_s >= period_s
            and time_s % period_s < self.fill_s
            and self.current_mA(time_s) > 0
        )

    def breaks_s(self, start_s: float, end_s: float) -> list[float]:
        """World times between these two at which the curve has a corner, ascending."""
        found: set[float] = set()
        for dump in self.dumps:
            back_s = self._back_s(dump)
            found |= {dump.at_s, dump.at_s + self.dump_s, back_s, back_s + self.fill_s}
        period_s = self.top_up_period_s
        if period_s is not None:
            for number in range(int(start_s // period_s), int(end_s // period_s) + 1):
                found |= {number * period_s, number * period_s + self.fill_s}
        return sorted(time_s for time_s in found if start_s < time_s < end_s)

    def _last_dump(self, time_s: float) -> Dump | None:
        return next((dump for dump in reversed(self.dumps) if dump.at_s <= time_s), None)

    def _back_s(self, dump: Dump) -> float:
        return dump.at_s + max(dump.off_s, self.dump_s) if dump.off_s > 0 else math.inf

    def _undisturbed_mA(self, time_s: float, full_s: float) -> float:
        """Decay and top-up, with the ring full at ``full_s``."""
        period_s = self.top_up_period_s
        if period_s is None or time_s // period_s * period_s <= full_s:
            return self.full_mA * math.exp(-(time_s - full_s) / self.lifetime_s)
        fill_began_s = time_s // period_s * period_s
        since_s = time_s - fill_began_s
        if since_s >= self.fill_s:
            return self.full_mA * math.exp(-(since_s - self.fill_s) / self.lifetime_s)
        # The fill before this one ended a period ago, unless a dump did it later.
        filled_s = max(full_s, fill_began_s - period_s + self.fill_s)
        if fill_began_s <= period_s:
            filled_s = full_s
        low_mA = self.full_mA * math.exp(-(fill_began_s - filled_s) / self.lifetime_s)
        return low_mA + (self.full_mA - low_mA) * since_s / self.fill_s
