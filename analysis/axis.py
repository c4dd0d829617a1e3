"""The rotation axis from two opposite projections."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.typed_scipy import (
    fast_length,
    irfft_rows,
    rfft_rows,
    smooth_rows,
    spline_rows,
)

# Rows are smoothed by this many columns: noise would otherwise favour half-pixel shifts.
SMOOTHING = 1.5
# The axis is sought in the middle part of the row; less overlap says too little.
SMALLEST_OVERLAP = 0.2
ROWS_AT_MOST = 64
Rows = NDArray[np.float64]


def axis_from_opposite(
    projection_0: NDArray[np.float32], projection_180: NDArray[np.float32]
) -> tuple[float, float]:
    """Find the rotation axis by matching a projection with its mirrored opposite.

    Phase correlation gives candidates, the mismatch of the overlapping parts chooses among
    them, and least squares on the shift refines the choice below a pixel.

    Parameters
    ----------
    projection_0, projection_180 : float32 (rows, columns) or (columns,)
        Line integrals half a turn apart, same rows. Two rows are enough.

    Returns
    -------
    axis_column : float
        Column of the axis, pixel centres at integers.
    sigma : float
        Its standard deviation in columns, from the mismatch that remains: noise, and
        whatever moved or changed between the two projections.

    Raises
    ------
    ValueError
        If shapes differ, values are not finite, or there is nothing to match.
    """
    first, mirrored = _prepared(projection_0, projection_180)
    columns = first.shape[1]
    # mirrored(j) = first(j + shift) with shift = 2 axis - (columns - 1)
    mismatch, best = min((_mismatch(first, mirrored, s), s) for s in _candidates(first, mirrored))
    if not mismatch < 1.0:
        raise ValueError(
            "The two projections do not match at any position of the axis: are they half a "
            "turn apart, and does the sample show in both? Give the axis by hand."
        )
    shift, sigma = _refined(first, mirrored, float(best))
    return (columns - 1 + shift) / 2, sigma / 2


def _prepared(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[Rows, Rows]:
    if a.shape != b.shape or a.ndim not in (1, 2) or a.shape[-1] < 16:
        raise ValueError(
            f"The axis needs two projections of one shape, (rows, columns) with at least 16 "
            f"columns; they have {a.shape} and {b.shape}."
        )
    first = np.atleast_2d(a).astype(np.float64)
    second = np.atleast_2d(b).astype(np.float64)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("The projections for the axis have values that are not finite.")
    if np.ptp(first, axis=1).max() == 0 or np.ptp(second, axis=1).max() == 0:
        raise ValueError("A projection for the axis is constant along its rows: no sample in it.")
    every = math.ceil(len(first) / ROWS_AT_MOST)
    second = second[:, ::-1]
    return smooth_rows(first[::every], SMOOTHING), smooth_rows(second[::every], SMOOTHING)


def _candidates(first: Rows, mirrored: Rows, count: int = 8) -> list[int]:
    """Whole shifts at which the phase correlation has its highest peaks."""
    columns = first.shape[1]
    length = fast_length(2 * columns)
    a = rfft_rows(first - first.mean(axis=1, keepdims=True), length)
    b = rfft_rows(mirrored - mirrored.mean(axis=1, keepdims=True), length)
    cross = (a * np.conj(b)).sum(axis=0)
    size = np.abs(cross)
    # The floor keeps frequencies that hold only noise from voting like the others.
    phase = irfft_rows(cross / (size + 1e-3 * size.max()), length)
    plain = irfft_rows(cross, length)
    reach = int((1 - SMALLEST_OVERLAP) * columns)
    shifts = np.arange(-reach, reach + 1)
    found: list[int] = []
    for correlation in (phase, plain):
        values = correlation[shifts]
        inner = values[1:-1]
        peaks = np.flatnonzero((inner >= values[:-2]) & (inner >= values[2:])) + 1
        highest = peaks[np.argsort(values[peaks])[::-1][:count]]
        found += [int(shift) for shift in shifts[highest]]
    return found or [0]


def _mismatch(first: Rows, mirrored: Rows, shift: int) -> float:
    """Mean square of the difference over that of two unrelated rows, where both overlap."""
    columns = first.shape[1]
    a = first[:, max(0, shift) : columns + min(0, shift)]
    b = mirrored[:, max(0, -shift) : columns + min(0, -shift)]
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    power = float((a * a).sum() + (b * b).sum())
    # A small overlap on empty columns matches by having nothing in it.
    whole = float(first.var(axis=1).sum() + mirrored.var(axis=1).sum()) * a.shape[1]
    return float(((a - b) ** 2).sum()) / power if power > 0.05 * whole else math.inf


def _refined(first: Rows, mirrored: Rows, shift: float) -> tuple[float, float]:
    """Least squares on the shift, with a free offset for each row; its deviation too."""
    columns = np.arange(first.shape[1], dtype=np.float64)
    spline = spline_rows(first)
    start, sigma = shift, math.inf
    for _ in range(30):
        low, high = max(0.0, -shift), columns[-1] + min(0.0, -shift)
        inside = (columns >= low) & (columns <= high)
        where = columns[inside] + shift
        residual = spline(where, 0) - mirrored[:, inside]
        slope = spline(where, 1)
        residual = residual - residual.mean(axis=1, keepdims=True)
        slope = slope - slope.mean(axis=1, keepdims=True)
        power = float((slope * slope).sum())
        step = -float((slope * residual).sum()) / power
        # Smoothing correlates neighbours: that many columns count as one measurement.
        correlated = 2 * math.sqrt(math.pi) * SMOOTHING
        sigma = math.sqrt(float((residual * residual).mean()) * correlated / power)
        shift = min(max(shift + step, start - 2), start + 2)
        if abs(step) < 1e-5:
            break
    return shift, sigma


def opposite_views(angles_deg: ArrayLike) -> NDArray[np.int64]:
    """The views that `axis_from_views` looks at: the first, and two next to its opposite.

    Parameters
    ----------
    angles_deg : array_like (views,)
        Angles, ascending or not.

    Returns
    -------
    int64 (3,)
        Their positions; the axis from these alone is the same as from all.

    Raises
    ------
    ValueError
        If there are fewer than three, or none comes within two degrees of the opposite.
    """
    angles = np.asarray(angles_deg, np.float64)
    if len(angles) < 3:
        raise ValueError(f"The axis needs three or more views; there are {len(angles)}.")
    beyond = _beyond_opposite(angles)
    near, next_ = (int(i) for i in np.argsort(np.abs(beyond), kind="stable")[:2])
    if not abs(beyond[near]) <= 2.0:
        raise ValueError(
            f"No view comes within 2 deg of the opposite of the first ({angles[0]:g} deg); the "
            f"nearest is at {angles[near]:g} deg. Give the axis by hand."
        )
    return np.array([0, near, next_], dtype=np.int64)


def _beyond_opposite(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each view is beyond the opposite of the first; infinite for the first itself."""
    beyond = np.mod(angles - angles[0] + 90.0, 360.0) - 90.0 - 180.0
    beyond[0] = np.inf
    return beyond


def axis_from_views(projections: NDArray[np.float32], angles_deg: ArrayLike) -> tuple[float, float]:
    """Find the rotation axis from a scan whose angles need not meet at exactly 180 degrees.

    The projection opposite to the first is taken from the two views nearest to it, by a
    straight line in the angle. Without this, a last view one step short of the half turn
    would move the axis by a fraction of a column.

    Parameters
    ----------
    projections : float32 (views, rows, columns) or (views, columns)
        Line integrals.
    angles_deg : array_like (views,)
        Their angles, ascending or not.

    Returns
    -------
    axis_column, sigma : float
        As `axis_from_opposite`.

    Raises
    ------
    ValueError
        If no view comes within two degrees of the opposite of the first, or as
        `axis_from_opposite` does.
    """
    angles = np.asarray(angles_deg, np.float64)
    if angles.shape != (len(projections),) or len(angles) < 3:
        raise ValueError(
            f"The axis needs three or more views with one angle each; there are "
            f"{len(projections)} with angles {angles.shape}."
        )
    _, near, next_ = (int(place) for place in opposite_views(angles))
    beyond = _beyond_opposite(angles)
    opposite = projections[near]
    apart = float(beyond[next_] - beyond[near])
    if 1e-6 < abs(apart) <= 4.0:
        part = np.float32(-float(beyond[near]) / apart)
        opposite = opposite + part * (projections[next_] - opposite)
    return axis_from_opposite(projections[0], opposite)
