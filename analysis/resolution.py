"""Resolution by the correlation of two halves of the data, in rings or shells of frequency."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.measure import SIGMAS, Measure
from voltomo.analysis.ring_spectrum import RingSpectrum
from voltomo.analysis.typed_scipy import rfft_all

Floats = NDArray[np.float64]

# The window falls to zero over this part of the radius.
SOFT = 0.15


@dataclass(frozen=True)
class ShellCorrelation:
    """Correlation of two images or volumes at each frequency.

    Attributes
    ----------
    frequency : float64 (shells,)
        In cycles a pixel, up to .5.
    correlation : float64 (shells,)
        1 where the halves agree, 0 where there is noise alone.
    samples : float64 (shells,)
        How many independent values each rests on.
    shared_power : float64 (shells,)
        Real part of the cross-spectrum: the power of what is in both, without noise.
    """

    frequency: Floats
    correlation: Floats
    samples: Floats
    shared_power: Floats

    @property
    def sigma(self) -> Floats:
        """Standard deviation of the correlation."""
        return (1 - self.correlation**2) / np.sqrt(np.maximum(self.samples, 1))

    @property
    def half_bit(self) -> Floats:
        """The threshold at which a value holds half a bit.

        van Heel and Schatz, Journal of Structural Biology 151, 2005, 250, eq. 17, for halves of
        the data.
        """
        root = 1 / np.sqrt(np.maximum(self.samples, 1))
        return (0.2071 + 1.9102 * root) / (1.2071 + 0.9102 * root)


def shell_correlation(
    one: NDArray[np.float32], other: NDArray[np.float32], radius_fraction: float = 0.9
) -> ShellCorrelation:
    """Correlate two halves: Fourier rings of slices, Fourier shells of volumes.

    Parameters
    ----------
    one, other : float32 (N, N) or (N, N, N)
        Reconstructions of the even and of the odd views.
    radius_fraction : float
        Radius of the soft disc or ball that is compared, over N / 2.

    Raises
    ------
    ValueError
        If shapes differ or are not square, or values are not finite or constant.
    """
    size = int(one.shape[0])
    if one.shape != other.shape or one.ndim not in (2, 3) or set(one.shape) != {size}:
        raise ValueError(
            f"Two halves of one square slice or cubic volume can be correlated, not "
            f"{one.shape} and {other.shape}."
        )
    window = _window(size, one.ndim, radius_fraction)
    spectra = [_spectrum(image, window) for image in (one, other)]
    place = _shells(size, one.ndim)
    shells = size // 2 + 1
    # The half spectrum holds a value and its mirror once, except in its first and last column.
    twice = np.full(spectra[0].shape, 2.0)
    twice[..., 0] = 1.0
    if size % 2 == 0:
        twice[..., -1] = 1.0

    def summed(values: Floats) -> Floats:
        found = np.bincount(place.ravel(), (values * twice).ravel(), shells + 1)[:shells]
        return found.astype(np.float64)

    first, second = spectra
    cross = summed((first * second.conj()).real)
    power = np.sqrt(summed(np.abs(first) ** 2) * summed(np.abs(second) ** 2))
    filled = float((window**2).mean()) ** 2 / float((window**4).mean())
    samples = summed(np.ones(first.shape)) * filled / 2
    return ShellCorrelation(
        np.arange(shells) / size, cross / np.maximum(power, 1e-300), samples, cross
    )


def frc_resolution(
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    start_deg: float = 0.0,
    pixel_um: float | None = None,
) -> Measure:
    """Resolution of a slice: the period at which its halves cease to agree (half-bit).

    A ring is in both halves, since both come from the same columns, and would be taken for
    detail. Halves are therefore of interlaced views, and from each is taken, before they are
    compared, what its spectrum has along all directions alike
    (`voltomo.analysis.ring_spectrum.RingSpectrum`).

    Parameters
    ----------
    one, other : float32 (N, N)
        Slices from the even and from the odd views.
    start_deg : float
        Angle from which the views cover a half turn or a full one.
    pixel_um : float, optional
        The result is in micrometres instead of pixels.
    """
    rings = RingSpectrum(one.shape[0], start_deg)
    curve = shell_correlation(rings.without_rings(one), rings.without_rings(other))
    return resolution_of(curve, pixel_um, "frc_resolution")


def fsc_resolution(
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    start_deg: float = 0.0,
    pixel_um: float | None = None,
) -> Measure:
    """Resolution of a volume with the axis along its first dimension; see `frc_resolution`."""
    rings = RingSpectrum(one.shape[-1], start_deg)

    def clean(half: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.stack([rings.without_rings(slice_) for slice_ in half])

    return resolution_of(shell_correlation(clean(one), clean(other)), pixel_um, "fsc_resolution")


def resolution_of(
    curve: ShellCorrelation, pixel_um: float | None = None, metric: str = "frc_resolution"
) -> Measure:
    """Where a correlation falls below the half-bit threshold, and where it may do so.

    Returns
    -------
    Measure
        A full period; 2 pixels where the halves agree up to the end, the width of the slice
        where they never do.
    """
    smooth = _smooth(curve.correlation)
    sigma = curve.sigma / np.sqrt(3)
    scale, unit = (1.0, "pixel") if pixel_um is None else (pixel_um, "um")
    value, low, high = (
        scale * _period(curve, smooth + shift * SIGMAS * sigma) for shift in (0, 1, -1)
    )
    return Measure(metric, value, low, high, unit)


def _period(curve: ShellCorrelation, correlation: Floats) -> float:
    above = correlation - curve.half_bit
    # The first shells hold the shape of the window and are few.
    for shell in range(2, len(above)):
        if above[shell] < 0:
            before = max(above[shell - 1], 0.0)
            part = before / (before - above[shell]) if before > 0 else 0.0
            place = curve.frequency[shell - 1] + part * (
                curve.frequency[shell] - curve.frequency[shell - 1]
            )
            return 1 / float(place)
    return 2.0


def _smooth(values: Floats) -> Floats:
    padded = np.concatenate([values[:1], values, values[-1:]])
    return (padded[:-2] + padded[1:-1] + padded[2:]) / 3


def _spectrum(image: NDArray[np.float32], window: Floats) -> NDArray[np.complex128]:
    if not np.isfinite(image).all():
        raise ValueError("A half to correlate has values that are not finite.")
    values = image.astype(np.float64)
    values = (values - float((values * window).sum() / window.sum())) * window
    if not float(np.abs(values).max()) > 0:
        raise ValueError("A half to correlate is constant: there is nothing to compare.")
    return rfft_all(values)


def _distance(size: int, dimensions: int) -> Floats:
    axis = (np.arange(size, dtype=np.float64) - (size - 1) / 2) ** 2
    total = axis
    for _ in range(dimensions - 1):
        total = total[..., None] + axis
    return np.sqrt(total)


def _window(size: int, dimensions: int, radius_fraction: float) -> Floats:
    if not 0 < radius_fraction <= 1:
        raise ValueError(f"The radius that is compared must be in (0, 1], not {radius_fraction}.")
    outside = _distance(size, dimensions) / (radius_fraction * size / 2) - (1 - SOFT)
    return 0.5 + 0.5 * np.cos(np.pi * np.clip(outside / SOFT, 0, 1))


def _shells(size: int, dimensions: int) -> NDArray[np.int64]:
    """Number of the shell of each value of the half spectrum; what lies beyond is the last."""
    whole = np.minimum(np.arange(size), size - np.arange(size)).astype(np.float64) ** 2
    half = np.arange(size // 2 + 1, dtype=np.float64) ** 2
    total = whole if dimensions > 1 else half
    for _ in range(dimensions - 2):
        total = total[..., None] + whole
    total = total[..., None] + half
    return np.minimum(np.round(np.sqrt(total)).astype(np.int64), size // 2 + 1)
