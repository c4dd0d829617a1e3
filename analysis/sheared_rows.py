"""One horizontal slice that grows view by view."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.parallel_beam import (
    checked_angles,
    require_level_rows,
    require_sinograms,
    require_slice_on_row,
    scan_weights,
    spoilt_sinogram,
)
from voltomo.analysis.ramp_filter import RampFilter
from voltomo.analysis.reconstructor import Capabilities, SliceGeometry
from voltomo.analysis.sheared_kernels import (
    MARGIN,
    PHASES,
    VIEWS_IN_A_PASS,
    back_project,
    half_length,
    join,
)


class _Pending:
    """Views that wait for a full pass, all of one side of 45 degrees."""

    def __init__(self, n_columns: int) -> None:
        self.rows = np.zeros((VIEWS_IN_A_PASS, n_columns), np.float32)
        self.along = np.ones(VIEWS_IN_A_PASS)
        self.across = np.zeros(VIEWS_IN_A_PASS)
        self.count = 0

    def take(self, row: NDArray[np.float32], weight: float, along: float, across: float) -> None:
        np.multiply(row, np.float32(weight), out=self.rows[self.count])
        self.along[self.count] = along
        self.across[self.count] = across
        self.count += 1


def padding_of_row(n_columns: int, axis_column: float, size: int) -> tuple[int, int]:
    """Zeros to put before and behind a row, so that every pixel of the slice falls on it."""
    require_slice_on_row(n_columns, axis_column, size)
    reach = size / 2 + MARGIN + 2
    left = max(0, math.ceil(reach - axis_column))
    return left, max(0, math.ceil(reach - (n_columns - 1 - axis_column)))


class SliceReconstructor:
    """Filtered back-projection of one horizontal slice, incremental, in any order of angles.

    Implements `voltomo.analysis.reconstructor.GrowingReconstructor` (which gives the convention).
    One thread at a time; the heavy parts release the GIL.

    Parameters
    ----------
    n_columns : int
        Length of a detector row.
    axis_column : float
        Column of the rotation axis, pixel centres at integers.
    size : int, optional
        N of the N x N slice, centred on the axis; `n_columns` by default.

    Raises
    ------
    ValueError
        If the axis lies outside the row or the slice has no pixels.

    Notes
    -----
    Pixels outside the disc of diameter N stay zero. Pixels farther from the axis than
    `covered_radius` are seen in a part of the views only.
    """

    capabilities = Capabilities("sheared rows", grows=True, any_order=True, largest_tilt_deg=0.0)

    def __init__(self, n_columns: int, axis_column: float, size: int | None = None) -> None:
        self._allocate(n_columns, axis_column, n_columns if size is None else size)

    def _allocate(self, n_columns: int, axis_column: float, size: int) -> None:
        self._left, right = padding_of_row(n_columns, axis_column, size)
        self.n_columns = n_columns
        self.axis_column = float(axis_column)
        self.size = size
        self._filter = RampFilter(n_columns)
        self._padded = np.zeros((VIEWS_IN_A_PASS, self._left + n_columns + right), np.float32)
        self._resampled = np.zeros((VIEWS_IN_A_PASS, PHASES, 2 * half_length(size)), np.float32)
        # Views nearer to the x axis add to rows, the others to rows of the transposed slice.
        self._upright = np.zeros((size, size), np.float32)
        self._lying = np.zeros((size, size), np.float32)
        self._pending_upright = _Pending(n_columns)
        self._pending_lying = _Pending(n_columns)
        self._angles_deg = np.empty(0)
        self._weights_rad = np.empty(0)
        self.clear()

    def clear(self) -> None:
        """Forget all views; the geometry stays."""
        self._upright.fill(0)
        self._lying.fill(0)
        self._pending_upright.count = 0
        self._pending_lying.count = 0
        self._views = 0
        self._weighted = False

    @property
    def views(self) -> int:
        """Number of views added since the slice was started."""
        return self._views

    @property
    def covered_radius(self) -> float:
        """Distance from the axis, in pixels, up to which every view sees a point."""
        nearest_end = min(self.axis_column, self.n_columns - 1 - self.axis_column)
        return min(self.size / 2, nearest_end)

    @property
    def memory_promise_bytes(self) -> int:
        """Upper bound of what is held besides data given; the slice of `recon` is counted."""
        held = self._padded.nbytes + self._resampled.nbytes + 3 * self._upright.nbytes
        return held + 2 * self._pending_upright.rows.nbytes + 32 * self._filter.length + 4096

    def prepare(
        self,
        geometry: SliceGeometry,
        angles_deg: ArrayLike | None = None,
        size: int | None = None,
        weights_rad: ArrayLike | None = None,
    ) -> None:
        """Start an empty slice in another geometry; `add` needs no angles known here.

        Raises
        ------
        ValueError
            If the axis is tilted, or rolled by more than half a pixel at the end of a row, or
            if the angles cannot be right.
        """
        require_level_rows(geometry)
        self._allocate(geometry.columns, geometry.axis, size or geometry.columns)
        if angles_deg is not None:
            self._angles_deg = checked_angles(angles_deg)
            self._weights_rad = scan_weights(self._angles_deg, weights_rad)

    def add(
        self, projection: NDArray[np.float32], angle_deg: float, weight_rad: float | None = None
    ) -> None:
        """Add one view; see `Reconstructor.add`. Eight views are back-projected at a time."""
        row = self._checked(projection, angle_deg)
        weight = self._checked_weight(weight_rad, angle_deg)
        angle = math.radians(angle_deg)
        cosine, sine = math.cos(angle), math.sin(angle)
        if abs(cosine) >= abs(sine):
            pending = self._pending_upright
            pending.take(row, weight, cosine, sine)
        else:
            pending = self._pending_lying
            pending.take(row, weight, sine, cosine)
        self._views += 1
        if pending.count == VIEWS_IN_A_PASS:
            self._back_project_pending()

    def recon(self) -> NDArray[np.float32]:
        """Return the slice of all views so far; zeros if there are none."""
        self._back_project_pending()
        scale = 1.0 if self._weighted else math.pi / max(self._views, 1)
        slice_ = np.empty((self.size, self.size), np.float32)
        join(self._upright, self._lying, scale, slice_)
        return slice_

    def rebuild(
        self, rows: NDArray[np.float32], angles_deg: ArrayLike, weights_rad: ArrayLike | None = None
    ) -> NDArray[np.float32]:
        """Start again from rows that the caller kept, for example at another height.

        Parameters
        ----------
        rows : float32 (views, columns)
            Line integrals.
        angles_deg : array_like (views,)
            Their angles, in any order.
        weights_rad : array_like (views,), optional
            See `add`.

        Returns
        -------
        float32 (N, N)
            The slice. Further views may be added to it.
        """
        angles = np.asarray(angles_deg, np.float64)
        if rows.ndim != 2 or angles.shape != (len(rows),):
            raise ValueError(
                f"Rows must be (views, columns) with one angle a view; they are {rows.shape} "
                f"with angles {angles.shape}."
            )
        weights = None if weights_rad is None else np.asarray(weights_rad, np.float64)
        if weights is not None and weights.shape != angles.shape:
            raise ValueError(
                f"There must be one weight a view; there are {weights.shape} for {angles.shape}."
            )
        self.clear()
        for view, angle in enumerate(angles):
            self.add(rows[view], float(angle), None if weights is None else float(weights[view]))
        return self.recon()

    def recon_slices(self, sinograms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Reconstruct slices at the prepared angles, one after the other.

        The slice that grew before is forgotten. See `Reconstructor.recon_slices`.
        """
        if self._angles_deg.size == 0:
            raise ValueError(
                "Whole slices need their angles; none were prepared. Nothing was reconstructed: "
                "give the angles to prepare, or add views one by one."
            )
        require_sinograms(sinograms, self._angles_deg.size, self.n_columns)
        slices = np.empty((len(sinograms), self.size, self.size), np.float32)
        for number, sinogram in enumerate(sinograms):
            if not np.isfinite(sinogram).all():
                raise spoilt_sinogram(sinogram, number)
            slices[number] = self.rebuild(sinogram, self._angles_deg, self._weights_rad)
        return slices

    def _back_project_pending(self) -> None:
        for pending, image in (
            (self._pending_upright, self._upright),
            (self._pending_lying, self._lying),
        ):
            count = pending.count
            if count == 0:
                continue
            filtered = self._filter.apply(pending.rows[:count])
            self._padded[:count, self._left : self._left + self.n_columns] = filtered
            origin = self._left + self.axis_column
            back_project(
                image, self._padded, origin, pending.along, pending.across, count, self._resampled
            )
            pending.count = 0

    def _checked(self, projection: NDArray[np.float32], angle_deg: float) -> NDArray[np.float32]:
        if projection.shape != (self.n_columns,):
            raise ValueError(
                f"A projection of this slice is one row of {self.n_columns} columns; the one at "
                f"{angle_deg} deg has shape {projection.shape}. It was not added."
            )
        if not math.isfinite(angle_deg):
            raise ValueError(f"A view needs a finite angle, not {angle_deg}. It was not added.")
        if not np.isfinite(projection).all():
            bad = int(self.n_columns - np.isfinite(projection).sum())
            raise ValueError(
                f"The projection at {angle_deg} deg has {bad} of {self.n_columns} values that are "
                f"not finite. It was not added: check flats and darks."
            )
        return projection

    def _checked_weight(self, weight_rad: float | None, angle_deg: float) -> float:
        weighted = weight_rad is not None
        if self._views and weighted != self._weighted:
            raise ValueError(
                f"The view at {angle_deg} deg comes {'with' if weighted else 'without'} a weight, "
                f"the {self._views} before it did not agree. Use one way for a whole slice."
            )
        if weight_rad is not None and not 0 <= weight_rad < math.inf:
            raise ValueError(
                f"The weight of the view at {angle_deg} deg must be 0 or more, not {weight_rad}."
            )
        self._weighted = weighted
        return 1.0 if weight_rad is None else weight_rad
