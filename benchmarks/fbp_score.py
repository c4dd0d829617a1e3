"""How near slices are to the truth, whatever their orientation and scale.

A method may turn or mirror its slices, lie half a pixel off, and scale as it likes: all that is
undone before the error is taken, the same way for all. The scale that was found is told apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import fourier_shift

from voltomo.analysis.disc import disc

# All that is scored lies within this part of the half width.
RADIUS = 0.86
_HALF_PIXELS = (-0.5, 0.0, 0.5)


@dataclass(frozen=True)
class Pose:
    """How to turn a method's slice into the truth's frame."""

    quarter_turns: int = 0
    mirrored: bool = False
    shift: tuple[float, float] = (0.0, 0.0)

    def of(self, slice_: NDArray[np.float32]) -> NDArray[np.float32]:
        """The slice in the truth's frame."""
        turned = np.rot90(slice_, self.quarter_turns)
        if self.mirrored:
            turned = turned[:, ::-1]
        if any(self.shift):
            moved = fourier_shift(np.fft.rfft2(turned), self.shift, n=turned.shape[1])
            turned = np.fft.irfft2(moved, turned.shape)
        return np.ascontiguousarray(turned, np.float32)


def error_and_slope(slice_: NDArray[np.float32], truth: NDArray[np.float32]) -> tuple[float, float]:
    """Relative error after the best scale and offset, and slope of the slice over the truth.

    Returns
    -------
    rel_rmse : float
        RMS of what the best multiple of the slice and a constant leave of the truth, over the
        truth's standard deviation, in the disc.
    slope : float
        1 where contrasts have their true size.
    """
    inside = disc(truth.shape[0], RADIUS)
    found = slice_[inside].astype(np.float64)
    wanted = truth[inside].astype(np.float64)
    found -= found.mean()
    wanted -= wanted.mean()
    both = found @ wanted
    own = wanted @ wanted
    likeness = both * both / (own * (found @ found))
    return float(np.sqrt(max(0.0, 1 - likeness))), float(both / own)


def pose_of(slice_: NDArray[np.float32], truth: NDArray[np.float32]) -> Pose:
    """The orientation, to half a pixel, in which a slice is nearest to the truth."""
    flips = [Pose(turns, mirrored) for turns in range(4) for mirrored in (False, True)]
    best = min(flips, key=lambda pose: error_and_slope(pose.of(slice_), truth)[0])
    moved = [
        Pose(best.quarter_turns, best.mirrored, (dy, dx))
        for dy in _HALF_PIXELS
        for dx in _HALF_PIXELS
    ]
    return min(moved, key=lambda pose: error_and_slope(pose.of(slice_), truth)[0])


class Transfer:
    """Contrast against spatial frequency, of slices over their truths.

    Two methods compare in noise only at one resolution. Slices of a sharper one are brought to
    that of a softer one by the ratio of their transfers.

    Parameters
    ----------
    size : int
        N of the slices.
    """

    def __init__(self, size: int) -> None:
        along = np.fft.fftfreq(size)
        radius = np.sqrt(along[:, None] ** 2 + np.fft.rfftfreq(size)[None, :] ** 2)
        # Rings a hundredth of the sampling frequency wide; the corners count as the last.
        self._ring = np.minimum((radius * 100).astype(np.int64), 50)
        self._size = size
        place = (np.arange(size) - (size - 1) / 2) / (RADIUS * size / 2)
        distance = np.minimum(np.sqrt(place[:, None] ** 2 + place[None, :] ** 2), 1)
        self._taper = np.cos(np.pi / 2 * distance) ** 2

    def of(
        self, slices: NDArray[np.float32], truths: NDArray[np.float32], some: int = 4
    ) -> NDArray[np.float64]:
        """Transfer in each ring, from the first few slices without noise."""
        both = np.zeros(51)
        own = np.zeros(51)
        for slice_, truth in zip(slices[:some], truths[:some], strict=True):
            found = np.fft.rfft2((slice_ - slice_.mean()) * self._taper)
            wanted = np.fft.rfft2((truth - truth.mean()) * self._taper)
            both += np.bincount(
                self._ring.ravel(), (found * wanted.conj()).real.ravel(), minlength=51
            )
            own += np.bincount(self._ring.ravel(), (np.abs(wanted) ** 2).ravel(), minlength=51)
        return both / own

    def softened(
        self,
        slice_: NDArray[np.float32],
        own: NDArray[np.float64],
        wanted: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """The slice with each ring of its spectrum brought from its own transfer to another.

        Nothing is sharpened, and what lies beyond half the sampling frequency stays.
        """
        gain = np.clip(wanted / own, 0, 1)
        gain[50] = 1
        spectrum = np.fft.rfft2(slice_) * gain[self._ring]
        return np.fft.irfft2(spectrum, slice_.shape).astype(np.float32)
