"""The hardware that fires exposures and latches where the stage was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class TriggerChunk:
    """Consecutive latched triggers: index of the first, angles and times of all.

    ``time_s`` is on the trigger hardware's clock (the reference clock of a scan), at the edge
    that starts the exposure; ``angle_deg`` is the encoder at that edge.
    """

    first: int
    angle_deg: Sequence[float]
    time_s: Sequence[float]

    @property
    def last(self) -> int:
        """One past the last index."""
        return self.first + len(self.time_s)


def pack(chunk: TriggerChunk) -> NDArray[np.float64]:
    """A chunk as it goes over the network: first index, number n, n angles (deg), n times (s)."""
    head = (chunk.first, len(chunk.time_s))
    return np.concatenate([head, chunk.angle_deg, chunk.time_s], dtype=np.float64)


def unpack(values: ArrayLike) -> TriggerChunk:
    """A chunk out of its waveform; an empty one out of fewer than two numbers.

    Raises
    ------
    ValueError
        The waveform is shorter than it says.
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    if numbers.size < 2:
        return TriggerChunk(0, (), ())
    first, count = int(numbers[0]), int(numbers[1])
    if numbers.size < 2 + 2 * count:
        raise ValueError(
            f"a chunk of {count} triggers needs {2 + 2 * count} numbers, saw {numbers.size}"
        )
    angles = numbers[2 : 2 + count]
    times = numbers[2 + count : 2 + 2 * count]
    return TriggerChunk(first, tuple(angles.tolist()), tuple(times.tolist()))


class TriggerSource(Protocol):
    """Arms a train of triggers; latches arrive in chunks at 10 Hz or more.

    The index runs over the whole scan: ``reset`` sets it, every train goes on from where the last
    one ended. ``arm`` and ``arm_timed`` return a status that is done when the hardware
    says that it is armed; the train of ``arm_timed`` starts with ``fire``, that of ``arm`` when
    the stage passes ``start_deg``.
    """

    @property
    def name(self) -> str:
        """What documents call it."""
        ...

    def reset(self, first: int = 0) -> Any:
        """Set the index (to 0 for a new scan) and forget all latches. Returns a status."""
        ...

    def arm(self, n: int, start_deg: float, step_deg: float) -> Any:
        """Prepare n triggers by position. Returns a status."""
        ...

    def arm_timed(self, n: int, period_s: float) -> Any:
        """Prepare n triggers by time. Returns a status."""
        ...

    def fire(self) -> Any:
        """Start a timed train. Returns a status."""
        ...

    def disarm(self) -> Any:
        """No more triggers, whatever was armed. Returns a status."""
        ...

    def chunks(self) -> list[TriggerChunk]:
        """Latches since the last call, in order and without holes."""
        ...
