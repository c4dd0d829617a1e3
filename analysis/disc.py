"""The disc of a slice in which every view contributes."""

import numpy as np
from numpy.typing import NDArray


def disc(size: int, radius_fraction: float = 0.9) -> NDArray[np.bool_]:
    """Mask, bool (size, size), of the pixels within `radius_fraction` of half the slice."""
    if not 0 < radius_fraction <= 1:
        raise ValueError(f"The radius of the disc must be in (0, 1], not {radius_fraction}.")
    axis = np.arange(size) - (size - 1) / 2
    mask = axis[None, :] ** 2 + axis[:, None] ** 2 <= (radius_fraction * size / 2) ** 2
    return np.asarray(mask, np.bool_)
