"""Matching frames to triggers while both still arrive.

The rule is that of `voltomo.model.frame_table`; here it is applied as frames come, and what cannot
be decided yet waits. What never can be is left to the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from voltomo.model.clock import ClockMap
from voltomo.model.frame_table import WINDOW_OF_PERIOD
from voltomo.model.scan_spec import Block
from voltomo.model.trigger_source import TriggerChunk

Payload = TypeVar("Payload")

_REFIT_EVERY = 32
_PAIRS = 1024
_WAITING = 4096
_PAUSE_OF_PERIOD = 1.5
_PAUSE_TO_REFIT_S = 0.5
_LARGEST_SKEW = 1e-2


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
        self._since_s = np.full(total, -np.inf)
        self.clock: ClockMap | None = None
        self.latched = 0
        self._window_s = WINDOW_OF_PERIOD * np.concatenate(
            [np.full(block.count, block.period_s) for block in self.blocks]
        )
        self._known: NDArray[np.intp] = np.empty(0, dtype=np.intp)
        self._waiting: list[_Waiting[Payload]] = []
        self._pairs: list[tuple[float, float]] = []
        self._since_fit = 0
        # The priming train fixes a clock; of one that was given, so few pairs tell nothing.
        self._fewest = self.blocks[0].count

    def latch(self, chunk: TriggerChunk) -> list[Block]:
        """Take latches; repeats are welcome, indices beyond the scan are ignored.

        Latches that contradict earlier ones are of a block that is taken again, or show that those
        were of another scan (the trigger source had not been reset yet). The later ones hold: the
        earlier ones of the block are forgotten, and of all blocks where the first is begun again.

        Returns
        -------
        list of Block
            Blocks that were begun anew.
        """
        first, last = chunk.first, min(chunk.last, self.time_s.size)
        count = last - first
        if count <= 0 or first < 0:
            return []
        new = np.asarray(chunk.time_s[:count], dtype=np.float64)
        old = self.time_s[first:last]
        other = np.abs(new - old) > self._window_s[first:last]
        if bool(np.any(new < self._since_s[first:last]) or np.any(other & (new < old))):
            # News of a take that was cut short, after those of the next one.
            return []
        again = self._begun_anew(first + np.flatnonzero(other))
        for block in again:
            self.time_s[block.first : block.last] = np.nan
            self.angle_deg[block.first : block.last] = np.nan
            self.taken[block.first : block.last] = False
            self._since_s[block.first : block.last] = new.min() - self._window_s[first]
        self.time_s[first:last] = new
        self.angle_deg[first:last] = chunk.angle_deg[:count]
        known = np.flatnonzero(~np.isnan(self.time_s))
        self.latched = int(known[-1]) + 1
        self._known = known[np.argsort(self.time_s[known], kind="stable")]
        return again

    def _begun_anew(self, index: NDArray[np.intp]) -> list[Block]:
        """The blocks of these triggers; all of them with the first, which a scan begins with."""
        again = [b for b in self.blocks if np.any((index >= b.first) & (index < b.last))]
        return list(self.blocks) if self.blocks[0] in again else again

    def unused(self, used: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Latched triggers that are not among those used, shape (triggers,) each."""
        return np.flatnonzero(~used & ~np.isnan(self.time_s))

    def frame(self, stamp_s: float, payload: Payload) -> None:
        """Take a frame with its stamp on the camera's clock."""
        self._waiting.append(_Waiting(stamp_s, payload))
        if len(self._waiting) > _WAITING:
            del self._waiting[0]

    @property
    def waiting(self) -> int:
        """Frames whose trigger is not known yet."""
        return len(self._waiting)

    def matched(self) -> list[tuple[int, Payload]]:
        """Frames whose trigger is known by now, each once, with the trigger's index."""
        if not self._waiting or self._known.size == 0:
            return []
        if self.clock is None and not self._prime():
            return []
        clock = self.clock
        if clock is None:
            return []
        waiting = self._waiting
        if self._since_fit and self._after_a_pause(waiting[0].stamp_s):
            clock = self._refit()
        time_s = clock.to_reference([frame.stamp_s for frame in waiting])
        nearest, inside = self._nearest(time_s)
        too_early = ~inside & (time_s > self.time_s[self._known[-1]])
        self._waiting = [waiting[place] for place in np.flatnonzero(too_early)]
        found: list[tuple[int, Payload]] = []
        for place in np.flatnonzero(inside):
            index = int(nearest[place])
            if not self.taken[index]:
                self.taken[index] = True
                found.append((index, waiting[place].payload))
                self._learn(waiting[place].stamp_s, float(self.time_s[index]))
        return found

    def adopt(self, clock: ClockMap) -> None:
        """Use a map that was found otherwise (from the file, after a restart)."""
        if clock is self.clock:
            return
        self.clock = clock
        self._pairs.clear()
        self._since_fit, self._fewest = 0, _REFIT_EVERY

    def _prime(self) -> bool:
        """Fix the clock by the priming train, which stands alone: a pause lies on both sides."""
        priming = self.blocks[0]
        pulses = self.time_s[priming.first : priming.last]
        if np.isnan(pulses).any() or self.latched <= priming.last:
            return False
        pause_s = _PAUSE_OF_PERIOD * priming.period_s
        if not self.time_s[priming.last] - pulses[-1] >= pause_s:
            return False
        stamps = np.unique([frame.stamp_s for frame in self._waiting])
        for train in np.split(stamps, np.flatnonzero(np.diff(stamps) >= pause_s) + 1):
            if train.size != priming.count:
                continue
            clock = ClockMap.fit(train, pulses)
            apart = np.abs(clock.to_reference(train) - pulses).max()
            fits = apart <= WINDOW_OF_PERIOD * priming.period_s
            if fits and abs(clock.skew) < _LARGEST_SKEW:
                self.clock = clock
                self._waiting = [w for w in self._waiting if w.stamp_s >= train[0]]
                return True
        return False

    def _nearest(self, time_s: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Index of the known trigger next to each time, and whether it lies in its window."""
        edges = self.time_s[self._known]
        right = np.clip(np.searchsorted(edges, time_s), 0, edges.size - 1)
        left = np.maximum(right - 1, 0)
        closer_left = time_s - edges[left] <= edges[right] - time_s
        nearest = self._known[np.where(closer_left, left, right)]
        return nearest, np.abs(time_s - self.time_s[nearest]) <= self._window_s[nearest]

    def _learn(self, stamp_s: float, time_s: float) -> None:
        """Follow the camera's clock by what was matched."""
        self._pairs.append((stamp_s, time_s))
        if len(self._pairs) > _PAIRS:
            self._pairs = self._pairs[::2]
        self._since_fit += 1
        if self._since_fit >= _REFIT_EVERY and len(self._pairs) >= _REFIT_EVERY:
            self._refit()

    def _after_a_pause(self, stamp_s: float) -> bool:
        """Whether nothing came just before: the map must carry over a pause, so all must count."""
        enough = len(self._pairs) >= max(2, self._fewest)
        return enough and stamp_s - self._pairs[-1][0] > _PAUSE_TO_REFIT_S

    def _refit(self) -> ClockMap:
        self._since_fit = 0
        pairs = np.array(self._pairs)
        self.clock = ClockMap.fit(pairs[:, 0], pairs[:, 1])
        return self.clock
