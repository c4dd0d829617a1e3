"""One trajectory of the world: pieces of parabolas in a ring of memory that processes share.

The owner never changes a piece that can be read: it writes new ones behind the last and then
counts them, so that a process that is killed in the middle leaves the channel as it was. A piece
that a later one begins before, or with, is void.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

GRACE_S = 0.2
"""A channel without a heartbeat for this long stands still; gate and shutter are closed."""

SEGMENTS = 8192
"""Places for pieces in a channel's ring."""

_MOST_AT_ONCE = 512
_READABLE = SEGMENTS - 2 * _MOST_AT_ONCE
"""Newest pieces that are read: the owner may be writing to the places of older ones."""


@dataclass(frozen=True)
class Segment:
    """x(t) = x0 + v0 (t − t0) + a/2 (t − t0)² from t0 to t1; x stands still after t1."""

    t0: float
    t1: float
    x0: float
    v0: float = 0.0
    a: float = 0.0


class ChannelMemory:
    """A channel's count, heartbeat and ring in the shared memory.

    Parameters
    ----------
    memory : memoryview
        All of it.
    state : int
        Byte at which count (int64) and heartbeat (float64) lie.
    ring : array, shape (SEGMENTS,)
        The pieces.
    ring_byte : int
        Byte at which they lie.
    """

    def __init__(self, memory: memoryview, state: int, ring: Any, ring_byte: int) -> None:
        # Numbers of eight bytes on their own places are read and written whole.
        self._integers = memory.cast("q")
        self._floats = memory.cast("d")
        self._state = state // 8
        self._first = ring_byte // 8
        self.ring = ring

    @property
    def count(self) -> int:
        """Pieces so far."""
        return self._integers[self._state]

    @count.setter
    def count(self, value: int) -> None:
        self._integers[self._state] = value

    @property
    def beat_s(self) -> float:
        """World time of the last heartbeat."""
        return self._floats[self._state + 1]

    @beat_s.setter
    def beat_s(self, value: float) -> None:
        self._floats[self._state + 1] = value

    def piece(self, number: int) -> list[float]:
        """t0, t1, x0, v0, a of a piece by its running number."""
        first = self._first + 5 * (number % SEGMENTS)
        return list(self._floats[first : first + 5])


class Channel:
    """One trajectory. Only its owner calls ``put`` and ``beat``.

    Parameters
    ----------
    name : str
        Its name.
    memory : ChannelMemory
        Where it lies.
    now_s : callable
        World time.
    closes_when_dead : bool
        Whether it falls to 0 without its owner, instead of standing still.
    """

    def __init__(
        self,
        name: str,
        memory: ChannelMemory,
        now_s: Callable[[], float],
        *,
        closes_when_dead: bool,
    ) -> None:
        self.name = name
        self._memory = memory
        self._now_s = now_s
        self._closes = closes_when_dead
        self._read: tuple[int, NDArray[Any]] = (-1, np.empty(0))

    def put(self, segments: Iterable[Segment]) -> None:
        """Replace the future from the first segment's t0 on.

        Segments must follow each other in time. What lies before the first t0 stays.

        Raises
        ------
        ValueError
            There are too many of them.
        """
        pieces = list(segments)
        if len(pieces) > _MOST_AT_ONCE:
            raise ValueError(
                f"a plan of {self.name} may have {_MOST_AT_ONCE} pieces, this one has "
                f"{len(pieces)}; nothing was changed"
            )
        memory = self._memory
        count = memory.count
        for number, piece in enumerate(pieces, count):
            memory.ring[number % SEGMENTS] = (piece.t0, piece.t1, piece.x0, piece.v0, piece.a)
        # Only now do they count: whoever is killed before has changed nothing.
        memory.count = count + len(pieces)
        memory.beat_s = self._now_s()

    def beat(self) -> None:
        """Say that the owner lives; at 20 Hz or more."""
        self._memory.beat_s = self._now_s()

    @property
    def beat_s(self) -> float:
        """World time of the owner's last heartbeat; far in the past before the first."""
        return self._memory.beat_s

    @beat_s.setter
    def beat_s(self, world_s: float) -> None:
        self._memory.beat_s = world_s

    @property
    def alive(self) -> bool:
        """Whether the owner's heart beats."""
        return self._now_s() - self._memory.beat_s <= GRACE_S

    def history(self) -> NDArray[Any]:
        """Pieces that hold, oldest first (structured: t0, t1, x0, v0, a); not to be changed."""
        memory = self._memory
        while memory.count != self._read[0]:
            count = memory.count
            first = max(0, count - _READABLE)
            pieces = memory.ring[np.arange(first, count) % SEGMENTS].copy()
            if memory.count - first > SEGMENTS - _MOST_AT_ONCE:
                time.sleep(0)
                continue
            begins = pieces["t0"]
            # What begins no earlier than anything behind it is void.
            later = np.minimum.accumulate(begins[::-1])[::-1]
            kept = np.ones(pieces.size, dtype=bool)
            kept[:-1] = begins[:-1] < later[1:]
            self._read = (count, pieces[kept])
        return cast("NDArray[Any]", self._read[1])

    def at(self, time_s: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Value at these world times; NaN before the first segment."""
        return self._evaluate(np.asarray(time_s, dtype=np.float64))[0]

    def velocity(self, time_s: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Rate of change at these world times; 0 where it stands still."""
        return self._evaluate(np.asarray(time_s, dtype=np.float64))[1]

    def value(self, time_s: float) -> float:
        """Value at one world time near now, as `at` gives it, for loops that ask often."""
        memory = self._memory
        last_s = memory.beat_s + GRACE_S
        if time_s > last_s and self._closes:
            return 0.0 if memory.count else float("nan")
        clamped = min(time_s, last_s)
        count = memory.count
        for number in range(count - 1, max(0, count - _READABLE) - 1, -1):
            t0, t1, x0, v0, a = memory.piece(number)
            if t0 <= clamped:
                since = min(clamped, t1) - t0
                return x0 + v0 * since + a * since * since / 2
        return float("nan")

    def next_change_s(self, time_s: float) -> float:
        """When the trajectory next changes its form, by what is planned now; inf for never."""
        memory = self._memory
        change_s = float("inf")
        for number in range(memory.count - 1, max(0, memory.count - _READABLE) - 1, -1):
            t0, t1, *_ = memory.piece(number)
            if t0 <= time_s:
                return min(change_s, t1) if t1 > time_s else change_s
            change_s = min(change_s, t0)
        return change_s

    def _evaluate(
        self, time_s: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        pieces = self.history()
        if pieces.size == 0:
            return np.full(time_s.shape, np.nan), np.zeros(time_s.shape)
        last_s = self._memory.beat_s + GRACE_S
        clamped = np.minimum(time_s, last_s)
        number = np.searchsorted(pieces["t0"], clamped, side="right") - 1
        piece = pieces[np.maximum(number, 0)]
        since = np.minimum(clamped, piece["t1"]) - piece["t0"]
        value = piece["x0"] + piece["v0"] * since + piece["a"] * since * since / 2
        moving = (clamped < piece["t1"]) & (time_s <= last_s)
        speed = np.where(moving, piece["v0"] + piece["a"] * since, 0.0)
        value = np.where(number < 0, np.nan, value)
        if self._closes:
            value = np.where(time_s > last_s, 0.0, value)
        return value, speed
