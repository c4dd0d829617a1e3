"""Filtered views that are kept, coarsened as needed, so that a plane can be drawn anew."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.crew import share
from voltomo.analysis.plane import Plane
from voltomo.analysis.plane_kernels import add_to_plane
from voltomo.analysis.reconstructor import VolumeGeometry
from voltomo.analysis.resampling import bin_frame

_BINNINGS = (1, 2, 4, 8)
_BANDS = 8


class ViewBuffer:
    """The newest filtered views within a bound of memory.

    Parameters
    ----------
    geometry : VolumeGeometry
        Of the views; their roll is undone.
    views : int
        How many are expected.
    most_bytes : int
        Memory that it may take. The binning is the least with which the expected views fit; where
        the coarsest is too fine, or more views come, the oldest are forgotten.

    Raises
    ------
    MemoryError
        If not even one view fits.
    """

    def __init__(self, geometry: VolumeGeometry, views: int, most_bytes: int) -> None:
        self._geometry = geometry
        capacity = 0
        self.binning = self._rows = self._columns = 1
        for self.binning in _BINNINGS:
            self._rows = geometry.rows // self.binning
            self._columns = geometry.columns // self.binning
            capacity = most_bytes // (4 * (self._rows + 1) * (self._columns + 1))
            if capacity >= views or 2 * self.binning >= min(geometry.rows, geometry.columns):
                break
        if capacity < 1:
            raise MemoryError(
                f"The buffer of views may take {most_bytes / 1e6:.3g} MB, which is less than one "
                f"view of {geometry.rows} x {geometry.columns} pixels binned by {self.binning}. "
                f"Allow it more."
            )
        self._held = min(capacity, views)
        # Pages are touched, and so taken from the system, as views come.
        self._frames = np.zeros((self._held, self._rows + 1, self._columns + 1), np.float32)
        self._angle_deg = np.zeros(self._held)
        self._weight = np.zeros(self._held)
        self._count = 0

    @property
    def views(self) -> int:
        """Views that are held now."""
        return min(self._count, self._held)

    @property
    def nbytes(self) -> int:
        """Memory that it takes when full."""
        return self._frames.nbytes

    @property
    def weight(self) -> float:
        """Sum of the weights of the views that are held."""
        return float(self._weight[: self.views].sum())

    def clear(self) -> None:
        """Forget all views."""
        self._count = 0

    def add(self, filtered: NDArray[np.float32], angle_deg: float, weight: float) -> None:
        """Keep a view; the oldest is forgotten where there is no room.

        Parameters
        ----------
        filtered : float32 (at least rows, at least columns)
            What is beyond the detector is not used.
        angle_deg, weight : float
            Of the view.
        """
        at = self._count % self._held
        bin_frame(filtered, self.binning, self._rows, self._columns, self._frames[at])
        self._angle_deg[at], self._weight[at] = angle_deg, weight
        self._count += 1

    def reweigh(self, weights: Mapping[int, float]) -> NDArray[np.float64]:
        """Give views other weights.

        Parameters
        ----------
        weights : dict of int to float
            By the number of the view, from 0 in the order in which they were added; those that
            are forgotten stay as they were.

        Returns
        -------
        float64 (held,)
            By how much the weight of each held view has grown, as `draw` takes it.
        """
        grown = np.zeros(self._held)
        for number, weight in weights.items():
            if self._count - self._held <= number < self._count:
                at = number % self._held
                grown[at] = weight - self._weight[at]
                self._weight[at] = weight
        return grown

    def held(self) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
        """Views, angles and weights as they are now; views that come later change none of them.

        Returns
        -------
        float32 (views, rows + 1, columns + 1), float64 (views,), float64 (views,)
        """
        n = self.views
        return self._frames[:n], self._angle_deg[:n].copy(), self._weight[:n].copy()

    def draw(
        self, plane: Plane, threads: int = 1, weights: NDArray[np.float64] | None = None
    ) -> NDArray[np.float32]:
        """Back-project held views onto a plane, at its own step or at that of the views.

        Parameters
        ----------
        plane : Plane
            Where.
        threads : int
            Threads that work.
        weights : float64 (held,), optional
            In place of their own; views of weight 0 cost nothing.

        Returns
        -------
        float32 (rows, columns)
            The weighted sum.
        """
        coarse = plane if self.binning == 1 else plane.coarser(float(self.binning))
        image = np.zeros((coarse.rows, coarse.columns), np.float32)
        weights = self._weight if weights is None else weights
        wanted = np.flatnonzero(weights[: self.views])
        places = [self.place(coarse, float(self._angle_deg[at])) for at in wanted]
        edges = np.linspace(0, coarse.rows, min(_BANDS, coarse.rows) + 1).astype(int)

        def band(worker: int, number: int) -> None:
            for at, place in zip(wanted, places, strict=True):
                add_to_plane(
                    image, self._frames[at], place, float(weights[at]),
                    int(edges[number]), int(edges[number + 1]),
                )  # fmt: skip

        share(threads, band, range(len(edges) - 1))
        return image if coarse is plane else _refined(image, coarse, plane)

    def place(self, plane: Plane, angle_deg: float) -> NDArray[np.float64]:
        """Where pixels of a plane fall in a view as it is kept; see `Plane.on_detector`."""
        place = plane.on_detector(self._geometry, angle_deg) / self.binning
        place[:2] -= (self.binning - 1) / (2 * self.binning)
        return place


def _refined(image: NDArray[np.float32], coarse: Plane, fine: Plane) -> NDArray[np.float32]:
    """The image at the pixels of the finer plane, linear between those of the coarser."""
    part = fine.step / coarse.step
    down, low = _between(fine.rows, coarse.rows, part)
    across, left = _between(fine.columns, coarse.columns, part)
    rows = image[low] + down[:, None] * (image[low + 1] - image[low])
    refined = rows[:, left] + across * (rows[:, left + 1] - rows[:, left])
    return refined.astype(np.float32)


def _between(fine: int, coarse: int, part: float) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    place = (np.arange(fine) - (fine - 1) / 2) * part + (coarse - 1) / 2
    left = np.clip(np.floor(place).astype(np.intp), 0, coarse - 2)
    return (place - left).astype(np.float32), left
