"""The beam's profile from a flat: how much more than its mean the brightest place gets."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.ndimage import uniform_filter

__all__ = ["BeamProfile", "profile_of"]

_FOOT = 0.01
_SMOOTH_pixels = 5
_HIGHEST = 0.999


class BeamProfile(BaseModel):
    """Profile of a beam.

    Parameters
    ----------
    width_mm, height_mm : float
        Of the beam at its foot, one hundredth of its peak; of the field where it fills that.
    peak_over_mean : float
        The brightest place over the mean inside that.
    middle_over_mean : float
        The same for what a pinhole in the middle of the field sees.
    fills_field : bool
        Whether the beam is wider than the field, so that its own size is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    width_mm: float = Field(gt=0)
    height_mm: float = Field(gt=0)
    peak_over_mean: float = Field(ge=1)
    middle_over_mean: float = Field(gt=0)
    fills_field: bool


def profile_of(
    flat: NDArray[Any], dark: NDArray[Any], pixel_um: float, pinhole_mm: float = 0.5
) -> BeamProfile:
    """The profile that a flat shows; the detector's own unevenness counts as the beam's.

    Parameters
    ----------
    flat, dark : arrays, shape (rows, columns)
        Means of frames of the open beam, and without it.
    pixel_um : float
        Pixel size at the sample.
    pinhole_mm : float
        Side of the pinhole in the middle of the field before diode or chamber.

    Raises
    ------
    ValueError
        The flat shows no beam.
    """
    light = np.asarray(flat, np.float64) - np.asarray(dark, np.float64)
    # Single hot pixels are no beam; a mean over a few is what a voxel of a dose map gets.
    smooth = uniform_filter(light, _SMOOTH_pixels, mode="nearest")
    peak = float(np.quantile(smooth, _HIGHEST))
    if not np.isfinite(peak) or peak <= max(3 * float(light.std()) / _SMOOTH_pixels * 0.01, 0.0):
        raise ValueError(
            "expected a flat that is brighter than its dark, saw none: take flats with the shutter "
            "open and the sample out of the field"
        )
    lit = smooth > _FOOT * peak
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    inside = smooth[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    mean = float(inside.mean())
    edges = (rows[0] == 0, rows[-1] == light.shape[0] - 1, columns[0] == 0,
             columns[-1] == light.shape[1] - 1)  # fmt: skip
    half = max(round(pinhole_mm * 500 / pixel_um), 1)
    row, column = light.shape[0] // 2, light.shape[1] // 2
    middle = smooth[max(row - half, 0) : row + half, max(column - half, 0) : column + half]
    return BeamProfile(
        width_mm=inside.shape[1] * pixel_um * 1e-3,
        height_mm=inside.shape[0] * pixel_um * 1e-3,
        peak_over_mean=max(peak / mean, 1.0),
        middle_over_mean=float(middle.mean()) / mean,
        fills_field=any(bool(edge) for edge in edges),
    )
