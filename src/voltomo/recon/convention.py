"""Where a foreign library puts what it reconstructs, found by a test of its own at the start."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Floats = NDArray[np.float64]

# x and y in parts of the radius that all views cover, and the height of each blob.
_BLOBS = (
    (0.0, 0.05, 1.0),
    (0.55, 0.1, 0.8),
    (-0.2, 0.6, 0.6),
    (-0.5, -0.35, 0.9),
    (0.25, -0.6, 0.4),
)
_WIDTH_PIXELS = 3.0
# What a right reconstruction leaves of the blobs, in parts of their own strength.
LARGEST_ERROR = 0.1


@dataclass(frozen=True)
class Convention:
    """How to turn a library's slices into ours.

    Attributes
    ----------
    turns, mirrored : int, bool
        Quarter turns, and a mirroring before them, as `numpy.rot90` and ``[:, ::-1]``.
    x, y : float
        Pixels by which points lie off, after that.
    scale : float
        What values are multiplied with.
    error : float
        What was left of the test, over its own strength.
    """

    turns: int
    mirrored: bool
    x: float
    y: float
    scale: float
    error: float

    def apply(self, slice_: Image) -> Image:
        """A slice in our orientation and scale; its shift is left to `shift_of`."""
        image = slice_[:, ::-1] if self.mirrored else slice_
        return (np.rot90(image, self.turns) * np.float32(self.scale)).astype(np.float32)

    def shift_of(self, angles_deg: Floats) -> Floats:
        """Columns by which rows must be moved, so that points come to lie right, (views,)."""
        angles = np.radians(angles_deg)
        return -(self.x * np.cos(angles) + self.y * np.sin(angles))


def find_convention(
    reconstruct: Callable[[Image, Floats], Image], columns: int, angles_deg: Floats
) -> Convention:
    """Let a library reconstruct blobs whose slice is known, and compare.

    Parameters
    ----------
    reconstruct : callable
        From a sinogram (views, columns) with the axis in the middle, and angles in degrees, to
        a slice (columns, columns).
    columns : int
        Of the rows that will come.
    angles_deg : float64 (views,)
        Of the rows that will come.

    Raises
    ------
    ValueError
        The library does not give the blobs back in any orientation.
    """
    radius = 0.45 * columns
    blobs = np.array(_BLOBS) * [radius, radius, 1.0]
    place = np.arange(columns) - (columns - 1) / 2
    angles = np.radians(angles_deg)[:, None]
    rows = np.zeros((len(angles_deg), columns))
    for x, y, height in blobs:
        centre = x * np.cos(angles) + y * np.sin(angles)
        rows += height * _WIDTH_PIXELS * math.sqrt(2 * math.pi) * _bell(place[None, :] - centre)
    made = reconstruct(rows.astype(np.float32), angles_deg)
    if made.shape != (columns, columns) or not np.isfinite(made).all():
        raise ValueError(
            f"its test slice has the shape {made.shape} instead of {(columns, columns)}, or "
            "values that are not finite"
        )
    found = min(
        (
            _compared(made, blobs, turns, mirrored)
            for turns in range(4)
            for mirrored in (False, True)
        ),
        key=lambda one: one.error,
    )
    if not found.error < LARGEST_ERROR:
        raise ValueError(
            f"its test slice is off by {found.error:.0%} in every orientation: it reconstructs "
            "something else than filtered back-projection of these angles"
        )
    return found


def _bell(off: Floats) -> Floats:
    return np.exp(-(off**2) / (2 * _WIDTH_PIXELS**2))


def _blobs_at(blobs: Floats, size: int, x0: float, y0: float) -> Floats:
    """The slice of the blobs, all moved by (x0, y0)."""
    place = np.arange(size) - (size - 1) / 2
    total = np.zeros((size, size))
    for x, y, height in blobs:
        total += height * _bell(place[None, :] - x - x0) * _bell(place[:, None] - y - y0)
    return total


def _compared(made: Image, blobs: Floats, turns: int, mirrored: bool) -> Convention:
    """Scale and shift by least squares, the blobs moved along in some steps."""
    plain = Convention(turns, mirrored, 0.0, 0.0, 1.0, math.inf)
    image = plain.apply(made).astype(np.float64)
    size = len(image)
    axis = np.arange(size) - (size - 1) / 2
    inside = (axis[None, :] ** 2 + axis[:, None] ** 2 < (0.45 * size) ** 2)[1:-1, 1:-1]
    seen = image[1:-1, 1:-1][inside]
    strength = float(seen.std())
    x = y = 0.0
    found = plain
    for _ in range(5):
        truth = _blobs_at(blobs, size, x, y)
        along_x = (truth[1:-1, 2:] - truth[1:-1, :-2]) / 2
        along_y = (truth[2:, 1:-1] - truth[:-2, 1:-1]) / 2
        columns = [truth[1:-1, 1:-1][inside], -along_x[inside], -along_y[inside]]
        terms = np.stack([*columns, np.ones(len(seen))], axis=1)
        fit, *_ = np.linalg.lstsq(terms, seen, rcond=None)
        height = float(fit[0])
        if height <= 0 or strength == 0:
            return plain
        x += float(np.clip(fit[1] / height, -2, 2))
        y += float(np.clip(fit[2] / height, -2, 2))
        error = float(np.sqrt(np.mean((seen - terms @ fit) ** 2))) / strength
        found = Convention(turns, mirrored, x, y, 1 / height, error)
    return found


def shift_rows(rows: Image, columns: Floats | float) -> Image:
    """Rows (..., views, columns) moved to higher columns by fractions, by Fourier interpolation."""
    length = rows.shape[-1]
    pad = length // 2
    wide = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(pad, pad)], mode="edge")
    frequency = np.fft.rfftfreq(wide.shape[-1])
    by = np.broadcast_to(np.asarray(columns, np.float64), rows.shape[-2:-1])
    phase = np.exp(-2j * np.pi * frequency * by[:, None])
    moved = np.fft.irfft(np.fft.rfft(wide, axis=-1) * phase, wide.shape[-1], axis=-1)
    return moved[..., pad : pad + length].astype(np.float32)
