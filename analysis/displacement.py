"""How far one radiograph is shifted against another, across and along, below a pixel."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.typed_scipy import (
    irfft_image,
    rfft_image,
    sample_spline,
    slope_along,
    smooth_image,
    spline_image,
)

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

SMOOTHING = 1.5
COARSE = 12.0
# So much of the frame must overlap after the shift.
SMALLEST_OVERLAP = 0.3
# Mean square that remains, over that of unrelated images.
LARGEST_MISMATCH = 0.6


@dataclass(frozen=True)
class Shift:
    """The other radiograph shows everything by so much farther on.

    Attributes
    ----------
    rows, columns : float
    rows_sigma, columns_sigma : float
        Standard deviations; infinite along a direction in which nothing ends.
    mismatch : float
        Mean square that remains, over that of unrelated images.
    """

    rows: float
    columns: float
    rows_sigma: float
    columns_sigma: float
    mismatch: float


def shift_between(one: Image, other: Image) -> Shift:
    """Find the shift by phase correlation, then by least squares.

    Parameters
    ----------
    one, other : float32 (rows, columns)
        Line integrals of the same thing at the same angle.

    Raises
    ------
    ValueError
        Shapes differ, values are not finite, or the two show nothing in common.
    """
    if one.shape != other.shape or one.ndim != 2:
        raise ValueError(f"Two radiographs of one size are compared: {one.shape}, {other.shape}.")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError("A radiograph has values that are not finite.")
    if float(np.ptp(one)) == 0 or float(np.ptp(other)) == 0:
        raise ValueError("A radiograph is the same everywhere: there is no sample in it.")
    best: Shift | None = None
    for start in _candidates(one, other):
        try:
            found = _refined(one, other, start)
        except ValueError:
            continue
        if best is None or found.mismatch < best.mismatch:
            best = found
    if best is None or not best.mismatch < LARGEST_MISMATCH:
        raise ValueError("The two radiographs show nothing in common: is it the same sample?")
    return best


def _candidates(one: Image, other: Image, count: int = 4) -> list[tuple[int, int]]:
    """Whole shifts (rows, columns) at which fine structure and outlines match best."""
    rows, columns = int(one.shape[0]), int(one.shape[1])
    found: list[tuple[int, int]] = []
    for coarse in (COARSE, 4 * COARSE):
        spectra = [rfft_image(_padded(view, coarse)) for view in (one, other)]
        cross = spectra[1] * np.conj(spectra[0])
        correlation = irfft_image(cross.astype(np.complex64), (2 * rows, 2 * columns))
        for _ in range(count // 2):
            at = np.unravel_index(int(np.argmax(correlation)), correlation.shape)
            row, column = (int(place) for place in at)
            found.append((
                row - 2 * rows if row > rows else row,
                column - 2 * columns if column > columns else column,
            ))  # fmt: skip
            up = np.arange(row - 4, row + 5) % (2 * rows)
            across = np.arange(column - 4, column + 5) % (2 * columns)
            correlation[np.ix_(up, across)] = -np.inf
    return list(dict.fromkeys(found))


def _padded(view: Image, coarse: float) -> Image:
    smooth = smooth_image(view.astype(np.float32), SMOOTHING)
    fine = smooth - smooth_image(smooth, coarse)
    return np.pad(fine, ((0, fine.shape[0]), (0, fine.shape[1])))


def _refined(one: Image, other: Image, start: tuple[int, int]) -> Shift:
    still = smooth_image(one.astype(np.float32), SMOOTHING).astype(np.float64)
    moved = smooth_image(other.astype(np.float32), SMOOTHING).astype(np.float64)
    coefficients = spline_image(moved)
    slopes = [slope_along(moved, axis) for axis in (0, 1)]
    rows, columns = (int(size) for size in one.shape)
    row, column = (grid.ravel() for grid in np.mgrid[0:rows:2, 0:columns].astype(np.float64))
    values = still[::2].ravel()
    shift = np.array(start, np.float64)
    deviation, mismatch = np.full(2, math.inf), math.inf
    for _ in range(20):
        at_row, at_column = row + shift[0], column + shift[1]
        inside = (at_row >= 2) & (at_row <= rows - 3) & (at_column >= 2)
        inside &= (at_column <= columns - 3) & (row >= 2) & (row <= rows - 3)
        inside &= (column >= 2) & (column <= columns - 3)
        if np.count_nonzero(inside) < SMALLEST_OVERLAP * row.size:
            raise ValueError("The two radiographs hardly overlap.")
        at = np.stack([at_row[inside], at_column[inside]])
        seen = sample_spline(coefficients, at)
        residual = seen - values[inside]
        terms = [sample_spline(slope, at, order=1) for slope in slopes]
        jacobian = np.stack([*terms, np.ones(residual.size)], axis=1)
        step, *_ = np.linalg.lstsq(jacobian, -residual, rcond=1e-6)
        left = residual + jacobian @ step
        shift = shift + np.clip(step[:2], -3, 3)
        mismatch = float(left.var()) / float(seen.var() + values[inside].var() + 1e-30)
        # Smoothing lets neighbours count as one measurement; every second row is taken.
        together = 2 * math.pi * SMOOTHING**2
        normal = jacobian.T @ jacobian
        covariance = np.linalg.pinv(normal, rcond=1e-8) * float(left.var()) * together
        deviation = np.sqrt(np.maximum(np.diag(covariance)[:2], 0.0))
        if float(np.abs(step[:2]).max()) < 1e-4:
            break
    sigma = [float(max(value, 1e-3)) for value in deviation]
    return Shift(float(shift[0]), float(shift[1]), sigma[0], sigma[1], mismatch)
