"""From the end of an exposure to the slice that holds it, on the worker's own clock."""

from __future__ import annotations

import math
from collections import deque

import numpy as np


class NewsOfTriggers:
    """The trigger hardware's clock against this process's, by how soon edges are heard of.

    No news travels backwards: the shortest time between an edge and the news of it, over the
    last chunks, is taken for none. What is measured so is too short by that shortest time, which
    is a few milliseconds on a local network.
    """

    def __init__(self, chunks: int = 256) -> None:
        self._late_s: deque[float] = deque(maxlen=chunks)

    def heard(self, edge_s: float, now_s: float) -> None:
        """News came now of an edge, the newest that is known."""
        self._late_s.append(now_s - edge_s)

    def here_s(self, trigger_s: float) -> float:
        """A time of the trigger hardware's clock on this process's; NaN before the first news."""
        return trigger_s + min(self._late_s) if self._late_s else math.nan

    def clear(self) -> None:
        """Start anew."""
        self._late_s.clear()


class Latencies:
    """Keeps the last ``size`` latencies and gives their percentiles, in milliseconds."""

    def __init__(self, size: int = 2000) -> None:
        self._values: deque[float] = deque(maxlen=size)

    def add(self, seconds: float) -> None:
        """Take one latency; one that is not known is left out."""
        if not math.isnan(seconds):
            self._values.append(seconds)

    def percentile_ms(self, percent: float) -> float:
        """A percentile in milliseconds; NaN before the first value."""
        return float(np.percentile(list(self._values), percent)) * 1e3 if self._values else math.nan

    def clear(self) -> None:
        """Start anew."""
        self._values.clear()
