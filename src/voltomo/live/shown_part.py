"""Which triggers make one image: a turn of a sweep, a sweep, or interlaced sweeps together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.parallel_beam import require_level_rows
from voltomo.analysis.weights import angular_weights
from voltomo.live.sweep_turns import parts_of_sweep, turn_of
from voltomo.model.scan_spec import Block, ScanSpec


@dataclass(frozen=True)
class ShownPart:
    """Triggers whose views belong into one image.

    Attributes
    ----------
    sweeps : tuple of Block
        Blocks of them, in order.
    first, last : int
        First trigger, and one past the last.
    """

    sweeps: tuple[Block, ...]
    first: int
    last: int

    def __contains__(self, index: int) -> bool:
        return self.first <= index < self.last and any(
            sweep.first <= index < sweep.last for sweep in self.sweeps
        )

    def triggers(self) -> Iterator[range]:
        """Its triggers, by sweep."""
        for sweep in self.sweeps:
            yield range(max(sweep.first, self.first), min(sweep.last, self.last))

    def covered_rad(self, turn_deg: float) -> float:
        """How much of the half turn all its views stand for, as asked."""
        asked = [np.empty(0)]
        for sweep, part in zip(self.sweeps, self.triggers(), strict=True):
            angles = cast(NDArray[np.float64], sweep.asked_deg)
            asked.append(angles[part.start - sweep.first : part.stop - sweep.first])
        return float(angular_weights(np.concatenate(asked), turn_deg=turn_deg).sum())


def part_of(spec: ScanSpec, block: Block, index: int) -> ShownPart:
    """The part of a scan that the view of a trigger belongs to."""
    if spec.grows:
        sweeps = tuple(
            other for other in spec.blocks() if other.kind == "sweep" and other.place == block.place
        )
        return ShownPart(sweeps, sweeps[0].first, sweeps[-1].last)
    turn = turn_of(spec.blocks(), block, index)
    return ShownPart(tuple(parts_of_sweep(spec.blocks(), block)), turn.start, turn.stop)


def most_views(spec: ScanSpec) -> int:
    """How many views an image has at most."""
    counts: dict[int, int] = {}
    for block in spec.blocks():
        if block.kind == "sweep":
            part = part_of(spec, block, block.first)
            counts[part.first] = sum(len(triggers) for triggers in part.triggers())
    return max(counts.values())


def one_row_is_enough(spec: ScanSpec, *, sweeps_apart: bool = False) -> bool:
    """Whether the horizontal slice is made of one detector row, kept with every view.

    Not about a tilted or rolled axis, and not where sweeps add to each other: then all views are
    weighed anew. With ``sweeps_apart`` the last sweep alone will do.
    """
    if spec.grows and not sweeps_apart:
        return False
    try:
        require_level_rows(spec.geometry)
    except ValueError:
        return False
    return True
