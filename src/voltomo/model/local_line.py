"""The line through the last readings: where a quantity is and how fast it changes."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LineEnd:
    """Value and slope at the last reading, with their standard uncertainties.

    ``slope`` is NaN from a single reading, the uncertainties from fewer than three.
    """

    value: float
    slope_per_s: float
    sigma: float
    sigma_slope_per_s: float
    readings: int


class LocalLine:
    """A straight line through the readings of a span, by least squares.

    Parameters
    ----------
    span_s : float
        Readings older than this are forgotten; two are always kept, for the slope.
    """

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._points: deque[tuple[float, float]] = deque()

    def clear(self) -> None:
        """Forget all: what comes now is on another line."""
        self._points.clear()

    def add(self, time_s: float, value: float) -> LineEnd:
        """Take a reading; time must rise.

        Raises
        ------
        ValueError
            Time stands still or steps back.
        """
        if self._points and time_s <= self._points[-1][0]:
            raise ValueError(
                f"expected a reading after {self._points[-1][0]:.3f} s, saw one of {time_s:.3f} s"
            )
        self._points.append((time_s, value))
        while len(self._points) > 2 and self._points[1][0] <= time_s - self._span_s:
            self._points.popleft()
        if self._span_s == 0 or len(self._points) < 3:
            return self._of_two()
        points = np.array(self._points)
        x, y = points[:, 0] - time_s, points[:, 1]
        mean_x, mean_y = float(x.mean()), float(y.mean())
        spread = float(((x - mean_x) ** 2).sum())
        slope = float(((x - mean_x) * (y - mean_y)).sum()) / spread
        end = mean_y - slope * mean_x
        rest = y - end - slope * x
        scatter = math.sqrt(float(rest @ rest) / (x.size - 2))
        sigma_slope = scatter / math.sqrt(spread)
        sigma = math.hypot(scatter / math.sqrt(x.size), sigma_slope * mean_x)
        return LineEnd(end, slope, sigma, sigma_slope, x.size)

    def _of_two(self) -> LineEnd:
        time_s, value = self._points[-1]
        if len(self._points) == 1:
            return LineEnd(value, math.nan, math.nan, math.nan, 1)
        before_s, before = self._points[-2]
        slope = (value - before) / (time_s - before_s)
        return LineEnd(value, slope, math.nan, math.nan, 2)
