"""Loops that back-project onto one plane of any position and direction."""

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel

SLACK = 1e-4


@kernel
def _clipped(
    start: float, step: float, last: float, first: float, end: float
) -> tuple[float, float]:
    """Narrow [first, end] to where ``start + step * i`` lies in [0, last]."""
    if step == 0.0:
        return (first, end) if 0.0 <= start <= last else (first, first - 1.0)
    one, other = -start / step, (last - start) / step
    return max(first, min(one, other)), min(end, max(one, other))


@kernel
def add_to_plane(
    image: NDArray[np.float32],
    frame: NDArray[np.float32],
    place: NDArray[np.float64],
    weight: float,
    first_row: int,
    last_row: int,
) -> None:
    """Add one filtered view to some rows of a plane, linear between four pixels.

    Parameters
    ----------
    image : float32 (rows, columns)
        Sum so far.
    frame : float32 (detector rows + 1, detector columns + 1)
        Filtered view; its last row and column are not looked at beyond rounding.
    place : float64 (6,)
        Detector column and row of the plane's first pixel, then how far one pixel along a row
        of the plane goes in columns and rows, then the same from row to row.
    weight : float
        Factor of this view.
    first_row, last_row : int
        Rows of the plane, last exclusive.
    """
    rows, columns = frame.shape[0] - 1, frame.shape[1] - 1
    flat = frame.reshape(-1)
    stride = np.int32(frame.shape[1])
    du, dv, factor = np.float32(place[2]), np.float32(place[3]), np.float32(weight)
    ats = np.empty(image.shape[1], np.uint32)
    acrosses, downs = np.empty(image.shape[1], np.float32), np.empty(image.shape[1], np.float32)
    for row in range(first_row, last_row):
        u0, v0 = place[0] + row * place[4], place[1] + row * place[5]
        # A hair of slack, so that rounding loses no pixel that lies on the edge itself.
        first, end = _clipped(
            u0 + SLACK, place[2], columns - 1 + 2 * SLACK, 0.0, image.shape[1] - 1.0
        )
        first, end = _clipped(v0 + SLACK, place[3], rows - 1 + 2 * SLACK, first, end)
        if first > end:
            continue
        begin = int(np.ceil(first))
        line = image[row, begin : int(np.floor(end)) + 1]
        us, vs = np.float32(u0 + begin * place[2]), np.float32(v0 + begin * place[3])
        # Apart, since the compiler can make this loop wide and the next one not.
        wide = line.shape[0]
        at, across, down = ats[:wide], acrosses[:wide], downs[:wide]
        for i in range(wide):
            u, v = us + du * np.float32(i), vs + dv * np.float32(i)
            left, top = np.int32(u), np.int32(v)
            across[i], down[i] = u - np.float32(left), v - np.float32(top)
            at[i] = np.uint32(top * stride + left)
        for i in range(wide):
            here = at[i]
            below = np.uint32(here + np.uint32(stride))
            a, b = flat[here], flat[np.uint32(here + np.uint32(1))]
            c, d = flat[below], flat[np.uint32(below + np.uint32(1))]
            upper = a + across[i] * (b - a)
            lower = c + across[i] * (d - c)
            line[i] += factor * (upper + down[i] * (lower - upper))
