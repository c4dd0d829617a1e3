"""What every reconstruction of horizontal slices asks of geometry and angles."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.reconstructor import SliceGeometry
from voltomo.analysis.weights import angular_weights

# With fewer views than this, angles that fit into 2 pi may well be degrees.
_VIEWS_TO_TELL_RADIANS = 20


def require_level_rows(geometry: SliceGeometry) -> None:
    """Refuse geometries in which a horizontal slice needs more than one detector row.

    Raises
    ------
    ValueError
        If the axis is tilted, or rolled by more than half a pixel at the end of a row.
    """
    if geometry.tilt_deg != 0:
        raise ValueError(
            f"A single detector row gives a slice only at tilt 0 (tomography); the geometry "
            f"has {geometry.tilt_deg} deg. Use a reconstructor for laminography."
        )
    climb = abs(math.radians(geometry.roll_deg)) * geometry.columns / 2
    if climb > 0.5:
        raise ValueError(
            f"The axis is rolled by {geometry.roll_deg} deg, {climb:.1f} rows at the end of "
            f"a row; one row can be used up to half a row. Rotate the projections first."
        )


def require_slice_on_row(n_columns: int, axis_column: float, size: int) -> None:
    """Refuse an axis beside the detector row, and a slice without pixels.

    Raises
    ------
    ValueError
        If the axis lies outside the row or the slice has no pixels.
    """
    if not 0 <= axis_column <= n_columns - 1:
        raise ValueError(
            f"The rotation axis must lie on the detector row, columns 0 to {n_columns - 1}; "
            f"it was given at column {axis_column}. Nothing was reconstructed: check the axis."
        )
    if size < 2:
        raise ValueError(f"A slice needs at least 2 x 2 pixels, not {size} x {size}.")


def checked_angles(angles_deg: ArrayLike) -> NDArray[np.float64]:
    """Return the angles of a whole scan, float64 (views,), in degrees.

    Raises
    ------
    ValueError
        If there are none, some are not finite, or they look like radians.
    """
    angles = np.asarray(angles_deg, np.float64)
    if angles.ndim != 1 or angles.size == 0:
        raise ValueError(
            f"A scan needs a list of angles, one a view; the array has shape {angles.shape}. "
            f"Nothing was reconstructed."
        )
    if not np.isfinite(angles).all():
        bad = np.flatnonzero(~np.isfinite(angles)).tolist()
        raise ValueError(
            f"All angles must be finite; those of views {bad[:10]} are not. "
            f"Nothing was reconstructed: leave those views out."
        )
    if angles.size >= _VIEWS_TO_TELL_RADIANS:
        # A whole scan by even steps covers half a turn or a turn, less a step or not.
        span = float(np.ptp(angles))
        step = span / (angles.size - 1)
        turns = (math.pi, 2 * math.pi)
        if any(abs(covered / turn - 1) < 1e-3 for covered in (span, span + step) for turn in turns):
            raise ValueError(
                f"Angles are expected in degrees; these {angles.size} views cover {span:.4f}, "
                f"which looks like radians. Nothing was reconstructed: convert them by "
                f"numpy.degrees."
            )
    return angles


def scan_weights(
    angles_deg: NDArray[np.float64], weights_rad: ArrayLike | None
) -> NDArray[np.float64]:
    """Return the weights of a whole scan, float64 (views,); from the angles where none are given.

    Raises
    ------
    ValueError
        If there is not one for each view, or one is negative or not finite.
    """
    if weights_rad is None:
        return angular_weights(angles_deg)
    weights = np.asarray(weights_rad, np.float64)
    if weights.shape != angles_deg.shape:
        raise ValueError(
            f"There must be one weight a view; there are {weights.shape} for "
            f"{angles_deg.size} views. Nothing was reconstructed."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise ValueError(
            "All weights must be 0 or more and finite; some are not. Nothing was reconstructed."
        )
    return weights


def require_sinograms(sinograms: NDArray[np.float32], views: int, n_columns: int) -> None:
    """Refuse what is not a stack of sinograms of the prepared scan.

    Raises
    ------
    ValueError
        If the array is not real or not (slices, views, columns).
    """
    if sinograms.ndim != 3 or sinograms.shape[1:] != (views, n_columns):
        raise ValueError(
            f"Sinograms must be (slices, {views} views, {n_columns} columns) as prepared; these "
            f"are {sinograms.shape}. Nothing was reconstructed: check angles, region and order "
            f"of axes."
        )
    if sinograms.dtype.kind not in "fiu":
        raise ValueError(
            f"Sinograms must be real numbers; these are {sinograms.dtype}. Nothing was "
            f"reconstructed."
        )


def spoilt_sinogram(sinogram: NDArray[np.float32], number: int) -> ValueError:
    """The error for a sinogram (views, columns) with values that are not finite."""
    bad = ~np.isfinite(sinogram)
    views = np.flatnonzero(bad.any(1)).tolist()
    return ValueError(
        f"Sinogram {number} has {int(bad.sum())} values that are not finite, in "
        f"{len(views)} of its {len(sinogram)} views, the first of them {views[:5]}. Its slice "
        f"was not made: check flats and darks, or leave those views out."
    )
