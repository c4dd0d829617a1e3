"""Movement of the sample while it is scanned, and from one scan to the next."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.measure import SIGMAS, Measure
from voltomo.analysis.moments import off_circle
from voltomo.analysis.typed_scipy import sample_spline, slope_along, smooth_image, spline_image

Floats = NDArray[np.float64]

SMOOTHING = 1.5


def motion_in_scan(projections: NDArray[np.float32], angles_deg: ArrayLike) -> Measure:
    """How far the centre of mass left its circle, beyond noise: root mean square, in columns.

    Parameters
    ----------
    projections : float32 (views, rows, columns)
        Line integrals in the order in which they were taken; a few rows are enough.
    angles_deg : array_like (views,)
        Their angles.

    Raises
    ------
    ValueError
        As `voltomo.analysis.moments.centre_path`: the sample must end inside the frames.

    Notes
    -----
    Noise differs from view to view, motion hardly: half the mean square of the differences of
    neighbours is taken off. A vibration faster than the views is therefore not seen; what moves
    once a turn or with the turn is taken for the sample's own place.
    """
    off = off_circle(projections, angles_deg)
    count = len(off)
    total = float(off @ off) / (count - 3)
    noise = float(np.mean(np.diff(off) ** 2)) / 2
    spread = SIGMAS * total * math.sqrt(2 / (count - 3))
    value, low, high = (
        math.sqrt(max(0.0, total - noise + shift)) for shift in (0.0, -spread, spread)
    )
    return Measure("motion", value, low, high, "column")


def motion_between(
    one: NDArray[np.float32], other: NDArray[np.float32], radius_fraction: float = 0.8
) -> tuple[Measure, tuple[float, float]]:
    """How far one slice lies from another: of two scans, or of two sweeps of one.

    Parameters
    ----------
    one, other : float32 (N, N)
        Slices on the same grid.
    radius_fraction : float
        Radius of the disc that is compared, over N / 2.

    Returns
    -------
    measure : Measure
        The distance, in pixels.
    shift : (float, float)
        By how many rows and columns the other lies farther on.

    Raises
    ------
    ValueError
        If shapes differ, values are not finite, or there is nothing to register.
    """
    if one.shape != other.shape or one.ndim != 2:
        raise ValueError(f"Two slices of one size can be compared: {one.shape}, {other.shape}.")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError("A slice to register has values that are not finite.")
    still = smooth_image(one.astype(np.float32), SMOOTHING).astype(np.float64)
    farther = smooth_image(other.astype(np.float32), SMOOTHING).astype(np.float64)
    moved = spline_image(farther)
    slope_images = [slope_along(farther, axis) for axis in (0, 1)]
    rows, columns = int(one.shape[0]), int(one.shape[1])
    row, column = np.mgrid[0:rows, 0:columns].reshape(2, -1).astype(np.float64)
    away = np.hypot(row - (rows - 1) / 2, column - (columns - 1) / 2)
    inside = away < radius_fraction * min(rows, columns) / 2 - 4
    row, column, values = row[inside], column[inside], still.ravel()[inside]
    shift, covariance = np.zeros(2), np.full((2, 2), np.inf)
    for _ in range(20):
        at = np.stack([row + shift[0], column + shift[1]])
        residual = sample_spline(moved, at) - values
        slopes = [sample_spline(slope, at, order=1) for slope in slope_images]
        terms = np.stack([*slopes, np.ones(len(values))], axis=1)
        normal = terms.T @ terms
        if not float(np.linalg.cond(normal[:2, :2])) < 1e8:
            raise ValueError("The slices have no edges by which they could be registered.")
        step = -np.linalg.solve(normal, terms.T @ residual)
        shift = shift + np.clip(step[:2], -3, 3)
        # Smoothing correlates neighbours: so many pixels count as one measurement.
        together = 4 * math.pi * SMOOTHING**2
        variance = float(np.mean((residual + terms @ step) ** 2)) * together
        covariance = np.linalg.inv(normal)[:2, :2] * variance
        if float(np.abs(step[:2]).max()) < 1e-4:
            break
    distance = float(np.hypot(shift[0], shift[1]))
    sigma = math.sqrt(float(np.trace(covariance)))
    low, high = max(0.0, distance - SIGMAS * sigma), distance + SIGMAS * sigma
    return Measure("motion", distance, low, high, "pixel"), (float(shift[0]), float(shift[1]))
