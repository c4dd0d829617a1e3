"""A volume, or a slab of one, that grows view by view: tomography and laminography alike."""

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.crew import share
from voltomo.analysis.ramp_filter import RampFilter
from voltomo.analysis.reconstructor import Capabilities, VolumeGeometry
from voltomo.analysis.resampling import bin_frame, level_taps, turn_frame
from voltomo.analysis.volume_kernels import (
    MARGIN,
    RUNS_LENGTH,
    TILE,
    VIEWS_IN_A_PASS,
    aligned,
    back_project_tiles,
    columns_before,
    copy_planes,
    lay_runs,
    pass_depth,
)
from voltomo.analysis.volume_plan import (
    LARGEST_TILT_DEG,
    PLANES_AT_ONCE,
    ROWS_FILTERED_AT_ONCE,
    VolumePlan,
    laid_columns,
    laid_levels,
    reach_levels,
    rows_of_slab,
)

# A thread takes so many tiles at a time: few enough that none waits long for the last.
_TILES_AT_ONCE = 8


class VolumeReconstructor:
    """Filtered back-projection of a volume at any tilt, incremental, in any order of angles.

    The ramp runs along the detector's columns alone, also at a tilt: what a turn about a tilted
    axis does not see, a cone about the axis in frequency space, stays missing.

    One thread at a time may call it; with ``plan.threads`` above one it works in as many.

    Parameters
    ----------
    geometry : VolumeGeometry
        Detector, axis, roll and tilt.
    plan : VolumePlan
        From `voltomo.analysis.volume_plan.plan_volume`, for this geometry.
    slab : int
        Which slab of the plan this is.

    Raises
    ------
    ValueError
        If the axis lies outside the detector, or there is no such slab.

    Notes
    -----
    Voxels outside the cylinder of diameter N stay zero. Those whose shadow leaves the detector
    get a part of the views only.
    """

    capabilities = Capabilities(
        "columns of voxels", grows=True, any_order=True, largest_tilt_deg=LARGEST_TILT_DEG
    )

    def __init__(self, geometry: VolumeGeometry, plan: VolumePlan, slab: int = 0) -> None:
        if not 0 <= geometry.axis <= geometry.columns - 1:
            raise ValueError(
                f"The rotation axis must lie on the detector, columns 0 to "
                f"{geometry.columns - 1}; it was given at column {geometry.axis}. Nothing was "
                f"reconstructed: check the axis."
            )
        if not 0 <= slab < len(plan.slabs):
            raise ValueError(f"The plan has {len(plan.slabs)} slabs; there is no number {slab}.")
        self.plan = plan
        self._shape = (geometry.rows, geometry.columns)
        self._tilt = math.radians(geometry.tilt_deg)
        self._roll = math.radians(geometry.roll_deg)
        bins, size = plan.binning, plan.size
        self.first, self.last = plan.slabs[slab]
        self._depth = self.last - self.first
        first_z = self.first - (plan.depth - 1) / 2
        last_z = first_z + self._depth - 1
        self._rows = rows_of_slab(geometry, size, first_z, last_z, bins)
        rows, columns = geometry.rows // bins, geometry.columns // bins
        axis = (geometry.axis - (bins - 1) / 2) / bins
        # The middle of the detector as it was; binning may have left some of its rows over.
        middle = ((geometry.rows - 1) / 2 - (bins - 1) / 2) / bins - self._rows[0]
        self._axis, self._middle = axis, middle
        held = max(min(self._rows[1], rows) - self._rows[0], 4)
        reach = reach_levels(size, geometry.tilt_deg)
        self._reach = float(reach)
        levels = laid_levels(self._depth, reach)
        step = math.cos(self._tilt)
        self._level_rows, self._level_taps = level_taps(
            held, middle + step * (first_z - reach), step, levels
        )
        self._first_column = math.floor(axis) - math.ceil(size / 2) - MARGIN
        wide = laid_columns(size)
        self._filter = RampFilter(columns)
        tiles = (-(-size // TILE)) ** 2
        self._before = np.zeros(tiles + 1, np.int64)
        columns_before(size, self._before)
        self._volume = aligned(int(self._before[-1]) * self._depth)
        self._pending = np.zeros((plan.block, held, columns), np.float32)
        self._laid = aligned(plan.block * wide * levels).reshape(plan.block, wide, levels)
        self._angle_rad = np.zeros(plan.block)
        self._weight = np.zeros(plan.block)
        deep = pass_depth(self._depth, math.tan(self._tilt))
        self._passes = [(top, min(deep, self._depth - top)) for top in range(0, self._depth, deep)]
        self._runs = [aligned(RUNS_LENGTH) for _ in range(plan.threads)]
        self._work = [np.empty((16, 256), np.float32) for _ in range(plan.threads)]
        self.clear()

    def clear(self) -> None:
        """Forget all views; the geometry stays."""
        self._volume.fill(0)
        self._count = 0
        self._views = 0
        self._weighted = False
        self.updates = 0

    @property
    def views(self) -> int:
        """Number of views added since the volume was started."""
        return self._views

    @property
    def memory_promise_bytes(self) -> int:
        """Upper bound of the memory that this takes, as planned."""
        return self.plan.promised_bytes

    @property
    def rows_needed(self) -> tuple[int, int]:
        """Detector rows that this slab needs, first and last exclusive."""
        bins = self.plan.binning
        return self._rows[0] * bins, min(self._rows[1] * bins, self._shape[0])

    def add(
        self, projection: NDArray[np.float32], angle_deg: float, weight_rad: float | None = None
    ) -> None:
        """Add one view; a block of them is back-projected at a time.

        Parameters
        ----------
        projection : float32 (rows, columns)
            Line integrals of the whole detector, or of its `rows_needed`.
        angle_deg : float
            Angle at mid-exposure.
        weight_rad : float, optional
            Arc of the half turn that this view stands for: from
            `voltomo.analysis.weights.angular_weights`, with ``turn_deg=360`` at a tilt. By default
            all views get an equal share. A volume uses one way or the other.

        Raises
        ------
        ValueError
            If shape, angle, weight or values cannot be used; the volume is as before.
        """
        part = self._checked(projection, angle_deg)
        weight = self._checked_weight(weight_rad, angle_deg)
        self._take(part, self._pending[self._count])
        self._angle_rad[self._count] = math.radians(angle_deg)
        # Attenuation per detector pixel, whatever the binning; cos(tilt) is the ramp's share.
        self._weight[self._count] = weight * math.cos(self._tilt) / self.plan.binning
        self._count += 1
        self._views += 1
        if self._count == self.plan.block:
            self._back_project_pending()

    def recon(self) -> NDArray[np.float32]:
        """Return the volume, or this slab of it, of all views so far.

        Returns
        -------
        float32 (depth, N, N)
            Attenuation per detector pixel; z, y, x. A copy, as large as what is held: `planes`
            gives it in parts.
        """
        return self.planes(self.first, self.last)

    def planes(self, first: int, last: int) -> NDArray[np.float32]:
        """Return planes across the axis, of all views so far.

        Parameters
        ----------
        first, last : int
            Of the volume's, last exclusive; of this slab.

        Returns
        -------
        float32 (last - first, N, N)
            Attenuation per detector pixel; z, y, x.

        Raises
        ------
        ValueError
            If they are not in this slab.
        """
        if not self.first <= first < last <= self.last:
            raise ValueError(
                f"This slab has the planes {self.first} to {self.last - 1}, not {first} to "
                f"{last - 1}."
            )
        self._back_project_pending()
        size = self.plan.size
        scale = 1.0 if self._weighted else math.pi / max(self._views, 1)
        out = np.zeros((last - first, size, size), np.float32)
        for top, high in self._passes:
            begin = max(first - self.first, top)
            end = min(last - self.first, top + high)
            # A few at a time, so that what they share of the cache's lines stays in it.
            for low in range(begin, end, PLANES_AT_ONCE):
                part = out[
                    low - first + self.first : min(low + PLANES_AT_ONCE, end) - first + self.first
                ]
                copy_planes(self._volume, self._before, size, top, high, low, scale, part)
        return out

    def _take(self, part: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Bin, set the axis upright, and keep."""
        bins = self.plan.binning
        rows = part.shape[0] // bins
        if bins > 1:
            binned = np.empty((rows, out.shape[1]), np.float32)
            bin_frame(np.ascontiguousarray(part), bins, rows, out.shape[1], binned)
            part = binned
        if self._roll:
            part = np.ascontiguousarray(part)
            cosine, sine = math.cos(self._roll), math.sin(self._roll)
            turn_frame(part, self._axis, self._middle, cosine, sine, out[:rows])
        else:
            out[:rows] = part[:, : out.shape[1]]

    def _back_project_pending(self) -> None:
        count = self._count
        if count == 0:
            return
        used = -(-count // VIEWS_IN_A_PASS) * VIEWS_IN_A_PASS
        self._laid[count:used] = 0
        share(self.plan.threads, self._lay, range(count))
        cosines, sines = np.cos(self._angle_rad), np.sin(self._angle_rad)
        tiles = len(self._before) - 1
        groups = -(-tiles // _TILES_AT_ONCE)

        def add_tiles(worker: int, piece: int) -> int:
            top, high = self._passes[piece // groups]
            first = piece % groups * _TILES_AT_ONCE
            return back_project_tiles(
                self._volume, self._before, self.plan.size, self._laid[:used], cosines, sines,
                math.tan(self._tilt), self._axis - self._first_column, self._reach, top, high,
                first, min(first + _TILES_AT_ONCE, tiles), self._runs[worker],
            )  # fmt: skip

        done = share(self.plan.threads, add_tiles, range(len(self._passes) * groups))
        self.updates += sum(done) // used * count
        self._count = 0

    def _lay(self, worker: int, view: int) -> None:
        rows = self._pending[view]
        for first in range(0, len(rows), ROWS_FILTERED_AT_ONCE):
            part = rows[first : first + ROWS_FILTERED_AT_ONCE]
            part[:] = self._filter.apply(part)
        lay_runs(
            rows, float(self._weight[view]), self._level_rows, self._level_taps,
            self._first_column, self._laid[view], self._work[worker],
        )  # fmt: skip

    def _checked(self, projection: NDArray[np.float32], angle_deg: float) -> NDArray[np.float32]:
        first, last = self.rows_needed
        if projection.shape == self._shape:
            projection = projection[first:last]
        elif projection.shape != (last - first, self._shape[1]):
            raise ValueError(
                f"A projection of this volume is {self._shape[0]} x {self._shape[1]} pixels, or "
                f"its rows {first} to {last - 1}; the one at {angle_deg} deg has shape "
                f"{projection.shape}. It was not added."
            )
        if not math.isfinite(angle_deg):
            raise ValueError(f"A view needs a finite angle, not {angle_deg}. It was not added.")
        if not math.isfinite(float(projection.sum(dtype=np.float32))):
            bad = int(projection.size - np.isfinite(projection).sum())
            raise ValueError(
                f"The projection at {angle_deg} deg has {bad} of {projection.size} values that "
                f"are not finite. It was not added: check flats and darks."
            )
        return projection

    def _checked_weight(self, weight_rad: float | None, angle_deg: float) -> float:
        weighted = weight_rad is not None
        if self._views and weighted != self._weighted:
            raise ValueError(
                f"The view at {angle_deg} deg comes {'with' if weighted else 'without'} a weight, "
                f"the {self._views} before it did not agree. Use one way for a whole volume."
            )
        if weight_rad is not None and not 0 <= weight_rad < math.inf:
            raise ValueError(
                f"The weight of the view at {angle_deg} deg must be 0 or more, not {weight_rad}."
            )
        self._weighted = weighted
        return 1.0 if weight_rad is None else weight_rad
