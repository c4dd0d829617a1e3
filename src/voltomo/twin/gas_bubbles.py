"""Free gas as the camera sees it: bubbles in the electrolyte below the casing."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["bubbles"]

_PLACE, _LARGEST = 0.765, 0.024
"""Distance from the axis, and the largest radius, in half field widths: the gap is so wide."""
_MOST = 90


def bubbles(area: float, half: float, seed: int) -> NDArray[np.float64]:
    """Cylinders along the axis that hold an area of gas; the same ones grow, then more come.

    Parameters
    ----------
    area : float
        Of gas in a slice, square pixels.
    half : float
        Half of the field, pixels.
    seed : int
        Of the places.

    Returns
    -------
    array, shape (n, 5)
        As `voltomo.twin.shapes.Shapes.cylinders`.
    """
    if area <= 0:
        return np.empty((0, 5))
    largest = _LARGEST * half
    count = min(max(math.ceil(area / (math.pi * largest**2)), 1), _MOST)
    radius = min(math.sqrt(area / (math.pi * count)), largest)
    # A golden part of a turn apart, so that bubbles that come later lie between the others.
    start = np.random.default_rng((seed, 0x6A5)).uniform(0, 2 * math.pi)
    turn = start + np.arange(count) * math.pi * (3 - math.sqrt(5))
    made = np.empty((count, 5))
    made[:, 0] = _PLACE * half * np.cos(turn)
    made[:, 1] = _PLACE * half * np.sin(turn)
    made[:, 2] = made[:, 3] = radius
    made[:, 4] = 0.0
    return made
