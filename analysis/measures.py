"""Signal to noise, sharpness, rings and axis of slices, each with its interval."""

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.axis_search import AxisFound
from voltomo.analysis.measure import SIGMAS, Measure
from voltomo.analysis.polar import Circles
from voltomo.analysis.quality import noise_sigma, snr
from voltomo.analysis.resolution import shell_correlation

Mask = NDArray[np.bool_]

SECTORS = 16
TILES = 8


def snr_measure(image: NDArray[np.float32], mask: Mask | None = None) -> Measure:
    """`voltomo.analysis.quality.snr`, with the interval from how parts of the slice differ.

    Parameters
    ----------
    image : float32 (N, N)
        The slice.
    mask : bool (N, N), optional
        Pixels of the sample; the disc of 0.9 of the radius by default.
    """
    whole = snr(image, mask)
    if not (math.isfinite(whole) and whole != 0):
        return Measure("snr", whole, whole, whole)
    size = image.shape[0]
    sigmas: list[float] = []
    for row in range(TILES):
        for column in range(TILES):
            tile = np.zeros(image.shape, np.bool_)
            rows = slice(row * size // TILES, (row + 1) * size // TILES)
            columns = slice(column * size // TILES, (column + 1) * size // TILES)
            tile[rows, columns] = True
            part = tile if mask is None else tile & mask
            away = max(abs(row - (TILES - 1) / 2), abs(column - (TILES - 1) / 2)) / (TILES / 2)
            if np.count_nonzero(part) > 0.5 * tile.sum() and away < 0.7:
                sigmas.append(noise_sigma(image, part))
    # The noise of tiles scatters by its own uncertainty and by what the sample does to it.
    relative = float(np.std(sigmas) / np.mean(sigmas)) / math.sqrt(len(sigmas)) if sigmas else 1.0
    spread = SIGMAS * max(relative, 0.05) * abs(whole)
    return Measure("snr", whole, whole - spread, whole + spread)


def sharpness(one: NDArray[np.float32], other: NDArray[np.float32]) -> Measure:
    """Mean frequency of what two halves share: blur lowers it, noise does not raise it.

    Parameters
    ----------
    one, other : float32 (N, N)
        Slices from the even and from the odd views.

    Returns
    -------
    Measure
        In cycles a pixel, between 0 and .5.
    """
    curve = shell_correlation(one, other)
    power, frequency = curve.shared_power[2:], curve.frequency[2:]
    total = float(power.sum())
    if not total > 0:
        return Measure("sharpness", 0.0, 0.0, 0.5, "1/pixel")
    value = float((frequency * power).sum()) / total
    # Each shell is known to its sigma, on the scale of the power of one half.
    half = np.abs(power) / np.maximum(np.abs(curve.correlation[2:]), 1e-3)
    sigma = half * curve.sigma[2:]
    spread = SIGMAS * float(np.sqrt((((frequency - value) * sigma) ** 2).sum())) / total
    return Measure(
        "sharpness", value, max(0.0, value - spread), min(0.5, value + spread), "1/pixel"
    )


def ring_strength(
    image: NDArray[np.float32], start_deg: float = 0.0, span_deg: float = 180.0
) -> Measure:
    """Root mean square of the offsets of circles about the axis, without what is noise.

    Circles are averaged over two sets of sectors; noise differs between the two, rings do not,
    so that their product holds the rings alone. Thin layers wound about the axis count as rings.

    Parameters
    ----------
    image : float32 (N, N)
        The slice.
    start_deg, span_deg : float
        Of the views (`voltomo.analysis.polar.Circles`).

    Returns
    -------
    Measure
        In the unit of the slice.
    """
    circles = Circles(image.shape[0], start_deg, span_deg)
    sector = (circles.angle / (2 * np.pi) * SECTORS * circles.halves).astype(np.int64)
    even = circles.offsets(image, sector % 2 == 0)
    odd = circles.offsets(image, sector % 2 == 1)
    # Near the axis a circle has few pixels, and the outermost are cut.
    used = slice(SECTORS, int(0.9 * circles.radii))
    product = (even * odd)[:, used].ravel()
    if product.size < 8:
        raise ValueError(f"Rings are sought in larger slices than {image.shape}.")
    mean = float(product.mean())
    spread = SIGMAS * float(product.std()) / math.sqrt(product.size)
    value, low, high = (math.sqrt(max(0.0, mean + shift)) for shift in (0.0, -spread, spread))
    return Measure("ring_strength", value, low, high, "1/pixel")


def axis_error(found: AxisFound, used_column: float) -> Measure:
    """How far the axis that was used lies from the one that was found."""
    off = used_column - found.axis_column
    reach = SIGMAS * found.sigma
    return Measure("axis_error", off, off - reach, off + reach, "column")
