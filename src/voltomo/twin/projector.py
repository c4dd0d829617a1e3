"""Exact path lengths through spheres, elliptic cylinders and discs, and slices of them.

This is the twin's own forward model: it knows shapes, not voxels, and shares nothing with the
reconstruction that it tests. Lengths are in pixels. Where a point falls is said in
`voltomo.model.geometry`: u across the beam, v up, both from where the axis passes the middle row.
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
def add_cylinders(
    profiles: Any, cylinders: Any, values: Any, angle: float, axis: float, pitch: float
) -> None:
    """Add endless elliptic cylinders along the axis to profiles across it, averaged over each bin.

    Parameters
    ----------
    profiles : float64 array, shape (k, bins)
        One for each kind of value; bin n lies at ``n pitch``.
    cylinders : array, shape (n, 5)
        x, y, semi-axes a, b, direction of a in radians.
    values : array, shape (n, k)
        Value per pixel length that a cylinder adds.
    angle : float
        Of the stage, in radians.
    axis : float
        Where the rotation axis lies, in pixels.
    pitch : float
        Width of a bin in pixels.
    """
    kinds, bins = profiles.shape
    cos, sin = math.cos(angle), math.sin(angle)
    for n in range(cylinders.shape[0]):
        x, y, a, b, turn = cylinders[n]
        centre = axis + x * cos + y * sin
        along, across = a * math.cos(angle - turn), b * math.sin(angle - turn)
        reach = math.sqrt(along * along + across * across)
        scale = 2.0 * a * b / (reach * reach) / pitch
        first = max(0, math.floor((centre - reach) / pitch))
        last = min(bins - 1, math.ceil((centre + reach) / pitch))
        for u in range(first, last + 1):
            upper = _half_disc((u + 0.5) * pitch - centre, reach)
            lower = _half_disc((u - 0.5) * pitch - centre, reach)
            length = scale * (upper - lower)
            for k in range(kinds):
                profiles[k, u] += length * values[n, k]


@numba.njit(cache=True, nogil=True)
def spread_profile(image: Any, profile: Any, pitch: float, start: float, view: Any) -> None:
    """Add to each pixel the value of a profile across the rolled axis, linear between its bins.

    ``start`` is u of bin 0; ``view`` is cos and sin of the roll, then column and row of the axis.
    """
    rows, columns = image.shape
    cos, sin, axis, middle = view
    last = profile.shape[0] - 2
    for v in range(rows):
        for u in range(columns):
            place = ((u - axis) * cos - (v - middle) * sin - start) / pitch
            low = min(max(math.floor(place), 0), last)
            part = min(max(place - low, 0.0), 1.0)
            image[v, u] += np.float32(profile[low] * (1.0 - part) + profile[low + 1] * part)


@numba.njit(cache=True, nogil=True)
def centres(points: Any, angle: float, tilt: float, roll: float, place: Any) -> Any:
    """Columns and rows on which points fall, shape (n, 2).

    Parameters
    ----------
    points : array, shape (n, ≥ 3)
        x, y, and z as the row on which the point falls without tilt.
    angle, tilt, roll : float
        In radians.
    place : tuple of 4 floats
        Column of the axis, middle row, and how far the sample is moved across and up.
    """
    axis, middle, across, up = place
    found = np.empty((points.shape[0], 2))
    cos, sin = math.cos(angle), math.sin(angle)
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2] - middle
        u = x * cos + y * sin + across
        v = z * math.cos(tilt) + (y * cos - x * sin) * math.sin(tilt) + up
        found[n, 0] = axis + u * math.cos(roll) + v * math.sin(roll)
        found[n, 1] = middle + v * math.cos(roll) - u * math.sin(roll)
    return found


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_spheres(image: Any, places: Any, radii: Any, signs: Any) -> None:
    """Add path lengths through spheres to an image, each pixel averaged over four points.

    Parameters
    ----------
    image : float32 array, shape (rows, columns)
    places : array, shape (n, 2)
        Column and row of each centre.
    radii : array, shape (n,)
    signs : array, shape (n,)
        +1 for a sphere, −1 for a hollow in one.
    """
    rows, columns = image.shape
    for n in range(places.shape[0]):
        radius = radii[n]
        u0 = np.float32(places[n, 0])
        v0 = np.float32(places[n, 1])
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
def _disc_length(u: float, v: float, disc: Any, cos: float, sin: float) -> float:
    """Path of the ray at (u, v) through a disc: centre u, w, h, radius, half its height."""
    du = u - disc[0]
    square = disc[3] * disc[3] - du * du
    if square <= 0.0:
        return 0.0
    reach = math.sqrt(square)
    # Along the ray: w = v sin + s cos, h = v cos - s sin.
    begin = (disc[1] - reach - v * sin) / cos
    end = (disc[1] + reach - v * sin) / cos
    above = v * cos - disc[2]
    if sin < 1e-9:
        # The rays lie within the disc: that part of a quarter of a pixel which it fills.
        part = min((disc[4] + 0.25 - abs(above)) / 0.5, 1.0, disc[4] / 0.25)
        return max(part, 0.0) * (end - begin)
    begin = max(begin, (above - disc[4]) / sin)
    end = min(end, (above + disc[4]) / sin)
    return max(end - begin, 0.0)


@numba.njit(cache=True, nogil=True)
def add_discs(
    images: Any, discs: Any, values: Any, angle: float, tilt: float, view: Any, moved: Any
) -> None:
    """Add round discs across the axis to images, each pixel averaged over four points.

    Parameters
    ----------
    images : float32 array, shape (k, rows, columns)
        One for each kind of value.
    discs : array, shape (n, 5)
        x, y, height above the middle row along the axis, radius, half the thickness.
    values : array, shape (n, k)
        Value per pixel length that a disc adds.
    angle, tilt : float
        In radians; 0 ≤ tilt < π/2.
    view : tuple of 4 floats
        Cos and sin of the roll, column of the axis, middle row.
    moved : tuple of 2 floats
        How far the sample is moved across and up.
    """
    kinds, rows, columns = images.shape
    roll_cos, roll_sin, axis, middle = view
    cos, sin = math.cos(tilt), math.sin(tilt)
    seen = np.empty(5)
    for n in range(discs.shape[0]):
        x, y = discs[n, 0], discs[n, 1]
        seen[0] = x * math.cos(angle) + y * math.sin(angle)
        seen[1] = y * math.cos(angle) - x * math.sin(angle)
        seen[2:] = discs[n, 2:]
        for row in range(rows):
            for column in range(columns):
                length = 0.0
                for part in range(4):
                    a = column + (part % 2) * 0.5 - 0.25 - axis
                    b = row + (part // 2) * 0.5 - 0.25 - middle
                    u = a * roll_cos - b * roll_sin - moved[0]
                    v = a * roll_sin + b * roll_cos - moved[1]
                    length += 0.25 * _disc_length(u, v, seen, cos, sin)
                for k in range(kinds):
                    images[k, row, column] += np.float32(length * values[n, k])


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
