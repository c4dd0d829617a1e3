"""The row of the slice in all sweeps that belong together, and what is measured of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.model.geometry import Geometry
from voltomo.model.scan_spec import Block

Counts = NDArray[Any]


@dataclass(frozen=True)
class Place:
    """Where a slice is: geometry, axis, detector row, and when its last view was noticed."""

    geometry: Geometry
    axis_column: float
    row: int
    here_s: float


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
    generation : int
        Of the rows (`SliceRows`).
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
    generation: int = 0


class SliceRows:
    """Counts of the slice's row, by trigger, of every sweep that adds to one slice.

    Those of a later slice replace those before it.

    Attributes
    ----------
    generation : int
        Another one whenever rows were forgotten: so many rows are then not the same rows.
    dropped : set of int
        Generations of which a block was taken again: what was said of them no longer holds.
    """

    def __init__(self) -> None:
        self._counts: dict[int, Counts] = {}
        self._sweep_of: dict[int, int] = {}
        self._slice = -1
        self.generation = 0
        self.dropped: set[int] = set()

    def __len__(self) -> int:
        return len(self._counts)

    def take(self, of_slice: int, sweep: int, index: int, counts: Counts) -> None:
        """Keep the row of a trigger.

        Parameters
        ----------
        of_slice, sweep : int
            First trigger of all that make the slice, and of the sweep, or turn, among them.
        index : int
            The trigger.
        counts : array (columns,)
            The row; it is kept, not copied.
        """
        if of_slice < self._slice:
            return
        if of_slice > self._slice and self._counts:
            self.clear()
        self._slice = of_slice
        self._counts[index] = counts
        self._sweep_of[index] = sweep

    def holds(self, block: Block) -> bool:
        """Whether rows of a block are kept."""
        return any(block.first <= index < block.last for index in self._counts)

    def drop(self, block: Block) -> None:
        """Forget a block that is taken again."""
        gone = [index for index in self._counts if block.first <= index < block.last]
        if not gone:
            return
        for index in gone:
            del self._counts[index], self._sweep_of[index]
        if not self._counts:
            self._slice = -1
        self.dropped.add(self.generation)
        self.generation += 1

    def clear(self) -> None:
        """Forget all: another height or another slice is shown."""
        self._counts.clear()
        self._sweep_of.clear()
        self._slice = -1
        self.generation += 1

    def views(
        self,
        place: Place,
        flat: NDArray[np.float32],
        dark: NDArray[np.float32],
        angle_deg: Callable[[int], float],
    ) -> SliceViews:
        """All that is kept, in the order of triggers.

        Parameters
        ----------
        place : Place
            Where the slice is.
        flat, dark : float32 (columns,)
            Fields of its row.
        angle_deg : callable
            Angle at mid-exposure of a trigger.
        """
        index = sorted(self._counts)
        sweeps = [self._sweep_of[i] for i in index]
        return SliceViews(
            counts=np.stack([self._counts[i] for i in index]),
            flat=flat,
            dark=dark,
            angles_deg=np.array([angle_deg(i) for i in index], np.float64),
            sweep=np.unique(sweeps, return_inverse=True)[1].astype(np.int64),
            axis_column=place.axis_column,
            pixel_um=place.geometry.pixel_um,
            start_deg=place.geometry.start_deg,
            row=place.row,
            frames=len(index),
            last_trigger=index[-1],
            here_s=place.here_s,
            generation=self.generation,
        )
