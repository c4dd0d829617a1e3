"""Exact path lengths through spheres and upright elliptic cylinders, and slices of them.

This is the twin's own forward model: it knows shapes, not voxels, and shares nothing with the
reconstruction that it tests. Lengths are in pixels. A point (x, y) of a slice falls on the column
``axis + x cos(angle) + y sin(angle)``.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@numba.njit(cache=True, nogil=True)
def _half_disc(t: float, s: float) -> float:
    """Integral of sqrt(s² − t²) from 0 to t."""
    if t >= s:
        return 0.25 * math.pi * s * s
    if t <= -s:
        return -0.25 * math.pi * s * s
    return 0.5 * (t * math.sqrt(s * s - t * t) + s * s * math.asin(t / s))


@numba.njit(cache=True, nogil=True)
def add_cylinders(profiles: Any, cylinders: Any, values: Any, angle: float, axis: float) -> None:
    """Add upright elliptic cylinders to profiles along the columns, averaged over each pixel.

    Parameters
    ----------
    profiles : float64 array, shape (k, columns)
        One for each kind of value.
    cylinders : array, shape (n, 5)
        x, y, semi-axes a, b, direction of a in radians.
    values : array, shape (n, k)
        Value per pixel length that a cylinder adds.
    """
    kinds, columns = profiles.shape
    cos, sin = math.cos(angle), math.sin(angle)
    for n in range(cylinders.shape[0]):
        x, y, a, b, turn = cylinders[n]
        centre = axis + x * cos + y * sin
        along, across = a * math.cos(angle - turn), b * math.sin(angle - turn)
        reach = math.sqrt(along * along + across * across)
        scale = 2.0 * a * b / (reach * reach)
        first = max(0, math.floor(centre - reach))
        last = min(columns - 1, math.ceil(centre + reach))
        for u in range(first, last + 1):
            upper = _half_disc(u + 0.5 - centre, reach)
            lower = _half_disc(u - 0.5 - centre, reach)
            length = scale * (upper - lower)
            for k in range(kinds):
                profiles[k, u] += length * values[n, k]


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_spheres(
    image: Any, spheres: Any, signs: Any, angle: float, axis: float, shift_rows: float
) -> None:
    """Add path lengths through spheres to an image, each pixel averaged over four points.

    Parameters
    ----------
    image : float32 array, shape (rows, columns)
    spheres : array, shape (n, 4)
        x, y, z (row), radius.
    signs : array, shape (n,)
        +1 for a sphere, −1 for a hollow in one.
    """
    rows, columns = image.shape
    cos, sin = math.cos(angle), math.sin(angle)
    for n in range(spheres.shape[0]):
        x, y, z, radius = spheres[n]
        u0 = np.float32(axis + x * cos + y * sin)
        v0 = np.float32(z + shift_rows)
        square = np.float32(radius * radius)
        weight = np.float32(0.5 * signs[n])
        first_row = max(0, math.floor(v0 - radius))
        last_row = min(rows - 1, math.ceil(v0 + radius))
        for v in range(first_row, last_row + 1):
            above = square - (np.float32(v) - np.float32(0.25) - v0) ** 2
            below = square - (np.float32(v) + np.float32(0.25) - v0) ** 2
            width = math.sqrt(max(above, below, np.float32(0.0)))
            first = max(0, math.floor(u0 - width))
            last = min(columns - 1, math.ceil(u0 + width))
            line = image[v]
            for u in range(first, last + 1):
                left = (np.float32(u) - np.float32(0.25) - u0) ** 2
                right = (np.float32(u) + np.float32(0.25) - u0) ** 2
                length = math.sqrt(max(above - left, np.float32(0.0)))
                length += math.sqrt(max(above - right, np.float32(0.0)))
                length += math.sqrt(max(below - left, np.float32(0.0)))
                length += math.sqrt(max(below - right, np.float32(0.0)))
                line[u] += weight * length


@numba.njit(cache=True, nogil=True)
def draw_cylinders(image: Any, cylinders: Any, values: Any, centre: float, fine: int) -> None:
    """Add the cylinders' values to a slice ``image[y, x]``, with ``fine``² points a pixel."""
    rows, columns = image.shape
    part = 1.0 / (fine * fine)
    for n in range(cylinders.shape[0]):
        x, y, a, b, turn = cylinders[n]
        cos, sin = math.cos(turn), math.sin(turn)
        reach = max(a, b) + 1.0
        for row in range(max(0, int(centre + y - reach)), min(rows, int(centre + y + reach) + 2)):
            for column in range(
                max(0, int(centre + x - reach)), min(columns, int(centre + x + reach) + 2)
            ):
                inside = 0
                for i in range(fine):
                    dy = row + (i + 0.5) / fine - 0.5 - centre - y
                    for j in range(fine):
                        dx = column + (j + 0.5) / fine - 0.5 - centre - x
                        along, across = (dx * cos + dy * sin) / a, (dy * cos - dx * sin) / b
                        if along * along + across * across <= 1.0:
                            inside += 1
                image[row, column] += values[n] * part * inside


@numba.njit(cache=True, nogil=True)
def draw_spheres(
    image: Any, spheres: Any, values: Any, centre: float, height: float, fine: int
) -> None:
    """Add the spheres' values to the slice of detector row ``height``, ``fine``³ points a voxel."""
    rows, columns = image.shape
    part = 1.0 / (fine * fine * fine)
    for n in range(spheres.shape[0]):
        x, y, z, radius = spheres[n]
        if abs(z - height) > radius + 0.5:
            continue
        square = radius * radius
        reach = radius + 1.0
        for row in range(max(0, int(centre + y - reach)), min(rows, int(centre + y + reach) + 2)):
            for column in range(
                max(0, int(centre + x - reach)), min(columns, int(centre + x + reach) + 2)
            ):
                inside = 0
                for k in range(fine):
                    dz = height + (k + 0.5) / fine - 0.5 - z
                    for i in range(fine):
                        dy = row + (i + 0.5) / fine - 0.5 - centre - y
                        for j in range(fine):
                            dx = column + (j + 0.5) / fine - 0.5 - centre - x
                            if dx * dx + dy * dy + dz * dz <= square:
                                inside += 1
                image[row, column] += values[n] * part * inside


@numba.njit(cache=True, nogil=True)
def place_spheres(spheres: Any, candidates: Any, gap: float) -> int:
    """Random sequential addition: keep the candidates that touch none before; returns how many.

    ``spheres`` (n, 4) takes those that are kept; candidates (m, 4) are tried in order.
    """
    kept = 0
    for m in range(candidates.shape[0]):
        if kept == spheres.shape[0]:
            break
        x, y, z, radius = candidates[m]
        free = True
        for n in range(kept):
            apart = radius + spheres[n, 3] + gap
            dz = z - spheres[n, 2]
            if abs(dz) < apart:
                dx, dy = x - spheres[n, 0], y - spheres[n, 1]
                if dx * dx + dy * dy + dz * dz < apart * apart:
                    free = False
                    break
        if free:
            spheres[kept, 0], spheres[kept, 1] = x, y
            spheres[kept, 2], spheres[kept, 3] = z, radius
            kept += 1
    return kept
