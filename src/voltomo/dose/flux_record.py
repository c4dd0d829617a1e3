"""From readings of a flux monitor to the fluence between two times, never too little."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.monitor_scale import MonitorScale

__all__ = ["Fluence", "FluxRecord"]


@dataclass(frozen=True)
class Fluence:
    """Photons per cm2 over an interval: a bound that holds, the best estimate, and any doubt.

    ``doubt`` is empty where the monitor could be believed throughout.
    """

    bound_per_cm2: float
    central_per_cm2: float
    doubt: str = ""


class FluxRecord:
    """Readings of the monitor, as far as they can be believed.

    A reading holds until the next, both to the larger of the two; longer than ``monitor_stale_s``
    it does not hold, and the declared upper bound takes its place. A reading that is not a number,
    not positive, saturated, or exactly the one before (a live monitor has noise) is none. So a time
    is known once a reading has overtaken it: what the last reading says of the time after it may be
    wrong. No flux is believed only where something else says so, too.

    Parameters
    ----------
    settings : GuardSettings
        Calibration, its uncertainty, and the declared upper bound.
    """

    def __init__(self, settings: GuardSettings) -> None:
        self._settings = settings
        self.scale = MonitorScale(settings)
        self._uncertainty = settings.flux_uncertainty
        self._time_s: list[float] = []
        self._flux: list[float] = []
        self._last_counts: float | None = None
        self._doubt = "the flux monitor has not been read"

    def add(self, counts: float | None, at_s: float, *, dark: bool = False) -> None:
        """Take a reading.

        Parameters
        ----------
        counts : float or None
            Counts a second; None where the monitor is not connected.
        at_s : float
            When it was read, UTC, s.
        dark : bool
            Whether something else, ring current say, agrees that there is no beam.
        """
        full, scale = self._settings.monitor_saturates_counts_s, self.scale.at(at_s)
        if counts is None:
            self._doubt = "the flux monitor is not connected"
        elif dark and abs(counts) <= self._settings.monitor_dark_counts_s:
            if not self._time_s or at_s > self._time_s[-1]:
                self._time_s.append(at_s)
                self._flux.append(0.0)
        elif full is not None and counts >= full:
            self._doubt = f"the flux monitor is saturated at {counts:g}"
        elif not math.isfinite(counts * scale.per_count) or counts <= 0:
            self._doubt = f"the flux monitor reads {counts:g}"
        elif counts == self._last_counts:
            self._doubt = f"the flux monitor is frozen at {counts:g}"
        elif scale.doubt:
            self._doubt = scale.doubt
        elif not self._time_s or at_s > self._time_s[-1]:
            self._doubt = "the flux monitor is silent"
            self._time_s.append(at_s)
            self._flux.append(counts * scale.per_count)
            self._uncertainty = scale.uncertainty
        self._last_counts = counts

    def forget_before(self, time_s: float) -> None:
        """Drop readings that no later question can need."""
        first = bisect_left(self._time_s, time_s - self._settings.monitor_stale_s) - 1
        if first > 0:
            del self._time_s[:first], self._flux[:first]

    def known(self, time_s: float, now_s: float) -> bool:
        """Whether a later reading can no longer change the fluence up to a time."""
        overtaken = bool(self._time_s) and self._time_s[-1] >= time_s
        return overtaken or now_s - time_s > self._settings.monitor_stale_s

    def doubt(self, now_s: float) -> str:
        """Why the monitor cannot be believed now; empty where it can."""
        if self._time_s and now_s - self._time_s[-1] <= self._settings.monitor_stale_s:
            return ""
        return self._doubt

    def beyond(self, now_s: float) -> str:
        """Whether more is read than was declared possible; empty where not."""
        declared = self._settings.flux_upper_bound_per_cm2_s
        if self.doubt(now_s) or self._flux[-1] <= declared:
            return ""
        return (
            f"the flux is read as {self._flux[-1]:.3g}/(cm2 s), and at most {declared:.3g}/(cm2 s) "
            "were declared: one of them is wrongly scaled; the higher one counts"
        )

    def bound_per_cm2_s(self, now_s: float) -> float:
        """Flux density at the sample now, at most."""
        if self.doubt(now_s):
            return self._bound(self._flux[-1] if self._flux else 0.0, believed=False)
        return self._bound(self._flux[-1], believed=True)

    def _bound(self, flux: float, *, believed: bool) -> float:
        measured = flux * (1 + self._uncertainty)
        return measured if believed else max(measured, self._settings.flux_upper_bound_per_cm2_s)

    def readings(self, from_s: float, to_s: float, at_most: int = 256) -> list[list[float]]:
        """Pairs of time and flux density in an interval, thinned to a bounded number."""
        first, last = bisect_left(self._time_s, from_s), bisect_right(self._time_s, to_s)
        stride = max(1, math.ceil((last - first) / at_most))
        return [[self._time_s[k], self._flux[k]] for k in range(first, last, stride)]

    def fluence(self, from_s: float, to_s: float, *, final: bool = False) -> Fluence:
        """Photons per cm2 between two times at the sample, beam open throughout.

        Parameters
        ----------
        from_s, to_s : float
            UTC, s.
        final : bool
            Whether no reading will follow that could bear the last one out; without it the last
            one is believed for a while.
        """
        if to_s <= from_s:
            return Fluence(0.0, 0.0)
        bound = central = 0.0
        doubted = False
        first = max(bisect_right(self._time_s, from_s) - 1, -1)
        for k in range(first, len(self._time_s)):
            start = max(from_s, self._time_s[k] if k >= 0 else -math.inf)
            end = min(to_s, self._time_s[k + 1] if k + 1 < len(self._time_s) else math.inf)
            if end <= start:
                if start >= to_s:
                    break
                continue
            part_bound, part_central, believed = self._between(k, end, final)
            bound += part_bound * (end - start)
            central += part_central * (end - start)
            doubted |= not believed
        doubt = ""
        if doubted:
            limit = self._settings.flux_upper_bound_per_cm2_s
            doubt = f"{self._doubt}; the declared upper bound of {limit:.3g}/(cm2 s) counts"
        return Fluence(bound, central, doubt)

    def _between(self, k: int, end_s: float, final: bool) -> tuple[float, float, bool]:
        """Bound and estimate of the flux density between readings k and k + 1."""
        if k < 0:
            upper = self._settings.flux_upper_bound_per_cm2_s
            return upper, upper, False
        before = self._flux[k]
        following = k + 1 < len(self._flux)
        until = self._time_s[k + 1] if following else end_s
        after = self._flux[k + 1] if following else before
        believed = until - self._time_s[k] <= self._settings.monitor_stale_s
        believed = believed and (following or not final)
        central = (before + after) / 2 if believed else before
        return self._bound(max(before, after), believed=believed), central, believed
