"""Two volumes laid upon each other before gas is sought, or a sentence why they cannot be."""

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.registration import SMOOTHING, Shift, find_shift, laid_upon
from voltomo.analysis.typed_scipy import slope_along, smooth_image
from voltomo.model.sentence import SentenceError

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]

_FEWEST_VOXELS = 8
"""A thinner axis is taken as not moved."""
_LEAST_OVERLAP = 0.4
"""Part of the volume that both must show."""
_STILL = 0.01
"""Voxels that are not worth a resampling."""


class NotRegistered(SentenceError):
    """Two volumes could not be laid upon each other for certain; no gas was sought."""


def registered(before: Volume, after: Volume, most_misplaced: float) -> tuple[Volume, Mask]:
    """`after` moved onto `before`, and where both are seen.

    Parameters
    ----------
    before, after : float32 (Z, Y, X)
        A slice is a volume of depth 1. An axis of fewer than eight voxels is taken as not moved.
    most_misplaced : float
        Voxels that edges may lie apart afterwards.

    Raises
    ------
    NotRegistered
        The shift is not certain, or too little is seen in both.
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
    shift = _shift(before, after)
    if max(map(abs, shift.pixels)) < _STILL:
        moved, seen = after, np.ones(after.shape, np.bool_)
    else:
        moved, seen = laid_upon(after, shift)
    if _is_round(before) and _is_round(after):
        seen &= _cylinder(before.shape, shift.pixels)
    words = ", ".join(f"{one:.1f}" for one in shift.pixels)
    if float(seen.mean()) < _LEAST_OVERLAP:
        raise NotRegistered(
            f"the sample seems moved by ({words}) voxels, and {100 * float(seen.mean()):.0f} % of "
            f"the volume is seen in both; expected {100 * _LEAST_OVERLAP:.0f} % or more; no gas "
            "was sought; take a new first volume"
        )
    apart = _misplaced_voxels(before, moved, seen)
    if not apart <= most_misplaced:
        raise NotRegistered(
            f"at the shift that fits best, ({words}) voxels, edges still lie {apart:.1f} voxels "
            f"apart, expected {most_misplaced:g} or less: the sample has turned or changed, or the "
            "shift is wrong; no gas was sought; take a new first volume"
        )
    return moved, seen


def _shift(before: Volume, after: Volume) -> Shift:
    """Of a volume, zero along its thin axes."""
    thin = tuple(axis for axis, size in enumerate(before.shape) if size < _FEWEST_VOXELS)
    if len(thin) > 1:
        raise NotRegistered(
            f"volumes of {before.shape} voxels cannot be registered; expected {_FEWEST_VOXELS} or "
            "more along two axes; no gas was sought"
        )
    still = before.mean(axis=thin, dtype=np.float32) if thin else before
    later = after.mean(axis=thin, dtype=np.float32) if thin else after
    try:
        found = find_shift(still, later)
    except ValueError as error:
        raise NotRegistered(
            f"the volumes could not be registered: {error} No gas was sought."
        ) from error
    if not found.certain:
        least = ", ".join(f"{one:.1f}" for one in found.sigma)
        raise NotRegistered(
            f"the shift between the volumes is known to ({least}) voxels only, expected half a "
            "voxel, 95 times in a hundred; no gas was sought; take better volumes"
        )
    pixels, sigma = list(found.pixels), list(found.sigma)
    for axis in thin:
        pixels.insert(axis, 0.0)
        sigma.insert(axis, 0.0)
    return Shift(tuple(pixels), tuple(sigma))


def _misplaced_voxels(before: Volume, moved: Volume, seen: Mask) -> float:
    """How far edges still lie apart: what differs there, beyond what differs elsewhere."""
    still = smooth_image(before, SMOOTHING)
    away = smooth_image(moved, SMOOTHING) - still
    slope = np.zeros(before.shape, np.float32)
    axes = [axis for axis, size in enumerate(before.shape) if size >= _FEWEST_VOXELS]
    for axis in axes:
        slope += slope_along(still, axis) ** 2
    away, slope = away[seen] - float(np.median(away[seen])), slope[seen]
    steep = slope >= float(np.quantile(slope, 0.9))
    even = slope <= float(np.median(slope))
    more = _spread(away[steep]) ** 2 - _spread(away[even]) ** 2
    a_voxel = float(slope[steep].mean() - slope[even].mean()) / len(axes)
    return math.sqrt(max(more, 0.0) / max(a_voxel, 1e-30))


def _spread(values: Volume) -> float:
    return 1.4826 * float(np.median(np.abs(values)))


def _cylinder(shape: tuple[int, ...], shift: tuple[float, ...]) -> Mask:
    """Where both of two volumes were made that are round: a cylinder, and the same one shifted."""
    _, rows, columns = shape
    row, column = np.ogrid[0:rows, 0:columns]
    seen = np.ones((rows, columns), np.bool_)
    for down, right in ((0.0, 0.0), shift[1:]):
        away = np.hypot(row - (rows - 1) / 2 + down, column - (columns - 1) / 2 + right)
        seen &= away <= min(rows, columns) / 2 - 1
    return np.broadcast_to(seen, shape)


def _is_round(volume: Volume) -> bool:
    """Whether nothing was made outside of the largest circle of its slices."""
    depth, rows, columns = volume.shape
    place = np.hypot(*(np.indices((rows, columns)) - np.array([[[rows - 1]], [[columns - 1]]]) / 2))
    return depth > 0 and not volume[:, place > min(rows, columns) / 2 + 1].any()
