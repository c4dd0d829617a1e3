"""A whole slice in one call."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.sheared_rows import SliceReconstructor


def fbp(
    sinogram: NDArray[np.float32],
    angles_deg: ArrayLike,
    axis_column: float | None = None,
    size: int | None = None,
    weights_rad: ArrayLike | None = None,
) -> NDArray[np.float32]:
    """Filtered back-projection with the same code, and so the same result, as the live slice.

    Parameters
    ----------
    sinogram : float32 (views, columns)
        Line integrals.
    angles_deg : array_like (views,)
        Angles at mid-exposure, in any order.
    axis_column : float, optional
        Column of the rotation axis; the middle, (columns - 1) / 2, by default.
    size : int, optional
        N of the slice; the number of columns by default.
    weights_rad : array_like (views,), optional
        From `voltomo.analysis.weights.angular_weights`; equal shares of pi by default.

    Returns
    -------
    float32 (N, N)
        Attenuation per pixel.
    """
    if sinogram.ndim != 2:
        raise ValueError(f"A sinogram is (views, columns); this one has shape {sinogram.shape}.")
    columns = sinogram.shape[1]
    axis = (columns - 1) / 2 if axis_column is None else axis_column
    return SliceReconstructor(columns, axis, size).rebuild(sinogram, angles_deg, weights_rad)
