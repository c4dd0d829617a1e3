"""Whole tomography volumes by gridding: many slices at once, all angles known."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.gridding_kernels import LANES, SIDE, pack, spread, turn, unpack
from voltomo.analysis.gridding_plan import GriddingPlan
from voltomo.analysis.parallel_beam import (
    checked_angles,
    require_level_rows,
    require_sinograms,
    require_slice_on_row,
    scan_weights,
    spoilt_sinogram,
)
from voltomo.analysis.reconstructor import Capabilities, SliceGeometry
from voltomo.analysis.typed_scipy import fft_second_axis, unscaled_ifft

# Views that are filtered together, so that they stay in the second cache.
_VIEWS_TOGETHER = 8
# What transforms and small tables need besides.
_BESIDES_BYTES = 1 << 18


class GriddingReconstructor:
    """Filtered back-projection in Fourier space, `LANES` slices at a time.

    Implements `voltomo.analysis.reconstructor.Reconstructor` (which gives the convention).
    One thread at a time; the heavy parts release the GIL. Slices beyond a multiple of `LANES`
    cost as much as `LANES`: for single slices `SliceReconstructor` is the better choice.

    Notes
    -----
    A filtered row is taken as a band-limited function; no interpolation smooths it. Edges and
    noise are therefore a little sharper than those of `SliceReconstructor`, which is linear
    between columns. Pixels outside the disc of diameter N are zero.
    """

    capabilities = Capabilities("gridding", grows=False, any_order=False, largest_tilt_deg=0.0)

    def __init__(self) -> None:
        self._patch = np.zeros(SIDE * SIDE * LANES, np.float32)
        self._forget()

    def _forget(self) -> None:
        self._plan: GriddingPlan | None = None
        self._n_columns = 0
        self._size = 0
        self._spectra = np.empty((0, 0, LANES), np.float32)
        self._grid = np.empty((0, 0, LANES), np.float32)

    @property
    def memory_promise_bytes(self) -> int:
        """Upper bound of what is held besides sinograms given and slices returned."""
        if self._plan is None:
            return 0
        block = 4 * LANES * _VIEWS_TOGETHER * self._n_columns
        return self._plan.memory_bytes + block + _BESIDES_BYTES

    def prepare(
        self,
        geometry: SliceGeometry,
        angles_deg: ArrayLike | None = None,
        size: int | None = None,
        weights_rad: ArrayLike | None = None,
    ) -> None:
        """Compute once what all slices of a scan share; see `Reconstructor.prepare`.

        Raises
        ------
        ValueError
            If angles are missing or look wrong, or the geometry needs more than one row.
        """
        require_level_rows(geometry)
        side = geometry.columns if size is None else size
        require_slice_on_row(geometry.columns, geometry.axis, side)
        if angles_deg is None:
            raise ValueError(
                "Gridding must know all angles before it starts; none were given. Nothing was "
                "reconstructed: give the angles, or take a reconstructor that grows."
            )
        angles = checked_angles(angles_deg)
        weights = scan_weights(angles, weights_rad)
        self._forget()
        plan = GriddingPlan(geometry.columns, geometry.axis, side, angles, weights)
        self._plan = plan
        self._n_columns = geometry.columns
        self._size = side
        self._spectra = np.empty((plan.views, plan.length, LANES), np.float32)
        self._grid = np.empty((plan.grid, plan.pitch, LANES), np.float32)

    def recon_slices(self, sinograms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Reconstruct slices from their sinograms; see `Reconstructor.recon_slices`."""
        plan = self._plan
        if plan is None:
            raise ValueError("Nothing is prepared: call prepare with geometry and angles first.")
        require_sinograms(sinograms, plan.views, self._n_columns)
        slices = np.empty((len(sinograms), self._size, self._size), np.float32)
        for first in range(0, len(sinograms), LANES):
            spoilt = self._filter(plan, sinograms[first : first + LANES])
            if not np.isfinite(spoilt).all():
                number = first + int(np.flatnonzero(~np.isfinite(spoilt))[0])
                raise spoilt_sinogram(sinograms[number], number)
            spread(
                self._spectra.reshape(-1),
                plan.runs,
                plan.step_x,
                plan.step_y,
                plan.length,
                plan.table,
                self._patch,
                self._grid,
            )
            self._transform_grid(plan)
            unpack(self._grid, plan.correction, slices[first : first + LANES])
        return slices

    def _filter(self, plan: GriddingPlan, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Fill the spectra; return what `pack` says of values that are not finite."""
        spoilt = np.zeros(LANES, np.float32)
        fits = block.dtype == np.float32 and block.flags.c_contiguous
        for first in range(0, plan.views, _VIEWS_TOGETHER):
            views = slice(first, first + _VIEWS_TOGETHER)
            lines = self._spectra[views]
            if fits:
                pack(block, first, lines, spoilt)
            else:
                pack(np.ascontiguousarray(block[:, views], np.float32), 0, lines, spoilt)
            fft_second_axis(lines.view(np.complex64))
            turn(lines, plan.factors[views])
        return spoilt

    def _transform_grid(self, plan: GriddingPlan) -> None:
        """Transform rows, then only those columns that the slice has."""
        cells = self._grid.view(np.complex64)
        unscaled_ifft(cells[:, : plan.grid], axis=1)
        right = self._size - self._size // 2
        unscaled_ifft(cells[:, :right], axis=0)
        unscaled_ifft(cells[:, plan.grid - self._size // 2 : plan.grid], axis=0)
