"""Likeness of two slices."""

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.disc import disc


def disc_correlation(
    a: NDArray[np.float32], b: NDArray[np.float32], radius_fraction: float = 0.9
) -> float:
    """Pearson's correlation of two slices inside a disc; 1 is equal up to scale and offset.

    Parameters
    ----------
    a, b : float (N, N)
        The slices, on the same grid.
    radius_fraction : float
        Radius of the disc over N / 2.

    Raises
    ------
    ValueError
        If the shapes differ, a value in the disc is not finite, or a slice is constant there.
    """
    if a.shape != b.shape or a.ndim != 2 or a.shape[0] != a.shape[1]:
        raise ValueError(
            f"Two square slices of one size can be compared, not {a.shape} and {b.shape}."
        )
    mask = disc(a.shape[0], radius_fraction)
    first = a[mask].astype(np.float64)
    second = b[mask].astype(np.float64)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("A slice to compare has values in the disc that are not finite.")
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        raise ValueError("A slice is constant in the disc, so its correlation is undefined.")
    first -= first.mean()
    second -= second.mean()
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))
