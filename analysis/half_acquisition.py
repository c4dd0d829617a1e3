"""A full turn with the axis near one end of the detector: nearly twice the field of view."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Fewer columns that both sides see leave a seam at the axis.
SMALLEST_OVERLAP_COLUMNS = 4
# A turn may lack this much: the views at its ends stand for it.
LARGEST_GAP_DEG = 10.0


@dataclass(frozen=True)
class HalfAcquisition:
    """How rows of an off-axis scan over a full turn become rows as wide as the sample.

    A view and its opposite see the two sides of the sample, and both see the columns round the
    axis. Each row is weighted there so that the two weights of a line add up to one, and filled
    with zeros to be symmetric about the axis. Since filtering and back-projection are linear,
    summing the views then stitches the pairs, without interpolation, at any set of angles.

    Parameters
    ----------
    columns : int
        Length of a detector row.
    axis_column : float
        Column of the rotation axis, pixel centres at integers.

    Raises
    ------
    ValueError
        If opposite views share too few columns.
    """

    columns: int
    axis_column: float

    def __post_init__(self) -> None:
        if self.overlap_columns < SMALLEST_OVERLAP_COLUMNS:
            raise ValueError(
                f"Opposite views of a half acquisition must share {SMALLEST_OVERLAP_COLUMNS} "
                f"columns or more; with the axis at column {self.axis_column:g} of "
                f"{self.columns} they share {self.overlap_columns:g}. Check the axis."
            )

    @property
    def overlap_columns(self) -> float:
        """Columns that opposite views share, the axis in their middle."""
        return 2 * min(self.axis_column, self.columns - 1 - self.axis_column)

    @property
    def added_left(self) -> int:
        """Columns of zeros before the row."""
        return max(0, int(np.ceil(self.columns - 1 - 2 * self.axis_column)))

    @property
    def wide_columns(self) -> int:
        """Length of a widened row."""
        right = max(0, int(np.ceil(2 * self.axis_column - (self.columns - 1))))
        return self.added_left + self.columns + right

    @property
    def wide_axis_column(self) -> float:
        """Column of the axis in a widened row."""
        return self.axis_column + self.added_left

    def weights(self) -> NDArray[np.float32]:
        """Weight of each detector column, (columns,): 2 where one side alone sees it.

        Views over a full turn each stand for half of their direction's share, hence the 2.
        """
        from_axis = np.arange(self.columns) - self.axis_column
        if self.axis_column > (self.columns - 1) / 2:
            from_axis = -from_axis
        # Ends at the edge of the detector with slope zero: no step for the ramp to sharpen.
        inside = np.clip(from_axis / (self.overlap_columns / 2), -1.0, 1.0)
        return (1.0 + np.sin(np.pi * inside / 2)).astype(np.float32)

    def widen(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weighted rows with zeros on the short side, float32 (..., wide_columns).

        Parameters
        ----------
        rows : float32 (..., columns)
            Line integrals; beyond the detector's far end there must be air.
        """
        if rows.shape[-1] != self.columns:
            raise ValueError(f"Rows must have {self.columns} columns; they have {rows.shape[-1]}.")
        wide = np.zeros((*rows.shape[:-1], self.wide_columns), np.float32)
        wide[..., self.added_left : self.added_left + self.columns] = rows * self.weights()
        return wide


def check_full_turn(angles_deg: ArrayLike) -> None:
    """Refuse angles that do not go round: one side of the sample would be missing.

    Raises
    ------
    ValueError
        If there is a gap of more than `LARGEST_GAP_DEG` in the full turn.
    """
    angles = np.sort(np.mod(np.asarray(angles_deg, np.float64), 360.0))
    widest = float(np.diff(angles, append=angles[0] + 360.0).max()) if angles.size else 360.0
    if widest > LARGEST_GAP_DEG:
        raise ValueError(
            f"A half acquisition needs views all round, 360 deg, with gaps of at most "
            f"{LARGEST_GAP_DEG:g} deg; there is one of {widest:.1f} deg. Nothing was stitched: "
            f"check the angles, or leave half acquisition out."
        )
