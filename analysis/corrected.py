"""What goes into the corrections and what comes out of them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Fields:
    """All that normalises projections.

    Attributes
    ----------
    flats, darks : (n, rows, columns)
        Counts.
    flat_places : (flats,), optional
        Where flats lie in the scan, ascending, in the count of `Corrections.frames`.
    flat_monitor : (flats,), optional
        The beam monitor's readings.
    """

    flats: NDArray[Any]
    darks: NDArray[Any]
    flat_places: ArrayLike | None = None
    flat_monitor: ArrayLike | None = None


@dataclass(frozen=True)
class Step:
    """One correction as it was applied: its name, and what it was given and found."""

    name: str
    facts: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Sinograms:
    """Rows ready to be filtered and back-projected.

    Attributes
    ----------
    rows : float32 (slices, views, columns)
        Line integrals.
    angles_deg : float64 (views,)
        Of the views that are left.
    axis_column : float
        In these rows, which may be wider than the detector's.
    size : int
        N of the slice that holds what the detector saw.
    steps : tuple of Step
        What was done, in order.
    left_out : mapping
        Number of each view that was left out, and why.
    """

    rows: NDArray[np.float32]
    angles_deg: NDArray[np.float64]
    axis_column: float
    size: int
    steps: tuple[Step, ...]
    left_out: dict[int, str]
