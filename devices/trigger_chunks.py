"""Latches as they come over the network, joined to one sequence without holes or repeats."""

from __future__ import annotations

from collections.abc import Sequence

from voltomo.model.trigger_source import TriggerChunk


class ChunkJoiner:
    """Takes overlapping chunks and gives every latch once, in order.

    ``next`` is the index of the latch that it waits for.
    """

    def __init__(self, first: int = 0) -> None:
        self.next = first

    def hole_before(self, chunk: TriggerChunk) -> int:
        """How many latches are missing before this chunk; 0 where it follows or overlaps."""
        return max(0, chunk.first - self.next) if chunk.time_s else 0

    def take(self, chunk: TriggerChunk) -> TriggerChunk | None:
        """The new latches of a chunk, None where there are none.

        Raises
        ------
        ValueError
            Latches before this chunk are missing; read them first.
        """
        if chunk.last <= self.next:
            return None
        if chunk.first > self.next:
            raise ValueError(f"latches {self.next} to {chunk.first - 1} are missing")
        skip = self.next - chunk.first
        self.next = chunk.last
        return TriggerChunk(chunk.first + skip, chunk.angle_deg[skip:], chunk.time_s[skip:])


def merge(chunks: Sequence[TriggerChunk]) -> TriggerChunk | None:
    """Consecutive chunks as one, None where there are none."""
    if not chunks:
        return None
    angles = tuple(angle for chunk in chunks for angle in chunk.angle_deg)
    times = tuple(time_s for chunk in chunks for time_s in chunk.time_s)
    return TriggerChunk(chunks[0].first, angles, times)
