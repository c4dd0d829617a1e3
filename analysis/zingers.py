"""Single pixels that a stray photon or a decay has lit, taken out and nothing else."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel

# The square ring of pixels at distance two: a zinger is smaller, a feature larger than this.
_RING = np.array(
    [(r, c) for r in range(-2, 3) for c in range(-2, 3) if max(abs(r), abs(c)) == 2], np.int64
)


@kernel
def clean_stack(
    stack: NDArray[np.float32],
    variance_per_count: float,
    threshold: float,
    ring: NDArray[np.int64],
    out: NDArray[np.float32],
) -> int:
    """Write the stack without zingers into `out`, and return how many there were."""
    views, rows, columns = stack.shape
    around = np.empty(len(ring), np.float32)
    found = 0
    for view in range(views):
        before = view - 1 if view > 0 else min(2, views - 1)
        after = view + 1 if view + 1 < views else max(0, views - 3)
        for row in range(rows):
            for column in range(columns):
                value = stack[view, row, column]
                out[view, row, column] = value
                usual = max(stack[before, row, column], stack[after, row, column])
                if views > 1 and value <= usual:
                    continue
                margin = threshold * np.sqrt(variance_per_count * max(value, np.float32(1)))
                if views > 1 and value - usual <= margin:
                    continue
                count, as_bright = 0, 0
                for i in range(len(ring)):
                    r, c = row + ring[i, 0], column + ring[i, 1]
                    if 0 <= r < rows and 0 <= c < columns:
                        neighbour = stack[view, r, c]
                        as_bright += neighbour > value - margin
                        place = count
                        while place > 0 and around[place - 1] > neighbour:
                            around[place] = around[place - 1]
                            place -= 1
                        around[place] = neighbour
                        count += 1
                if count > 0 and as_bright <= count // 8:
                    out[view, row, column] = around[count // 2]
                    found += 1
    return found


def remove_zingers(stack: NDArray[Any], threshold: float = 6.0) -> tuple[NDArray[np.float32], int]:
    """Replace pixels that are brighter than before, after and around by the median around.

    Parameters
    ----------
    stack : uint16 or float (views, rows, columns)
        Counts, in the order of their angles; of a single frame only the surroundings are asked.
    threshold : float
        Brighter by this many standard deviations of the counting noise, which is estimated from
        the frames.

    Returns
    -------
    clean : float32 (views, rows, columns)
        All other pixels as they were.
    count : int
        How many were replaced.

    Raises
    ------
    ValueError
        If the stack has another shape, or the threshold is so low that noise is taken out.
    """
    if stack.ndim != 3 or stack.size == 0:
        raise ValueError(f"Zingers are sought in (views, rows, columns), not in {stack.shape}.")
    if threshold < 4:
        raise ValueError(
            f"Below 4 sigma, noise is taken for zingers; the threshold is {threshold}."
        )
    counts = np.ascontiguousarray(stack, np.float32)
    out = np.empty_like(counts)
    found = clean_stack(counts, _variance_per_count(counts), float(threshold), _RING, out)
    return out, int(found)


def _variance_per_count(stack: NDArray[np.float32]) -> float:
    """Variance of the noise over the counts, from neighbours in time, or else in the row."""
    if len(stack) > 1:
        every = max(1, len(stack) // 8)
        one, other = stack[1::every], stack[: len(stack) - 1 : every]
    else:
        one, other = stack[..., 1:], stack[..., :-1]
    total = np.maximum(one + other, 1)
    ratio = ((one - other) ** 2 / total).ravel()
    median = float(np.median(ratio[:: max(1, ratio.size // 200_000)]))
    return max(median / 0.455, 1e-6)  # the median of a squared normal deviate is .455
