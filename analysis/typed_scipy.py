"""The few functions of scipy that the numerics use, with their types, which scipy lacks."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import scipy.fft  # pyright: ignore[reportMissingTypeStubs]
import scipy.interpolate  # pyright: ignore[reportMissingTypeStubs]
import scipy.linalg  # pyright: ignore[reportMissingTypeStubs]
import scipy.ndimage  # pyright: ignore[reportMissingTypeStubs]
import scipy.optimize  # pyright: ignore[reportMissingTypeStubs]
import scipy.signal  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

Real = TypeVar("Real", bound=np.floating[Any])

_fft = cast(Any, scipy.fft)
_interpolate = cast(Any, scipy.interpolate)
_linalg = cast(Any, scipy.linalg)
_ndimage = cast(Any, scipy.ndimage)
_optimize = cast(Any, scipy.optimize)
_signal = cast(Any, scipy.signal)

# A spline of rows: its value, or a derivative of it, at the given columns.
Spline = Callable[[NDArray[np.float64], int], NDArray[np.float64]]


def fast_length(length: int) -> int:
    """Smallest length, not below `length`, for which a complex transform is fast."""
    return int(_fft.next_fast_len(length))


def fft_rows(rows: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Transform along the last axis; `rows` may be overwritten."""
    return _fft.fft(rows, axis=-1, overwrite_x=True)


def ifft_rows(rows: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Inverse transform along the last axis; `rows` may be overwritten."""
    return _fft.ifft(rows, axis=-1, overwrite_x=True)


def rfft_rows(rows: NDArray[np.float64], length: int) -> NDArray[np.complex128]:
    """Transform of real rows, padded with zeros to `length`."""
    return _fft.rfft(rows, length, axis=-1)


def irfft_rows(spectrum: NDArray[np.complex128], length: int) -> NDArray[np.float64]:
    """Inverse of `rfft_rows`."""
    return _fft.irfft(spectrum, length, axis=-1)


def smooth_rows(rows: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Gaussian smoothing along the last axis."""
    return _ndimage.gaussian_filter1d(rows, sigma, axis=-1)


def smooth_image(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Gaussian smoothing along all axes."""
    return _ndimage.gaussian_filter(image, sigma, mode="nearest")


def spline_rows(rows: NDArray[np.float64]) -> Spline:
    """Cubic spline through rows (rows, columns), as a function of the column."""
    return _interpolate.CubicSpline(np.arange(rows.shape[-1]), rows, axis=-1)


def robust_fit(
    residual: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    start: NDArray[np.float64],
    bounds: tuple[NDArray[np.float64], NDArray[np.float64]],
    scale: NDArray[np.float64],
    outlier: float,
) -> NDArray[np.float64]:
    """Parameters of least residuals, those far above `outlier` counting by their size alone."""
    found = _optimize.least_squares(
        residual, start, bounds=bounds, x_scale=scale, loss="soft_l1", f_scale=outlier
    )
    return found.x


def parabola_along(rows: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Along the last axis, the middle of a parabola through an odd number of columns."""
    return _signal.savgol_filter(rows, width, 2, axis=-1, mode="nearest")


def median_along(rows: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Running median along the last axis, over an odd number of columns."""
    return _ndimage.median_filter(rows, size=(1, width), mode="nearest")


def rfft_image(image: NDArray[np.float32]) -> NDArray[np.complex64]:
    """Transform of a real image."""
    return _fft.rfft2(image)


def irfft_image(spectrum: NDArray[np.complex64], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Inverse of `rfft_image`."""
    return _fft.irfft2(spectrum, shape)


def fft_second_axis(values: NDArray[np.complex64]) -> None:
    """Transform in place along the second axis, by one thread."""
    transformed = _fft.fft(values, axis=1, overwrite_x=True, workers=1)
    if not np.shares_memory(transformed, values):
        values[...] = transformed


def unscaled_ifft(values: NDArray[np.complex64], axis: int) -> None:
    """Inverse transform in place along one axis, without the factor 1 / length."""
    transformed = _fft.ifft(values, axis=axis, overwrite_x=True, norm="forward", workers=1)
    if not np.shares_memory(transformed, values):
        values[...] = transformed


def spline_image(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients of the cubic spline through an image, for `sample_spline`."""
    return _ndimage.spline_filter(image, order=3, mode="nearest")


def sample_spline(
    coefficients: NDArray[np.float64], at: NDArray[np.float64], order: int = 3
) -> NDArray[np.float64]:
    """Values at points (2, n), rows first; of order 1, an image itself takes the coefficients."""
    return _ndimage.map_coordinates(coefficients, at, order=order, mode="nearest", prefilter=False)


def shift_spline(image: NDArray[np.float32], shift: list[float]) -> NDArray[np.float32]:
    """The image moved farther on along each axis, by a cubic spline; edges are continued."""
    return _ndimage.shift(image, shift, order=3, mode="nearest")


def rfft_all(
    values: NDArray[np.float64], shape: tuple[int, ...] | None = None
) -> NDArray[np.complex128]:
    """Transform of real values along all axes, padded with zeros to a shape; the last is halved."""
    return _fft.rfftn(values, shape)


def irfft_all(spectrum: NDArray[np.complex128], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Inverse of `rfft_all`."""
    return _fft.irfftn(spectrum, shape)


def solve_tridiagonal(
    diagonal: NDArray[np.float64], beside: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solution of a symmetric system with one diagonal (n,) and one beside it (n - 1,)."""
    bands = np.zeros((2, len(diagonal)))
    bands[0, 1:], bands[1] = beside, diagonal
    return _linalg.solveh_banded(bands, right, check_finite=False)


def slope_along(image: NDArray[Real], axis: int) -> NDArray[Real]:
    """Central differences; zero across a single row."""
    slope = np.zeros_like(image)
    if image.shape[axis] > 2:
        along = np.moveaxis(image, axis, 0)
        np.moveaxis(slope, axis, 0)[1:-1] = (along[2:] - along[:-2]) / 2
    return slope


def close_image(image: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Grey closing by a square: fills what is dark and narrower than it."""
    return _ndimage.grey_closing(image, size=(width, width), mode="nearest")


def open_image(image: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Grey opening by a square: takes away what is bright and narrower than it."""
    return _ndimage.grey_opening(image, size=(width, width), mode="nearest")


def label_blobs(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number of the blob that each element belongs to, 0 for none; neighbours share a side."""
    labels, _ = _ndimage.label(mask)
    return labels
