"""Planes of any position and direction that grow view by view and may be moved meanwhile."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.crew import share
from voltomo.analysis.plane import Plane
from voltomo.analysis.plane_buffer import ViewBuffer
from voltomo.analysis.plane_kernels import add_to_plane
from voltomo.analysis.ramp_filter import RampFilter
from voltomo.analysis.reconstructor import VolumeGeometry
from voltomo.analysis.resampling import turn_frame

_ROWS_AT_ONCE = 128


@dataclass(frozen=True)
class Redrawn:
    """What it took to draw a plane anew.

    Attributes
    ----------
    seconds : float
        Wall-clock time.
    views : int
        Views in it; fewer than came where the buffer had forgotten some.
    binning : int
        Detector pixels along the edge of a pixel of the views that were kept.
    """

    seconds: float
    views: int
    binning: int


class _Growing:
    """The image of one plane, and the sum of the weights in it."""

    def __init__(self, plane: Plane) -> None:
        self.plane = plane
        self.image = np.zeros((plane.rows, plane.columns), np.float32)
        self.weight = 0.0


class PlaneReconstructor:
    """Filtered back-projection onto some planes, for tomography and laminography alike.

    Every view is filtered once, added to all planes at full resolution, and kept in a bounded
    buffer. A plane that is moved is drawn anew from the buffer, binned where the bound asks for
    it; views that come later are again added at full resolution.

    Parameters
    ----------
    geometry : VolumeGeometry
        Detector, axis, roll and tilt.
    planes : dict of str to Plane
        By name.
    views : int
        How many views are expected.
    buffer_bytes : int
        Bound of the buffer.
    threads : int
        Threads that work.

    Raises
    ------
    ValueError
        If the axis lies outside the detector.
    MemoryError
        If the buffer may not hold one view.
    """

    def __init__(
        self,
        geometry: VolumeGeometry,
        planes: dict[str, Plane],
        views: int,
        buffer_bytes: int = 1_000_000_000,
        threads: int = 1,
    ) -> None:
        if not 0 <= geometry.axis <= geometry.columns - 1:
            raise ValueError(
                f"The rotation axis must lie on the detector, columns 0 to "
                f"{geometry.columns - 1}; it was given at column {geometry.axis}. Nothing was "
                f"reconstructed: check the axis."
            )
        self._geometry = geometry
        self._shape = (geometry.rows, geometry.columns)
        self._roll = math.radians(geometry.roll_deg)
        self._ramp_share = math.cos(math.radians(geometry.tilt_deg))
        self._threads = threads
        self._filter = RampFilter(geometry.columns)
        # A row and a column more than the detector, which the kernel may touch.
        self._padded = np.zeros((geometry.rows + 1, geometry.columns + 1), np.float32)
        self._upright = np.zeros(self._shape, np.float32) if self._roll else None
        self._buffer = ViewBuffer(geometry, views, buffer_bytes)
        self._growing = {name: _Growing(plane) for name, plane in planes.items()}
        self._views = 0
        self._weight = 0.0
        self._weighted = False

    @property
    def views(self) -> int:
        """Views added so far."""
        return self._views

    @property
    def planes(self) -> dict[str, Plane]:
        """The planes as they lie now."""
        return {name: growing.plane for name, growing in self._growing.items()}

    @property
    def memory_promise_bytes(self) -> int:
        """Upper bound of the memory held between calls, the buffer filled."""
        images = sum(growing.image.nbytes for growing in self._growing.values())
        return self._buffer.nbytes + images + 2 * self._padded.nbytes + 64 * self._filter.length

    def clear(self) -> None:
        """Forget all views; the planes stay where they are."""
        for growing in self._growing.values():
            growing.image.fill(0)
            growing.weight = 0.0
        self._buffer.clear()
        self._views = 0
        self._weight = 0.0

    def add(
        self, projection: NDArray[np.float32], angle_deg: float, weight_rad: float | None = None
    ) -> None:
        """Add one view to all planes.

        Parameters
        ----------
        projection : float32 (rows, columns)
            Line integrals.
        angle_deg : float
            Angle at mid-exposure.
        weight_rad : float, optional
            As in `voltomo.analysis.volume.VolumeReconstructor.add`.

        Raises
        ------
        ValueError
            If shape, angle, weight or values cannot be used; the planes are as before.
        """
        weight = self._checked(projection, angle_deg, weight_rad)
        self._filter_padded(projection)
        self._buffer.add(self._padded, angle_deg, weight)
        for growing in self._growing.values():
            self._add_to(growing, angle_deg, weight)
        self._views += 1
        self._weight += weight

    def move(self, name: str, plane: Plane) -> Redrawn:
        """Put a plane elsewhere, or add one, and draw it anew from the views that are kept."""
        before = time.perf_counter()
        growing = _Growing(plane)
        growing.image = self._buffer.draw(plane, self._threads)
        growing.weight = self._buffer.weight
        self._growing[name] = growing
        return Redrawn(time.perf_counter() - before, self._buffer.views, self._buffer.binning)

    def reweigh(self, weights: Mapping[int, float]) -> None:
        """Give views other weights, in all planes.

        Parameters
        ----------
        weights : dict of int to float
            In radians, by the number of the view, from 0 in the order in which they were added.
            Those that the buffer has forgotten keep theirs. The difference is drawn from the
            buffer, and so at its binning.
        """
        grown = self._buffer.reweigh(weights)
        if not grown.any():
            return
        more = float(grown.sum())
        for growing in self._growing.values():
            growing.image += self._buffer.draw(growing.plane, self._threads, grown)
            growing.weight += more
        self._weight += more

    @property
    def geometry(self) -> VolumeGeometry:
        """Of the views."""
        return self._geometry

    @property
    def buffer(self) -> ViewBuffer:
        """The views that are kept."""
        return self._buffer

    @property
    def weight(self) -> float:
        """Sum of the weights of all views so far."""
        return self._weight

    def remove(self, name: str) -> None:
        """Take a plane away."""
        del self._growing[name]

    def image(self, name: str) -> NDArray[np.float32]:
        """The image of a plane of all views so far, float32 (rows, columns).

        Attenuation per detector pixel. Of views that the buffer had forgotten when the plane was
        moved, the others take the place.
        """
        growing = self._growing[name]
        if growing.weight == 0:
            return np.zeros_like(growing.image)
        whole = self._weight if self._weighted else math.pi
        return growing.image * np.float32(self._ramp_share * whole / growing.weight)

    def _add_to(self, growing: _Growing, angle_deg: float, weight: float) -> None:
        place = growing.plane.on_detector(self._geometry, angle_deg)
        rows = growing.plane.rows
        bands = min(self._threads, rows)

        def band(worker: int, number: int) -> None:
            first, last = number * rows // bands, (number + 1) * rows // bands
            add_to_plane(growing.image, self._padded, place, weight, first, last)

        share(self._threads, band, range(bands))
        growing.weight += weight

    def _filter_padded(self, projection: NDArray[np.float32]) -> None:
        """Filter a view, its axis set upright, into the padded frame."""
        rows, columns = self._shape
        if self._upright is not None:
            turn_frame(
                np.ascontiguousarray(projection), self._geometry.axis, (rows - 1) / 2,
                math.cos(self._roll), math.sin(self._roll), self._upright,
            )  # fmt: skip
            projection = self._upright
        filtered = self._padded[:rows, :columns]

        def part(worker: int, first: int) -> None:
            end = first + _ROWS_AT_ONCE
            filtered[first:end] = self._filter.apply(projection[first:end])

        share(self._threads, part, range(0, rows, _ROWS_AT_ONCE))

    def _checked(
        self, projection: NDArray[np.float32], angle_deg: float, weight_rad: float | None
    ) -> float:
        if projection.shape != self._shape:
            raise ValueError(
                f"A projection of these planes is {self._shape[0]} x {self._shape[1]} pixels; the "
                f"one at {angle_deg} deg has shape {projection.shape}. It was not added."
            )
        weighted = weight_rad is not None
        if self._views and weighted != self._weighted:
            raise ValueError(
                f"The view at {angle_deg} deg comes {'with' if weighted else 'without'} a weight, "
                f"the {self._views} before it did not agree. Use one way for all views."
            )
        weight = 1.0 if weight_rad is None else weight_rad
        if not (math.isfinite(angle_deg) and 0 <= weight < math.inf):
            raise ValueError(
                f"A view needs a finite angle and a weight of 0 or more, not {angle_deg} deg and "
                f"{weight}. It was not added."
            )
        if not math.isfinite(float(projection.sum(dtype=np.float32))):
            bad = int(projection.size - np.isfinite(projection).sum())
            raise ValueError(
                f"The projection at {angle_deg} deg has {bad} of {projection.size} values that "
                f"are not finite. It was not added: check flats and darks."
            )
        self._weighted = weighted
        return weight
