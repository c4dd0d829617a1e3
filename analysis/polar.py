"""Means of a slice along circles about the axis, where rings live."""

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.typed_scipy import parabola_along

Floats = NDArray[np.float64]

# What is smooth over this many pixels along the radius is sample, not ring.
RING_WINDOW = 9


class Circles:
    """Which circle, and which part of it, each pixel of a slice lies on.

    Parameters
    ----------
    size : int
        N of the slice, whose middle is the axis.
    start_deg, span_deg : float
        Angle of the first view, and what all views cover. Of a half turn a column draws half a
        circle, and the column on the other side of the axis the other half; of a full turn both
        draw whole ones.
    """

    def __init__(self, size: int, start_deg: float = 0.0, span_deg: float = 180.0) -> None:
        if size < 16:
            raise ValueError(f"Rings are sought in slices of 16 pixels and more, not of {size}.")
        axis = np.arange(size, dtype=np.float64) - (size - 1) / 2
        radius = np.hypot(axis[None, :], axis[:, None])
        self.angle = np.mod(
            np.arctan2(axis[:, None], axis[None, :]) - np.radians(start_deg), 2 * np.pi
        )
        self.halves = 2 if span_deg < 270 else 1
        self.side = (
            (self.angle >= np.pi).astype(np.int64)
            if self.halves == 2
            else np.zeros(radius.shape, np.int64)
        )
        self.radii = size // 2
        self.inner = np.minimum(radius.astype(np.int64), self.radii - 2)
        self.part = np.clip(radius - self.inner, 0.0, 1.0)
        self.mask = radius < self.radii - 1

    def means(self, image: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> Floats:
        """Mean along each circle, (halves, radii); linear between neighbouring radii."""
        chosen = self.mask if mask is None else self.mask & mask
        place = self.side[chosen] * self.radii + self.inner[chosen]
        part, values = self.part[chosen], image[chosen].astype(np.float64)
        count = self.halves * self.radii
        total = np.bincount(place, values * (1 - part), count + 1)
        total[1:] += np.bincount(place, values * part, count + 1)[:-1]
        weight = np.bincount(place, 1 - part, count + 1)
        weight[1:] += np.bincount(place, part, count + 1)[:-1]
        return (total / np.maximum(weight, 1e-9))[:count].reshape(self.halves, self.radii)

    def offsets(self, image: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> Floats:
        """What circles are off their neighbours: rings, (halves, radii)."""
        profile = self.means(image, mask)
        return profile - parabola_along(profile, RING_WINDOW)

    def without_rings(self, image: NDArray[np.float32], rounds: int = 5) -> NDArray[np.float32]:
        """The slice with the offset of each circle taken off.

        Means along circles are smoothed by the interpolation between radii; what that leaves is
        sought again in the remainder, which after some rounds is the fit of least squares.
        """
        left = image
        for _ in range(rounds):
            offset = self.offsets(left)
            padded = np.concatenate([offset, offset[:, -1:]], axis=1)
            low = padded[self.side, self.inner]
            high = padded[self.side, self.inner + 1]
            ring = np.where(self.mask, low + self.part * (high - low), 0.0)
            left = (left - ring).astype(np.float32)
        return left
