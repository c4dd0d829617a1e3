"""Balls and boxes with their exact projections at any angle, tilt and roll; of the tests' own.

Rays are followed through the solids one by one; nothing of this is shared with what is tested.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


@dataclass(frozen=True)
class Bench:
    """Detector and axis of a test."""

    rows: int
    columns: int
    axis: float
    tilt_deg: float = 0.0
    roll_deg: float = 0.0


@dataclass(frozen=True)
class Solid:
    """An ellipsoid or a box: centre and half axes along x, y, z from the middle, and its value."""

    centre: tuple[float, float, float]
    half: tuple[float, float, float]
    value: float = 1.0
    box: bool = False


def ball(x: float, y: float, z: float, radius: float, value: float = 1.0) -> Solid:
    return Solid((x, y, z), (radius, radius, radius), value)


def project(
    solids: list[Solid], bench: Bench, angle_deg: float, fine: int = 3
) -> NDArray[np.float32]:
    """Line integrals (rows, columns), each the mean over fine x fine rays through its pixel."""
    turn, tilt, roll = np.radians([angle_deg, bench.tilt_deg, bench.roll_deg])
    column = (np.arange(bench.columns * fine) + 0.5) / fine - 0.5 - bench.axis
    row = (np.arange(bench.rows * fine) + 0.5) / fine - 0.5 - (bench.rows - 1) / 2
    u = column[None, :] * np.cos(roll) - row[:, None] * np.sin(roll)
    v = row[:, None] * np.cos(roll) + column[None, :] * np.sin(roll)
    across = np.array([np.cos(turn), np.sin(turn), 0.0])
    flat = np.array([-np.sin(turn), np.cos(turn), 0.0])
    axis = np.array([0.0, 0.0, 1.0])
    down = np.cos(tilt) * axis + np.sin(tilt) * flat
    beam = np.cos(tilt) * flat - np.sin(tilt) * axis
    total = np.zeros(u.shape)
    for solid in solids:
        total += solid.value * _length(solid, u, v, across, down, beam)
    shape = (bench.rows, fine, bench.columns, fine)
    return total.reshape(shape).mean((1, 3)).astype(np.float32)


def _length(solid: Solid, u, v, across, down, beam) -> NDArray[np.float64]:
    """Length of every ray ``u across + v down + s beam`` inside one solid."""
    out = np.zeros(u.shape)
    reach = float(np.linalg.norm(solid.half))
    middle_u, middle_v = across @ solid.centre, down @ solid.centre
    near = (u - middle_u) ** 2 + (v - middle_v) ** 2 <= reach**2
    point = u[near][:, None] * across + v[near][:, None] * down - np.array(solid.centre)
    half = np.array(solid.half)
    if solid.box:
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.stack([(-half - point) / beam, (half - point) / beam])
        parallel = np.abs(beam) < 1e-12
        ends[0][:, parallel] = np.where(np.abs(point[:, parallel]) <= half[parallel], -np.inf, 1)
        ends[1][:, parallel] = np.where(np.abs(point[:, parallel]) <= half[parallel], np.inf, -1)
        enter, leave = ends.min(0), ends.max(0)
        enter[:, parallel], leave[:, parallel] = ends[0][:, parallel], ends[1][:, parallel]
        out[near] = np.maximum(leave.min(1) - enter.max(1), 0)
        return out
    direction, start = beam / half, point / half
    a, b = direction @ direction, start @ direction
    c = (start * start).sum(1) - 1
    out[near] = 2 * np.sqrt(np.maximum(b * b - a * c, 0)) / a
    return out


def draw(solids: list[Solid], depth: int, size: int, fine: int = 3) -> NDArray[np.float32]:
    """The volume (depth, size, size): means over voxels, of balls by fine^3 points each."""

    def places(n: int) -> NDArray[np.float64]:
        return (np.arange(n * fine) + 0.5) / fine - n / 2

    def covered(n: int, middle: float, half: float) -> NDArray[np.float64]:
        edge = np.arange(n) - n / 2
        return np.clip(
            np.minimum(edge + 1, middle + half) - np.maximum(edge, middle - half), 0, None
        )

    z, y, x = places(depth)[:, None, None], places(size)[None, :, None], places(size)[None, None]
    out = np.zeros((depth, size, size), np.float32)
    for solid in solids:
        (cx, cy, cz), (a, b, c) = solid.centre, solid.half
        if solid.box:
            along, across = covered(depth, cz, c), covered(size, cy, b)
            part = along[:, None, None] * across[:, None] * covered(size, cx, a)
        else:
            inside = ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 + ((z - cz) / c) ** 2 <= 1
            part = inside.reshape(depth, fine, size, fine, size, fine).mean((1, 3, 5))
        out += (solid.value * part).astype(np.float32)
    return out


def displacement(found, truth) -> tuple[NDArray[np.float64], float]:
    """Shift in x, y, z and scale of a piece of a volume against the truth, by least squares.

    Both are smoothed alike, so that edges are slopes over more than a voxel.
    """
    found, truth = (gaussian_filter(each.astype(np.float64), 1.0) for each in (found, truth))
    slopes = [-slope.ravel() for slope in np.gradient(truth)]
    terms = np.stack([truth.ravel(), *slopes[::-1], np.ones(truth.size)], 1)
    scale, *shift, _ = np.linalg.lstsq(terms, found.ravel(), rcond=None)[0]
    return np.array(shift) / scale, float(scale)
