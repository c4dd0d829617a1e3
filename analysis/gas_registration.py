"""One volume brought onto another by a shift: what is compared must lie in one place."""

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.typed_scipy import shift_volume, smooth_image

Volume = NDArray[np.float32]

_SMOOTHING = 1.0
_TURNS = 6
_MOST_VOXELS = 8.0
_ENOUGH = 5e-3


def shift_between(before: Volume, after: Volume) -> NDArray[np.float64]:
    """By how many voxels along each axis `after` lies farther on than `before`.

    Least squares of the difference over the slopes, again after each step (B. D. Lucas and
    T. Kanade, Proc. 7th IJCAI, 674, 1981); voxels that differ much, by change rather than by
    movement, are left out.

    Parameters
    ----------
    before, after : float32 (Z, Y, X)
        An axis of fewer than eight voxels is taken as not moved.

    Returns
    -------
    float64 (3,)
        Zero where there is nothing to register by.
    """
    inner = tuple(slice(3, -3) if size >= 8 else slice(None) for size in before.shape)
    axes = [axis for axis, size in enumerate(before.shape) if size >= 8]
    still, later = smooth_image(before, _SMOOTHING), smooth_image(after, _SMOOTHING)
    slopes = np.stack(
        [np.asarray(np.gradient(still, axis=axis), np.float32)[inner].ravel() for axis in axes]
    ).astype(np.float64)
    shift = np.zeros(before.ndim)
    for _ in range(_TURNS):
        moved = shift_volume(later, -shift, order=1) if shift.any() else later
        residual = (moved - still)[inner].ravel().astype(np.float64)
        residual -= float(np.median(residual))
        kept = np.abs(residual) <= float(np.quantile(np.abs(residual), 0.995))
        normal = slopes[:, kept] @ slopes[:, kept].T
        if not float(np.linalg.cond(normal)) < 1e8:
            return np.zeros(before.ndim)
        step = -np.linalg.solve(normal, slopes[:, kept] @ residual[kept])
        shift[axes] += np.clip(step, -2, 2)
        if float(np.abs(step).max()) < _ENOUGH:
            break
    return shift if float(np.abs(shift).max()) <= _MOST_VOXELS else np.zeros(before.ndim)


def registered(before: Volume, after: Volume) -> Volume:
    """`after` shifted onto `before`, by cubic splines; unchanged where they lie together.

    Raises
    ------
    ValueError
        If shapes differ, are not volumes, or values are not finite.
    """
    if before.shape != after.shape or before.ndim != 3:
        raise ValueError(
            f"Two volumes of one shape can be compared: {before.shape}, {after.shape}. A slice is "
            f"a volume of depth 1."
        )
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("A volume to compare has values that are not finite. Nothing was sought.")
    shift = shift_between(before, after)
    if float(np.abs(shift).max()) < 2 * _ENOUGH:
        return after
    return shift_volume(after, -shift, order=3)
