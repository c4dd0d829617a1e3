"""Where in the sample the beam went while it was open, as far as the stages tell."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from typing import Any, Literal

from voltomo.dose.beam_place import BeamPlace
from voltomo.dose.guard_settings import GuardSettings

__all__ = ["Axis", "BeamTrack"]

Axis = Literal["rotation_deg", "sample_x_mm", "sample_z_mm"]

_STILL_mm = 1e-3
"""A stage that moved less than this stood."""
_MOST_POINTS = 64
_STALE_s = 1.0


class BeamTrack:
    """Readings of rotation and sample stage; asked for the place of a stretch of beam.

    Parameters
    ----------
    settings : GuardSettings
        Size and place of the beam; without them no place is known, and dose counts everywhere.
    """

    def __init__(self, settings: GuardSettings) -> None:
        self._settings = settings
        self._angles: deque[tuple[float, float]] = deque()
        self._known: dict[Axis, float | None] = {}
        self._moved_s: dict[Axis, float] = {}
        # Where a beamline has no such axis nothing moves along it.
        self._known["sample_z_mm"] = 0.0

    def read(self, axis: Axis, value: float | None, at_s: float) -> None:
        """Take a readback; None where it is not connected."""
        if value is not None and not math.isfinite(value):
            value = None
        if axis == "rotation_deg":
            if value is None:
                self._angles.clear()
            elif not self._angles or at_s > self._angles[-1][0]:
                self._angles.append((at_s, value))
        before = self._known.get(axis)
        if value is None or before is None or abs(value - before) > _STILL_mm:
            self._moved_s[axis] = at_s
        self._known[axis] = value

    def forget_before(self, time_s: float) -> None:
        """Drop angles that no later question needs; the last one before is kept."""
        while len(self._angles) > 1 and self._angles[1][0] <= time_s:
            self._angles.popleft()

    def place(self, from_s: float, to_s: float) -> dict[str, Any] | None:
        """Key ``place`` of an exposure's entry; None where it is not known.

        Parameters
        ----------
        from_s, to_s : float
            UTC, s; the sample stage must have stood from before the first on.
        """
        width_mm, height_mm = self._settings.beam_width_mm, self._settings.beam_height_mm
        if width_mm is None or height_mm is None:
            return None
        shift: list[float] = []
        for axis in ("sample_x_mm", "sample_z_mm"):
            value = self._known.get(axis)
            if value is None or self._moved_s.get(axis, -math.inf) >= from_s:
                return None
            shift.append(value)
        track = self._track(from_s, to_s)
        if not track:
            return None
        own = self._settings
        return BeamPlace(
            width_mm=width_mm,
            height_mm=height_mm,
            peak_over_mean=own.beam_peak_over_mean,
            beam_off_mm=(own.beam_off_mm[0] - shift[0], own.beam_off_mm[1] - shift[1]),
            tilt_deg=own.tilt_deg,
            track=track,
        ).model_dump(mode="json")

    def _track(self, from_s: float, to_s: float) -> tuple[tuple[float, float], ...]:
        """Angles over an interval, a reading before and after it included; thinned."""
        times = [time_s for time_s, _ in self._angles]
        first = max(bisect_right(times, from_s) - 1, 0)
        last = min(bisect_left(times, to_s) + 1, len(times))
        found = list(self._angles)[first:last]
        if not found or found[0][0] > from_s + _STALE_s:
            return ()
        # A readback that is silent stands: records post what changes.
        stride = max(1, math.ceil(len(found) / _MOST_POINTS))
        return (*found[:-1:stride], found[-1])
