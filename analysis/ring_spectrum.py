"""Rings taken out of a slice by their spectrum, so that two halves share none of them."""

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.typed_scipy import irfft_all, rfft_all, solve_tridiagonal

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

# Frequencies are twice as dense as those of the slice: the spectrum of a ring far from the axis
# turns by half a circle from one of the slice's own frequencies to the next.
PADDING = 2


class RingSpectrum:
    """Which part of a slice's spectrum is the same along all directions: its rings.

    By the central slice theorem, what a column of the detector is off at all angles alike has the
    same spectrum along the direction of every view. This part is fitted by least squares, linear
    between frequencies, and taken off. Unlike means along circles it knows no interpolation
    between radii, and leaves nothing of rings that are smooth or wide.

    Parameters
    ----------
    size : int
        N of the slice, whose middle is the axis.
    start_deg : float
        Angle of the first view. Of views over half a turn, the spectrum along the directions
        from here on, and over the half turn behind them its conjugate; of a full turn, whose
        rings are whole, both are the same.

    Notes
    -----
    What the sample has in common along all directions, such as layers wound exactly about the
    axis, goes with the rings: this is for comparing halves, not for looking at.
    """

    def __init__(self, size: int, start_deg: float = 0.0) -> None:
        if size < 16:
            raise ValueError(f"Rings are sought in slices of 16 pixels and more, not of {size}.")
        self.size = size
        length = PADDING * size
        down = np.fft.fftfreq(length)[:, None]
        right = np.fft.rfftfreq(length)[None, :]
        radius = np.hypot(down, right) * length
        self._shape = (length, length)
        self._used = radius < length / 2
        angle = np.mod(np.arctan2(down, right) - np.radians(start_deg), 2 * np.pi)
        self._behind = np.broadcast_to(angle >= np.pi, radius.shape)[self._used]
        self._inner: NDArray[np.int64] = radius[self._used].astype(np.int64)
        self._part: Floats = (radius[self._used] - self._inner).astype(np.float64)
        # The axis in the middle of the slice has no phase.
        self._phase = np.exp(2j * np.pi * (down + right) * (size - 1) / 2)[self._used]
        self._count = length // 2 + 1
        low, high = 1 - self._part, self._part
        self._diagonal = self._summed(low * low, high * high) + 1e-9
        beside = np.bincount(self._inner, low * high, self._count).astype(np.float64)
        self._beside = beside[: self._count - 1]

    def without_rings(self, image: Image) -> Image:
        """The slice without what its spectrum has along all directions alike.

        Parameters
        ----------
        image : float32 (N, N)
            The slice.
        """
        if image.shape != (self.size, self.size):
            raise ValueError(f"This is for slices of {self.size}², not of {image.shape}.")
        spectrum = rfft_all(image.astype(np.float64), self._shape)
        values = spectrum[self._used] * self._phase
        side = np.where(self._behind, -1.0, 1.0)
        common = self._fitted(np.real(values)) + 1j * self._fitted(side * np.imag(values))
        ring = (1 - self._part) * common[self._inner] + self._part * common[self._inner + 1]
        ring = np.where(self._behind, ring.conj(), ring)
        spectrum[self._used] -= ring * self._phase.conj()
        kept = irfft_all(spectrum, self._shape)[: self.size, : self.size]
        return kept.astype(np.float32)

    def _summed(self, low: Floats, high: Floats) -> Floats:
        total = np.bincount(self._inner, low, self._count).astype(np.float64)
        total[1:] += np.bincount(self._inner, high, self._count)[:-1]
        return total

    def _fitted(self, values: Floats) -> Floats:
        right = self._summed((1 - self._part) * values, self._part * values)
        return solve_tridiagonal(self._diagonal, self._beside, right)
