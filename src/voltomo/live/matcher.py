"""Matching frames to triggers while both still arrive.

The rule is that of `voltomo.model.frame_table`; here it is applied frame by frame, and what cannot
be decided yet waits. What never can be is left to the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from voltomo.model.clock import ClockMap
from voltomo.model.frame_table import WINDOW_OF_PERIOD
from voltomo.model.scan_spec import Block
from voltomo.model.trigger_source import TriggerChunk

Payload = TypeVar("Payload")

_REFIT_EVERY = 32
_PAIRS = 1024
_WAITING = 512
_PAUSE_OF_PERIOD = 1.5


@dataclass(frozen=True)
class _Waiting(Generic[Payload]):
    stamp_s: float
    payload: Payload


class Matcher(Generic[Payload]):
    """Pairs stamped frames with latched triggers of one scan.

    Parameters
    ----------
    blocks : sequence of Block
        All triggers of the scan; the first block is the priming train.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        total = self.blocks[-1].last
        self.time_s = np.full(total, np.nan)
        self.angle_deg = np.full(total, np.nan)
        self.taken = np.zeros(total, dtype=bool)
        self.clock: ClockMap | None = None
        self._period_s = np.concatenate([np.full(b.count, b.period_s) for b in self.blocks])
        self._waiting: list[_Waiting[Payload]] = []
        self._pairs: list[tuple[float, float]] = []
        self._since_fit = 0
        self.latched = 0

    def latch(self, chunk: TriggerChunk) -> None:
        """Take latches; repeats and indices beyond the scan are ignored."""
        last = min(chunk.last, self.time_s.size)
        count = last - chunk.first
        if count <= 0:
            return
        self.time_s[chunk.first : last] = chunk.time_s[:count]
        self.angle_deg[chunk.first : last] = chunk.angle_deg[:count]
        self.latched = max(self.latched, last)

    def frame(self, stamp_s: float, payload: Payload) -> None:
        """Take a frame with its stamp on the camera's clock."""
        self._waiting.append(_Waiting(stamp_s, payload))
        if len(self._waiting) > _WAITING:
            del self._waiting[0]

    def matched(self) -> list[tuple[int, Payload]]:
        """Frames whose trigger is known by now, each once, with the trigger's index."""
        if self.clock is None and not self._prime():
            return []
        clock = self.clock
        if clock is None:
            return []
        found: list[tuple[int, Payload]] = []
        later: list[_Waiting[Payload]] = []
        known_until = self._known_until_s()
        for waiting in self._waiting:
            time_s = float(clock.to_reference(waiting.stamp_s))
            index = self._nearest(time_s)
            if index is not None:
                if not self.taken[index]:
                    self.taken[index] = True
                    found.append((index, waiting.payload))
                    self._learn(waiting.stamp_s, float(self.time_s[index]))
            elif time_s > known_until:
                later.append(waiting)
        self._waiting = later
        return found

    def _prime(self) -> bool:
        """Fix the clock by the priming train, which stands alone: a pause lies on both sides."""
        priming = self.blocks[0]
        pulses = self.time_s[priming.first : priming.last]
        if np.isnan(pulses).any() or self.latched <= priming.last:
            return False
        pause_s = _PAUSE_OF_PERIOD * priming.period_s
        if self.time_s[priming.last] - pulses[-1] < pause_s:
            return False
        stamps = np.unique([waiting.stamp_s for waiting in self._waiting])
        ends = np.flatnonzero(np.diff(stamps, append=np.inf) >= pause_s)
        start = 0
        for end in ends:
            train = stamps[start : end + 1]
            if train.size == priming.count:
                clock = ClockMap.fit(train, pulses)
                apart = np.abs(clock.to_reference(train) - pulses).max()
                if apart <= WINDOW_OF_PERIOD * priming.period_s and abs(clock.skew) < 1e-2:
                    self.clock = clock
                    self._waiting = [w for w in self._waiting if w.stamp_s >= train[0]]
                    return True
            start = end + 1
        return False

    def adopt(self, clock: ClockMap) -> None:
        """Use a map that was found otherwise (from the file, after a restart)."""
        self.clock = clock

    def _known_until_s(self) -> float:
        known = self.time_s[: self.latched]
        known = known[~np.isnan(known)]
        return float(known[-1]) if known.size else -np.inf

    def _nearest(self, time_s: float) -> int | None:
        times = self.time_s[: self.latched]
        known = np.flatnonzero(~np.isnan(times))
        if known.size == 0:
            return None
        place = int(np.searchsorted(times[known], time_s))
        for candidate in (place - 1, place):
            if 0 <= candidate < known.size:
                index = int(known[candidate])
                if abs(time_s - times[index]) <= WINDOW_OF_PERIOD * self._period_s[index]:
                    return index
        return None

    def _learn(self, stamp_s: float, time_s: float) -> None:
        """Follow the camera's clock by what was matched."""
        self._pairs.append((stamp_s, time_s))
        if len(self._pairs) > _PAIRS:
            self._pairs = self._pairs[::2]
        self._since_fit += 1
        if self._since_fit >= _REFIT_EVERY and len(self._pairs) >= _REFIT_EVERY:
            self._since_fit = 0
            pairs = np.array(self._pairs)
            self.clock = ClockMap.fit(pairs[:, 0], pairs[:, 1])
