"""Loops of the forward projector: those of the sheared rows, read backwards.

Back-projection adds pieces of resampled rows to rows of the image; here rows of the image are
added to the same pieces, and these are carried back to the columns that they were interpolated
from, with the same fractions.
"""

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel
from voltomo.analysis.sheared_kernels import MARGIN, span_of_row, ticks_at


@kernel
def collect(
    image: NDArray[np.float32], along: float, across: float, resampled: NDArray[np.float32]
) -> None:
    """Sum the rows of an image, sheared, for one view; the transpose of `add_eight`.

    Parameters
    ----------
    image : float32 (N, N)
        Attenuation per pixel, x along its contiguous axis.
    along, across : float
        Columns for one pixel along and across an image row; |along| >= |across|.
    resampled : float32 (PHASES, 2 * half_length)
        Result.
    """
    resampled[:, :] = np.float32(0)
    size = image.shape[0]
    phases = resampled.shape[0]
    centre = (size - 1) * 0.5
    origin = resampled.shape[1] // 2 - centre
    shear = across / along
    for y in range(size):
        first, last = span_of_row(size, y)
        ticks = ticks_at(y - centre, shear, origin, phases)
        begin = ticks // phases + first
        piece = resampled[ticks - (ticks // phases) * phases, begin : begin + last - first]
        line = image[y, first:last]
        for i in range(line.shape[0]):
            piece[i] += line[i]


@kernel
def carry_back(
    resampled: NDArray[np.float32], origin: float, step: float, reach: int, row: NDArray[np.float32]
) -> None:
    """Share samples among the columns that they lie between; the transpose of `resample`.

    Parameters
    ----------
    resampled : float32 (PHASES, 2 * half_length)
        From `collect`.
    origin, step, reach
        As in `resample`.
    row : float32 (padding + columns + padding,)
        Result.
    """
    row[:] = np.float32(0)
    phases = resampled.shape[0]
    first = resampled.shape[1] // 2 - reach
    step32 = np.float32(step)
    for phase in range(phases):
        samples = resampled[phase, first : first + 2 * reach]
        start = np.float32(origin + step * (phase / phases - reach))
        for j in range(samples.shape[0]):
            u = start + step32 * np.float32(j)
            left = np.int32(u)
            fraction = u - np.float32(left)
            row[np.uint32(left)] += (np.float32(1) - fraction) * samples[j]
            row[np.uint32(left + 1)] += fraction * samples[j]


@kernel
def project(
    image: NDArray[np.float32],
    origin: float,
    along: float,
    across: float,
    resampled: NDArray[np.float32],
    row: NDArray[np.float32],
) -> None:
    """Project the disc of an image at one angle; the transpose of `back_project`."""
    size = image.shape[0]
    collect(image, along, across, resampled)
    reach = min(int(size * 0.5 / abs(along)) + MARGIN - 1, resampled.shape[1] // 2 - 1)
    carry_back(resampled, origin, along, reach, row)
