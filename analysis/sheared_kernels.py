"""Loops of the back-projector that does not gather.

For each view the filtered row is resampled once onto the pixel step of the image axis that
it is closest to, at `PHASES` sub-pixel phases. A row of the image is then, for every view,
one contiguous piece of one of these phases, and adding it is what every compiler vectorises.
"""

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel

PHASES = 8
VIEWS_IN_A_PASS = 8
# Samples that a disc of the image may reach beyond its radius: ends, phase, interpolation.
MARGIN = 4


def half_length(size: int) -> int:
    """Samples on each side of the axis in a resampled row, enough for views at 45 degrees."""
    return int(np.ceil(size / 2 * np.sqrt(2))) + 2 * MARGIN


@kernel
def resample(
    row: NDArray[np.float32], origin: float, step: float, reach: int, resampled: NDArray[np.float32]
) -> None:
    """Sample `row` at ``origin + step * (j + k / PHASES)`` for j from -reach to reach - 1.

    Parameters
    ----------
    row : float32 (columns + padding,)
        Filtered row, padded with zeros so that no test of the ends is needed.
    origin : float
        Index of the rotation axis in `row`.
    step : float
        Columns for one pixel along the image row, between -1 and 1.
    reach : int
        Samples on each side that will be read.
    resampled : float32 (PHASES, 2 * half_length)
        Result; the axis lies at index half_length of phase 0.
    """
    phases = resampled.shape[0]
    first = resampled.shape[1] // 2 - reach
    step32 = np.float32(step)
    for phase in range(phases):
        out = resampled[phase, first : first + 2 * reach]
        start = np.float32(origin + step * (phase / phases - reach))
        for j in range(out.shape[0]):
            u = start + step32 * np.float32(j)
            left = np.int32(u)
            fraction = u - np.float32(left)
            here = row[np.uint32(left)]
            there = row[np.uint32(left + 1)]
            out[j] = here + fraction * (there - here)


@kernel
def span_of_row(size: int, y: int) -> tuple[int, int]:
    """First pixel of row `y` in the disc that fits the image, and the one behind its last."""
    centre = (size - 1) * 0.5
    height = y - centre
    half_width = np.sqrt(max(size * size * 0.25 - height * height, 0.0))
    first = int(max(0.0, np.ceil(centre - half_width)))
    last = int(min(size, np.floor(centre + half_width) + 1))
    return first, last


@kernel
def ticks_at(height: float, shear: float, origin: float, phases: int) -> int:
    """Where an image row begins in a resampled row, in the nearest phase."""
    return int((height * shear + origin) * phases + 0.5)


@kernel
def add_eight(
    image: NDArray[np.float32],
    resampled: NDArray[np.float32],
    along: NDArray[np.float64],
    across: NDArray[np.float64],
) -> None:
    """Add eight resampled views to all pixels of the disc that fits the image.

    Parameters
    ----------
    image : float32 (N, N)
        Sum so far; a pixel (x, y) has x along its contiguous axis.
    resampled : float32 (8, PHASES, 2 * half_length)
        From `resample`.
    along, across : float64 (8,)
        Columns for one pixel along and across an image row; |along| >= |across|.
    """
    size = image.shape[0]
    phases = resampled.shape[1]
    centre = (size - 1) * 0.5
    origin = resampled.shape[2] // 2 - centre
    shear = across / along
    begins = np.empty(8, np.int64)
    phase = np.empty(8, np.int64)
    for y in range(size):
        first, last = span_of_row(size, y)
        for view in range(8):
            ticks = ticks_at(y - centre, shear[view], origin, phases)
            begins[view] = ticks // phases + first
            phase[view] = ticks - (ticks // phases) * phases
        width = last - first
        r0 = resampled[0, phase[0], begins[0] : begins[0] + width]
        r1 = resampled[1, phase[1], begins[1] : begins[1] + width]
        r2 = resampled[2, phase[2], begins[2] : begins[2] + width]
        r3 = resampled[3, phase[3], begins[3] : begins[3] + width]
        r4 = resampled[4, phase[4], begins[4] : begins[4] + width]
        r5 = resampled[5, phase[5], begins[5] : begins[5] + width]
        r6 = resampled[6, phase[6], begins[6] : begins[6] + width]
        r7 = resampled[7, phase[7], begins[7] : begins[7] + width]
        line = image[y, first:last]
        for i in range(width):
            line[i] += ((r0[i] + r1[i]) + (r2[i] + r3[i])) + ((r4[i] + r5[i]) + (r6[i] + r7[i]))


@kernel
def back_project(
    image: NDArray[np.float32],
    rows: NDArray[np.float32],
    origin: float,
    along: NDArray[np.float64],
    across: NDArray[np.float64],
    count: int,
    resampled: NDArray[np.float32],
) -> None:
    """Add the first `count` (at most eight) padded filtered rows to `image`."""
    size = image.shape[0]
    for view in range(8):
        if view < count:
            reach = min(
                int(size * 0.5 / abs(along[view])) + MARGIN - 1, resampled.shape[2] // 2 - 1
            )
            resample(rows[view], origin, along[view], reach, resampled[view])
        else:
            along[view] = 1.0
            across[view] = 0.0
            resampled[view, :, :] = np.float32(0)
    add_eight(image, resampled, along, across)


@kernel
def join(
    upright: NDArray[np.float32], lying: NDArray[np.float32], scale: float, out: NDArray[np.float32]
) -> None:
    """Write ``scale * (upright + lying transposed)`` into `out`, tile by tile for the cache."""
    size = upright.shape[0]
    factor = np.float32(scale)
    tile = 32
    for y0 in range(0, size, tile):
        for x0 in range(0, size, tile):
            for y in range(y0, min(y0 + tile, size)):
                for x in range(x0, min(x0 + tile, size)):
                    out[y, x] = factor * (upright[y, x] + lying[x, y])
