"""The row of the slice in all sweeps that belong together, and what is measured of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.model.scan_spec import Block

Counts = NDArray[Any]


class SliceRows:
    """Counts of the slice's row, by trigger, of every sweep that adds to one slice.

    Parameters
    ----------
    grows : bool
        Whether sweeps add to each other (`voltomo.model.scan_spec.ScanSpec.grows`); else only
        the latest run through the angles is kept.
    """

    def __init__(self, grows: bool) -> None:
        self._grows = grows
        self._counts: dict[int, Counts] = {}
        self._set_of: dict[int, int] = {}
        self._latest = -1

    def __len__(self) -> int:
        return len(self._counts)

    def take(self, block: Block, index: int, counts: Counts) -> None:
        """Keep the row of a trigger."""
        each = block.count // block.turns
        part = block.first + (index - block.first) // each * each
        if not self._grows and part != self._latest:
            if part < self._latest:
                return
            self.clear()
        self._latest = max(part, self._latest)
        self._counts[index] = counts
        self._set_of[index] = part

    def holds(self, block: Block) -> bool:
        """Whether rows of a block are kept."""
        return any(block.first <= index < block.last for index in self._counts)

    def drop(self, block: Block) -> None:
        """Forget a block that is taken again."""
        for index in [i for i in self._counts if block.first <= i < block.last]:
            del self._counts[index], self._set_of[index]

    def clear(self) -> None:
        """Forget all: another height is shown."""
        self._counts.clear()
        self._set_of.clear()
        self._latest = -1

    def sorted(self) -> tuple[list[int], list[Counts], list[int]]:
        """Triggers in order, their rows, and the first trigger of the sweep of each."""
        index = sorted(self._counts)
        return index, [self._counts[i] for i in index], [self._set_of[i] for i in index]


@dataclass(frozen=True)
class SliceViews:
    """All that is known of a slice at one moment, to be measured at leisure.

    Attributes
    ----------
    counts : array (views, columns)
        In the order in which they were taken.
    flat, dark : float32 (columns,)
        Their fields.
    angles_deg : float64 (views,)
        At mid-exposure.
    sweep : int64 (views,)
        Number of the sweep of each view, from 0.
    axis_column, pixel_um, start_deg : float
        Of the geometry.
    row, frames, last_trigger : int
        Detector row; number of views; highest trigger among them.
    here_s : float
        When the last of them was noticed (monotonic).
    """

    counts: Counts
    flat: NDArray[np.float32]
    dark: NDArray[np.float32]
    angles_deg: NDArray[np.float64]
    sweep: NDArray[np.int64]
    axis_column: float
    pixel_um: float
    start_deg: float
    row: int
    frames: int
    last_trigger: int
    here_s: float
