"""Binning, turning and interpolating of frames, before and after they are filtered."""

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel


@kernel
def bin_frame(
    frame: NDArray[np.float32], bins: int, rows: int, columns: int, out: NDArray[np.float32]
) -> None:
    """Write the means of `bins` x `bins` pixels into the first `rows` and `columns` of `out`."""
    part = np.float32(1.0 / (bins * bins))
    for row in range(rows):
        line = out[row, :columns]
        line[:] = np.float32(0)
        for r in range(bins):
            source = frame[row * bins + r]
            for column in range(columns):
                total = np.float32(0)
                for c in range(bins):
                    total += source[column * bins + c]
                line[column] += part * total


@kernel
def _cubic(part: float, taps: NDArray[np.float64]) -> None:
    """Parts of four neighbours at `part` between the second and third (Catmull-Rom)."""
    taps[0] = ((-0.5 * part + 1.0) * part - 0.5) * part
    taps[1] = (1.5 * part - 2.5) * part * part + 1.0
    taps[2] = ((-1.5 * part + 2.0) * part + 0.5) * part
    taps[3] = (0.5 * part - 0.5) * part * part


@kernel
def turn_frame(
    frame: NDArray[np.float32],
    axis_column: float,
    axis_row: float,
    cosine: float,
    sine: float,
    out: NDArray[np.float32],
) -> None:
    """Turn a frame about a point of the axis, so that a rolled axis stands upright in `out`.

    Pixels from outside take the value of the nearest edge.

    Parameters
    ----------
    frame : float32 (rows, columns)
        As recorded.
    axis_column, axis_row : float
        The point that stays.
    cosine, sine : float
        Of the roll.
    out : float32 (rows, columns)
        Result.
    """
    rows, columns = frame.shape
    across, along = np.empty(4), np.empty(4)
    for row in range(rows):
        for column in range(columns):
            x, y = column - axis_column, row - axis_row
            u = min(max(axis_column + x * cosine + y * sine, 0.0), columns - 1.0)
            v = min(max(axis_row + y * cosine - x * sine, 0.0), rows - 1.0)
            left, top = int(u), int(v)
            _cubic(u - left, across)
            _cubic(v - top, along)
            total = 0.0
            for j in range(4):
                line = frame[min(max(top + j - 1, 0), rows - 1)]
                inner = 0.0
                for i in range(4):
                    inner += across[i] * line[min(max(left + i - 1, 0), columns - 1)]
                total += along[j] * inner
            out[row, column] = np.float32(total)


def cubic_taps(position: float) -> tuple[int, NDArray[np.float32]]:
    """First of four neighbours of `position`, and their parts (Catmull-Rom)."""
    whole = math.floor(position)
    taps = np.empty(4)
    _cubic(position - whole, taps)
    return whole - 1, taps.astype(np.float32)


def level_taps(
    rows: int, first: float, step: float, levels: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """How levels at ``first + step * j`` are made of four of `rows` >= 4 rows each.

    Beyond half a row from the ends there is nothing; at the ends the last row counts on.

    Returns
    -------
    int32 (levels,), float32 (levels, 4)
        First of the four rows, and their parts.
    """
    begin = np.zeros(levels, np.int32)
    parts = np.zeros((levels, 4), np.float32)
    for level in range(levels):
        position = first + step * level
        if not -0.5 <= position <= rows - 0.5:
            continue
        start, taps = cubic_taps(min(max(position, 0.0), rows - 1.0))
        begin[level] = min(max(start, 0), rows - 4)
        for tap in range(4):
            row = min(max(start + tap, 0), rows - 1)
            parts[level, row - begin[level]] += taps[tap]
    return begin, parts
