"""The hardware that fires exposures and latches where the stage was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


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


class TriggerSource(Protocol):
    """Arms a train of triggers; latches arrive in chunks at 10 Hz or more.

    The index runs over the whole scan: ``reset`` sets it to 0, every train goes on from where
    the last one ended. ``arm`` and ``arm_timed`` return a status that is done when the hardware
    says that it is armed; the train of ``arm_timed`` starts with ``fire``, that of ``arm`` when
    the stage passes ``start_deg``.
    """

    @property
    def name(self) -> str:
        """What documents call it."""
        ...

    def reset(self) -> Any:
        """Set the index to 0 and forget all latches. Returns a status."""
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
