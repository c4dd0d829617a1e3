"""Axis and roll of one pair of opposite projections: the mirror that takes one to the other."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.axis import axis_from_opposite
from voltomo.analysis.typed_scipy import sample_spline, slope_along, smooth_image, spline_image

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

SMOOTHING = 1.5
ROWS_AT_MOST = 48
BANDS = 6
# Rows that are about level: below this height roll is not looked for.
FEWEST_ROWS = 16


@dataclass(frozen=True)
class Mirror:
    """How a projection is mirrored into its opposite.

    Attributes
    ----------
    axis_column : float
        Column of the axis in the middle row.
    roll_deg : float
        Of the axis in the detector plane (`voltomo.model.geometry`).
    climb_rows : float
        By which the opposite projection lies higher: the stage's own wobble.
    axis_sigma, roll_sigma_deg : float
        From the mismatch that remains.
    mismatch : float
        Mean square of the difference over that of two unrelated images; below about .5.
    """

    axis_column: float
    roll_deg: float
    climb_rows: float
    axis_sigma: float
    roll_sigma_deg: float
    mismatch: float


def mirror_of(first: Image, opposite: Image, row_pitch: float = 1.0) -> Mirror:
    """Find the mirror line between a projection and its opposite, by least squares.

    Parameters
    ----------
    first, opposite : float32 (rows, columns)
        Line integrals half a turn apart.
    row_pitch : float
        Columns' widths from one row to the next, where rows were averaged.

    Raises
    ------
    ValueError
        As `voltomo.analysis.axis.axis_from_opposite`, or if the two do not match.
    """
    start = _start(first, opposite, row_pitch)
    height, width = int(first.shape[0]), int(first.shape[1])
    target = smooth_image(first.astype(np.float32), SMOOTHING).astype(np.float64)
    mirrored = smooth_image(opposite.astype(np.float32), SMOOTHING).astype(np.float64)
    coefficients = spline_image(mirrored)
    slopes = [slope_along(mirrored, axis) for axis in (0, 1)]
    spacing: int = math.ceil(height / ROWS_AT_MOST)
    some = np.arange(spacing // 2, height, spacing, dtype=np.float64)
    row, column = np.repeat(some, width), np.tile(np.arange(width, dtype=np.float64), len(some))
    free = 3 if height >= FEWEST_ROWS else 1
    p, sigma, residual, contrast = start, np.full(3, math.inf), np.zeros(1), 0.0
    for _ in range(25):
        at_row, at_column = _mirrored(p, row, column, height, row_pitch)
        inside = (at_row > -0.5) & (at_row < height - 0.5)
        inside &= (at_column > 1) & (at_column < width - 2)
        if np.count_nonzero(inside) < 0.1 * row.size:
            raise _no_match()
        at = np.stack([at_row[inside], at_column[inside]])
        values = target[row[inside].astype(np.int64), column[inside].astype(np.int64)]
        mirror = sample_spline(coefficients, at)
        contrast = float(values.var() + mirror.var())
        residual = mirror - values
        slope_r, slope_c = (sample_spline(slope, at, order=1) for slope in slopes)
        parts = [
            slope_r * (more_r - at_row)[inside] + slope_c * (more_c - at_column)[inside]
            for more_r, more_c in _steps(p, row, column, height, row_pitch, free)
        ]
        # A level difference between the two says nothing of the axis.
        jacobian = np.stack([*parts, np.full(residual.size, _STEP)], axis=1) / _STEP
        step, *_ = np.linalg.lstsq(jacobian, -residual, rcond=None)
        residual = residual + jacobian[:, -1] * step[-1]
        step = np.clip(step[:free], [-2.0, -0.02, -2.0][:free], [2.0, 0.02, 2.0][:free])
        p = p.copy()
        p[:free] += step
        sigma = _sigma(jacobian, residual, spacing)
        if abs(step[0]) < 1e-4 and (free == 1 or abs(step[1]) < 1e-6):
            break
    mismatch = float(np.mean(residual**2)) / contrast if contrast else math.inf
    if not (mismatch < 0.6 and 0 <= p[0] <= width - 1):
        raise _no_match()
    roll_sigma = math.degrees(sigma[1]) if free == 3 else math.inf
    return Mirror(p[0], math.degrees(p[1]), p[2], float(sigma[0]), roll_sigma, mismatch)


_STEP = 1e-3


def _steps(
    p: Floats, row: Floats, column: Floats, height: int, pitch: float, free: int
) -> list[tuple[Floats, Floats]]:
    out: list[tuple[Floats, Floats]] = []
    for number in range(free):
        moved = p.copy()
        moved[number] += _STEP
        out.append(_mirrored(moved, row, column, height, pitch))
    return out


def _mirrored(
    p: Floats, row: Floats, column: Floats, height: int, pitch: float
) -> tuple[Floats, Floats]:
    """Where points lie after mirroring at the axis, then climbing."""
    axis, roll, climb = p
    sine, cosine = math.sin(roll), math.cos(roll)
    across, along = column - axis, (row - (height - 1) / 2) * pitch
    on_axis = sine * across + cosine * along
    return (
        (2 * on_axis * cosine - along) / pitch + (height - 1) / 2 + climb,
        axis + 2 * on_axis * sine - across,
    )


def _start(first: Image, opposite: Image, pitch: float) -> Floats:
    """Axis from all rows; roll from that of bands of rows, where they give one."""
    whole, _ = axis_from_opposite(first, opposite)
    height = len(first)
    if height < FEWEST_ROWS:
        return np.array([whole, 0.0, 0.0])
    edges = np.linspace(0, height, BANDS + 1).astype(np.int64)
    found: list[tuple[float, float]] = []
    for low, high in itertools.pairwise(edges):
        try:
            axis, sigma = axis_from_opposite(first[low:high], opposite[low:high])
        except ValueError:
            continue
        if sigma < 1 and abs(axis - whole) < 0.1 * first.shape[1]:
            found.append(((low + high - height) / 2 * pitch, axis))
    if len(found) < 4:
        return np.array([whole, 0.0, 0.0])
    place, axis = np.array(found).T
    # Slope by medians: one band without a sample must not turn all.
    slopes = [
        (axis[j] - axis[i]) / (place[j] - place[i]) for i in range(len(axis)) for j in range(i)
    ]
    slope = float(np.median(slopes))
    return np.array([float(np.median(axis - slope * place)), math.atan(slope), 0.0])


def _sigma(jacobian: Floats, residual: Floats, spacing: int) -> Floats:
    """Standard deviations; smoothing lets neighbours count as one measurement."""
    together = 2 * math.sqrt(math.pi) * SMOOTHING
    correlated = together * max(1.0, together / spacing)
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * float(np.mean(residual**2)) * correlated
    variance = np.maximum(np.diag(covariance), 0.0)
    out = np.full(3, math.inf)
    out[: min(3, len(variance) - 1)] = np.sqrt(variance[:-1])[:3]
    return out


def _no_match() -> ValueError:
    return ValueError(
        "The two projections do not match as mirror images at any axis: are they half a turn "
        "apart, and does the sample show in both? Give the axis by hand."
    )
