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
        sweeps = [self._set_of[i] for i in index]
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
        )
