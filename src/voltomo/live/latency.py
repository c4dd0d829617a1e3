"""Latency figures over the last frames."""

from __future__ import annotations

from collections import deque

import numpy as np


class Latencies:
    """Keeps the last ``size`` latencies and gives their percentiles, in milliseconds."""

    def __init__(self, size: int = 2000) -> None:
        self._values: deque[float] = deque(maxlen=size)

    def add(self, seconds: float) -> None:
        """Take one latency."""
        self._values.append(seconds)

    def percentile_ms(self, percent: float) -> float:
        """A percentile in milliseconds; 0 before the first value."""
        return float(np.percentile(list(self._values), percent)) * 1e3 if self._values else 0.0

    def clear(self) -> None:
        """Start anew."""
        self._values.clear()
