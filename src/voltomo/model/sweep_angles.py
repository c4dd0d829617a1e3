"""At which angles the frames of a sweep are taken: interlaced sweeps and golden angles."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Interlace = Literal["none", "even", "golden"]

GOLDEN = (math.sqrt(5) - 1) / 2
"""The part of a range that fills it most evenly, however many times it is added (modulo 1)."""


def interlace_offset(sweep: int, sweeps: int, interlace: Interlace) -> float:
    """By what part of a step the angles of a sweep lie beyond those of the first.

    Parameters
    ----------
    sweep, sweeps : int
        Which sweep, of how many.
    interlace : {"none", "even", "golden"}
        "even": i/K of sweep i of K, so that all K together are one sweep with K times as many
        angles. "golden": the golden fraction of i, modulo 1, so that any number of sweeps is
        spread nearly evenly, and none needs to know how many will come (Köhler, IEEE NSS 2004).

    Returns
    -------
    float
        From 0 (inclusive) to 1 (exclusive).
    """
    if interlace == "none":
        return 0.0
    return sweep / sweeps if interlace == "even" else (sweep * GOLDEN) % 1.0


def golden_angles_deg(
    start_deg: float, range_deg: float, count: int, first: int = 0
) -> NDArray[np.float64]:
    """Angles one golden fraction of the range apart, wrapped into it.

    Parameters
    ----------
    start_deg, range_deg : float
        Where the range begins, and how wide it is.
    count : int
        How many angles.
    first : int
        How many have come before: sweeps go on where the last one ended.

    Returns
    -------
    float64 (count,)
        From ``start_deg`` (inclusive) to ``start_deg + range_deg`` (exclusive).
    """
    steps = first + np.arange(count, dtype=np.float64)
    return np.asarray(start_deg + range_deg * np.mod(steps * GOLDEN, 1.0), dtype=np.float64)
