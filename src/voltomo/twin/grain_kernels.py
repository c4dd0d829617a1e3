"""Exact path lengths through grains and through the cracks and hollows in them, and their labels.

A void is what a slab and a ball have in common within the grain that holds it: an endless slab
leaves a hollow, a thin one a crack. Voids of one grain may cross each other: of every ray the
union of its ways through them is taken, so that nothing is taken away twice.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

_MOST_VOIDS = 8


@numba.njit(cache=True, nogil=True)
def place_apart(candidates: Any, tries: int, gap: float) -> Any:
    """Random sequential addition: which of the candidates (n, 4) touch none before them.

    So many candidates that follow each other are places for one and the same grain.
    """
    kept = np.zeros(candidates.shape[0], np.bool_)
    placed = np.empty_like(candidates)
    count = last = 0
    for m in range(candidates.shape[0]):
        if last == m // tries + 1:
            continue
        x, y, z, radius = candidates[m]
        free = True
        for n in range(count):
            apart = radius + placed[n, 3] + gap
            dx, dy, dz = x - placed[n, 0], y - placed[n, 1], z - placed[n, 2]
            if dx * dx + dy * dy + dz * dz < apart * apart:
                free = False
                break
        if free:
            kept[m] = True
            placed[count] = candidates[m]
            count += 1
            last = m // tries + 1
    return kept


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_grains(images: Any, places: Any, radii: Any, values: Any) -> None:
    """Add spheres to images, each with values of its own, each pixel averaged over four points.

    Parameters
    ----------
    images : float32 array, shape (k, rows, columns)
        One for each kind of value.
    places : array, shape (n, 2)
        Column and row of each centre.
    radii : array, shape (n,)
    values : array, shape (n, k)
        Per pixel length, more than what lies around.
    """
    kinds, rows, columns = images.shape
    for n in range(places.shape[0]):
        radius, u0, v0 = radii[n], places[n, 0], places[n, 1]
        square = radius * radius
        for v in range(max(0, math.floor(v0 - radius)), min(rows - 1, math.ceil(v0 + radius)) + 1):
            above = square - (v - 0.25 - v0) ** 2
            below = square - (v + 0.25 - v0) ** 2
            width = math.sqrt(max(above, below, 0.0))
            first = max(0, math.floor(u0 - width))
            last = min(columns - 1, math.ceil(u0 + width))
            for u in range(first, last + 1):
                left, right = (u - 0.25 - u0) ** 2, (u + 0.25 - u0) ** 2
                length = math.sqrt(max(above - left, 0.0)) + math.sqrt(max(above - right, 0.0))
                length += math.sqrt(max(below - left, 0.0)) + math.sqrt(max(below - right, 0.0))
                for k in range(kinds):
                    images[k, v, u] += np.float32(0.5 * length * values[n, k])


@numba.njit(cache=True, nogil=True)
def seen(points: Any, angle: float, tilt: float) -> Any:
    """Points or directions (n, 3) in the beam's own frame: across, up, and along the rays."""
    out = np.empty((points.shape[0], 3))
    cos, sin = math.cos(angle), math.sin(angle)
    for n in range(points.shape[0]):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        along = y * cos - x * sin
        out[n, 0] = x * cos + y * sin
        out[n, 1] = z * math.cos(tilt) + along * math.sin(tilt)
        out[n, 2] = along * math.cos(tilt) - z * math.sin(tilt)
    return out


@numba.njit(cache=True, nogil=True)
def _union(begins: Any, ends: Any, count: int) -> float:
    """Total length of intervals that may overlap; sorts them in place."""
    for i in range(1, count):
        for j in range(i, 0, -1):
            if begins[j] >= begins[j - 1]:
                break
            begins[j], begins[j - 1] = begins[j - 1], begins[j]
            ends[j], ends[j - 1] = ends[j - 1], ends[j]
    total, reached = 0.0, -1e30
    for i in range(count):
        begin = max(begins[i], reached)
        if ends[i] > begin:
            total += ends[i] - begin
            reached = ends[i]
    return total


@numba.njit(cache=True, nogil=True, fastmath=True)
def _way_through(
    u: float, v: float, host: Any, radius: float, balls: Any, voids: Any, normals: Any,
    begins: Any, ends: Any,
) -> float:  # fmt: skip
    """Length of the ray at (u, v) within the voids of one grain."""
    square = radius * radius - (u - host[0]) ** 2 - (v - host[1]) ** 2
    if square <= 0.0:
        return 0.0
    reach = math.sqrt(square)
    count = 0
    for n in range(balls.shape[0]):
        du, dv = u - balls[n, 0], v - balls[n, 1]
        inner = voids[n, 3] * voids[n, 3] - du * du - dv * dv
        if inner <= 0.0:
            continue
        half = math.sqrt(inner)
        middle = balls[n, 2]
        begin = max(host[2] - reach, middle - half)
        end = min(host[2] + reach, middle + half)
        away = normals[n, 0] * du + normals[n, 1] * dv
        slope, width = normals[n, 2], voids[n, 7]
        if abs(slope) < 1e-9:
            if abs(away) > width:
                continue
        else:
            one, other = middle + (-width - away) / slope, middle + (width - away) / slope
            begin, end = max(begin, min(one, other)), min(end, max(one, other))
        if end > begin:
            begins[count], ends[count] = begin, end
            count += 1
    return _union(begins, ends, count)


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_voids(
    lengths: Any, grains: Any, voids: Any, hosts: Any, angle: float, tilt: float, view: Any,
    moved: Any,
) -> None:  # fmt: skip
    """Add path lengths within voids to an image, each pixel averaged over four points.

    Parameters
    ----------
    lengths : float32 array, shape (rows, columns)
    grains : array, shape (n, 4)
        x, y, height above the middle row, radius.
    voids : array, shape (k, 8)
        x, y, height of the ball, its radius, the slab's normal through its middle, half its width.
    hosts : int array, shape (k,)
        Which grain each lies in; sorted.
    angle, tilt : float
        In radians; 0 ≤ tilt < π/2.
    view : tuple of 4 floats
        Cos and sin of the roll, column of the axis, middle row.
    moved : tuple of 2 floats
        How far the sample is moved across and up.
    """
    rows, columns = lengths.shape
    cos, sin, axis, middle = view
    centres, balls = seen(grains, angle, tilt), seen(voids, angle, tilt)
    normals = seen(voids[:, 4:7], angle, tilt)
    begins, ends = np.empty(_MOST_VOIDS), np.empty(_MOST_VOIDS)
    first = 0
    while first < hosts.shape[0]:
        last = first
        while last < hosts.shape[0] and hosts[last] == hosts[first]:
            last += 1
        host, radius = centres[hosts[first]], grains[hosts[first], 3]
        some_balls, some_voids = balls[first:last], voids[first:last]
        some_normals = normals[first:last]
        u0, v0 = host[0] + moved[0], host[1] + moved[1]
        column0, row0 = axis + u0 * cos + v0 * sin, middle + v0 * cos - u0 * sin
        for row in range(max(0, int(row0 - radius)), min(rows, int(row0 + radius) + 2)):
            for column in range(
                max(0, int(column0 - radius)), min(columns, int(column0 + radius) + 2)
            ):
                length = 0.0
                for part in range(4):
                    a = column + (part % 2) * 0.5 - 0.25 - axis
                    b = row + (part // 2) * 0.5 - 0.25 - middle
                    length += _way_through(
                        a * cos - b * sin - moved[0], a * sin + b * cos - moved[1], host, radius,
                        some_balls, some_voids, some_normals, begins, ends,
                    )  # fmt: skip
                lengths[row, column] += np.float32(0.25 * length)
        first = last


@numba.njit(cache=True, nogil=True)
def _in_void(x: float, y: float, z: float, void: Any) -> bool:
    dx, dy, dz = x - void[0], y - void[1], z - void[2]
    if dx * dx + dy * dy + dz * dz > void[3] * void[3]:
        return False
    return abs(dx * void[4] + dy * void[5] + dz * void[6]) <= void[7]


@numba.njit(cache=True, nogil=True)
def label_grains(
    labels: Any, grains: Any, kinds: Any, voids: Any, hosts: Any, void_kinds: Any,
    centre: float, height: float,
) -> None:  # fmt: skip
    """Write what lies at the middle of each pixel of a slice; later grains over earlier ones.

    ``labels`` is ``[y, x]``, uint8; a crack within its grain wins over a hollow.
    """
    size = labels.shape[0]
    for n in range(grains.shape[0]):
        x, y, z, radius = grains[n]
        square = radius * radius - (height - z) ** 2
        if square <= 0:
            continue
        first, last = np.searchsorted(hosts, n), np.searchsorted(hosts, n + 1)
        reach = math.sqrt(square)
        for row in range(
            max(0, math.ceil(centre + y - reach)), min(size - 1, int(centre + y + reach)) + 1
        ):
            for column in range(
                max(0, math.ceil(centre + x - reach)), min(size - 1, int(centre + x + reach)) + 1
            ):
                px, py = column - centre, row - centre
                if (px - x) ** 2 + (py - y) ** 2 > square:
                    continue
                kind = kinds[n]
                for void in range(first, last):
                    stronger = kind == kinds[n] or void_kinds[void] > kind
                    if stronger and _in_void(px, py, height, voids[void]):
                        kind = void_kinds[void]
                labels[row, column] = kind


@numba.njit(cache=True, nogil=True)
def draw_grains(
    image: Any, grains: Any, values: Any, voids: Any, hosts: Any, void_value: float,
    centre: float, height: float, fine: int,
) -> None:  # fmt: skip
    """Add the grains' values to the slice at a height, their voids less, ``fine``³ points."""
    size = image.shape[0]
    part = 1.0 / (fine * fine * fine)
    for n in range(grains.shape[0]):
        x, y, z, radius = grains[n]
        if abs(z - height) > radius + 0.5:
            continue
        first, last = np.searchsorted(hosts, n), np.searchsorted(hosts, n + 1)
        reach = radius + 1.0
        for row in range(max(0, int(centre + y - reach)), min(size, int(centre + y + reach) + 2)):
            for column in range(
                max(0, int(centre + x - reach)), min(size, int(centre + x + reach) + 2)
            ):
                inside = hollow = 0
                for point in range(fine * fine * fine):
                    pz = height + (point // (fine * fine) + 0.5) / fine - 0.5
                    py = row + (point // fine % fine + 0.5) / fine - 0.5 - centre
                    px = column + (point % fine + 0.5) / fine - 0.5 - centre
                    if (px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2 > radius * radius:
                        continue
                    inside += 1
                    for void in range(first, last):
                        if _in_void(px, py, pz, voids[void]):
                            hollow += 1
                            break
                image[row, column] += part * (values[n] * inside + void_value * hollow)
