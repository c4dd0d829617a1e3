"""Ring artefacts: columns of a sinogram that are off, made equal to their neighbours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.typed_scipy import median_along, parabola_along

Rows = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Blocks of angles in which an offset must be the same to be taken for one of the detector.
BLOCKS = 12


class RunningRings:
    """The live filter: what a column is off on the mean of the views so far is taken from it.

    Cheap (one smoothing of a row a view), and in any order of angles. A column's offset is known
    better with each view; the first ones keep some of theirs. What is circular about the axis
    and narrower than the window is taken for a ring.

    Parameters
    ----------
    columns : int
        Length of a row.
    width_columns : int
        Window of the parabola that says what the neighbours have; three times the widest stripe.
    memory_views : int
        The mean forgets older views, so that it follows a detector that drifts.
    rows : int, optional
        Of a frame, all of whose rows are filtered, each by itself; one row alone if not given.
    every_views : int
        The offsets are found anew after so many views: smoothing a whole frame costs more than
        all the rest.
    """

    def __init__(
        self,
        columns: int,
        width_columns: int = 9,
        memory_views: int = 400,
        *,
        rows: int | None = None,
        every_views: int = 1,
    ) -> None:
        _check_width(width_columns, columns)
        self._width = width_columns
        self._memory = memory_views
        self._every = every_views
        self._mean = np.zeros(columns if rows is None else (rows, columns), np.float32)
        self._offsets = np.zeros_like(self._mean)
        self.views = 0

    def apply(self, row: Rows) -> Rows:
        """The row without the offsets of its columns; the row counts from now on.

        Parameters
        ----------
        row : float32 (columns,) or (rows, columns)
            Line integrals.
        """
        self.views += 1
        self._mean += (row - self._mean) * np.float32(1 / min(self.views, self._memory))
        # Two views share edges with their neighbours: they say nothing of the detector yet.
        if (self.views - 1) % self._every == 0:
            self._offsets = self.offsets
        return (row - np.float32(1 - 1 / self.views) * self._offsets).astype(np.float32)

    @property
    def offsets(self) -> Rows:
        """What the columns are off now, float32 (columns,) or (rows, columns)."""
        lines = np.atleast_2d(self._mean)
        return _off_neighbours(lines, self._width).reshape(self._mean.shape)


def remove_rings(sinogram: Rows, width_columns: int = 9) -> Rows:
    """The offline filter: offsets that a column has at all angles alike.

    What a column differs from a parabola through its neighbours is averaged in blocks of angles.
    The median of the blocks is its offset, lowered where they do not agree: an edge of the
    sample moves across columns from block to block, a fault of the detector stays. Columns that
    do not respond are first replaced by their neighbours.

    Parameters
    ----------
    sinogram : float32 (views, columns)
        Line integrals in the order of their angles.
    width_columns : int
        Window of the parabola, three times the widest stripe.

    Returns
    -------
    float32 (views, columns)

    Notes
    -----
    On a body with particles it takes four fifths of the rings, and of the sample less than a
    twentieth of what sorting the columns takes (Vo et al., Optics Express 26, 2018, 28396,
    algorithm 3). Layers wound exactly about the axis look like rings to every such filter.
    """
    _check_width(width_columns, sinogram.shape[1])
    mended = _replace_columns(sinogram, bad_columns(sinogram))
    off = _off_neighbours(mended.astype(np.float64), width_columns)
    parts = np.array_split(off, min(BLOCKS, len(off)))
    blocks = np.stack([part.mean(axis=0) for part in parts])
    offset = np.median(blocks, axis=0)
    spread = 1.4826 * np.median(np.abs(blocks - offset), axis=0)
    sure = offset**2 / (offset**2 + spread**2 + 1e-20)
    return (mended - sure * offset).astype(np.float32)


def bad_columns(sinogram: Rows, width_columns: int = 21, threshold: float = 12.0) -> Mask:
    """Columns that do not respond to the sample, or flicker.

    Parameters
    ----------
    sinogram : float32 (views, columns)
        Line integrals in the order of their angles.
    width_columns : int
        Window of the neighbours.
    threshold : float
        By how many robust standard deviations their change from view to view is unusual; it must
        also be twice or half that of the neighbours.
    """
    views, columns = len(sinogram), int(sinogram.shape[1])
    if views < 8 or columns < width_columns:
        return np.zeros(columns, np.bool_)
    change = np.abs(np.diff(sinogram.astype(np.float64), axis=0)).mean(axis=0)
    figure = np.log(change + 1e-6 * float(change.mean()) + 1e-12)
    off = np.abs(figure - median_along(figure[None], width_columns)[0])
    least = max(threshold * 1.4826 * float(np.median(off)), float(np.log(2)))
    bad = off > least
    # More than a few are the sample's own edges.
    few = int(np.count_nonzero(bad)) < 0.05 * columns
    return bad if few else np.zeros(columns, np.bool_)


def _replace_columns(sinogram: Rows, bad: Mask) -> Rows:
    if not bad.any():
        return sinogram
    good = np.flatnonzero(~bad)
    mended = sinogram.copy()
    for column in np.flatnonzero(bad):
        right = int(np.searchsorted(good, column))
        low, high = good[max(right - 1, 0)], good[min(right, len(good) - 1)]
        part = np.float32((column - low) / (high - low)) if high > low else np.float32(0)
        mended[:, column] = (1 - part) * sinogram[:, low] + part * sinogram[:, high]
    return mended


def _off_neighbours(rows: NDArray[Any], width: int) -> NDArray[np.float32]:
    return (rows - parabola_along(rows, width | 1)).astype(np.float32)


def _check_width(width_columns: int, columns: int) -> None:
    if not 5 <= width_columns <= columns // 2:
        raise ValueError(
            f"The window of the ring filter must span 5 to {columns // 2} of {columns} columns, "
            f"not {width_columns}."
        )
