"""Which voxels a stretch of beam lit, and for what part of its time.

Nested boxes about the rotation axis: fine ones where the beam always is, coarser ones further
out, where it only passes. The bound counts a voxel as lit while any part of it may be; the
estimate counts the part of the voxel that is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.beam_place import BeamPlace
from voltomo.dose.nested_grid import level_below

__all__ = ["LitBox", "lit_boxes"]

Floats = NDArray[np.float64]

_VOXELS_A_SIDE = 4
"""At least so many voxels over the beam's smaller side."""
_STEPS_A_SIDE = 8
"""A step in angle carries no voxel further than this part of the beam's side."""
_ELEMENTS = 2_000_000
_ROUND_OFF = 1e-12


@dataclass(frozen=True)
class LitBox:
    """Voxels of one level.

    Attributes
    ----------
    level : int
        They are 2^level mm wide.
    first : (int, int, int)
        Number of the first along x, y, z.
    bound, central : array, shape (nx, ny, nz)
        Part of the time in the beam: at most, and on average over the voxel.
    """

    level: int
    first: tuple[int, int, int]
    bound: Floats
    central: Floats


def lit_boxes(place: BeamPlace, reach_mm: float) -> Iterator[LitBox]:
    """Boxes of voxels, fine to coarse, without overlap.

    Parameters
    ----------
    place : BeamPlace
        Beam, stage and angles.
    reach_mm : float
        The sample ends at this distance from the axis, or before.
    """
    level = level_below(min(place.width_mm, place.height_mm) / _VOXELS_A_SIDE)
    # The further the finest voxels reach the closer is the bound; flat beams have many of them,
    # and leaning sheets of light make thick boxes.
    wider = 4.0 if place.width_mm <= 4 * place.height_mm else 2.0
    if place.tilt_deg > 0:
        wider /= 2
    core_mm = wider * (abs(place.beam_off_mm[0]) + place.width_mm / 2)
    inner: tuple[tuple[int, int], tuple[int, int]] | None = None
    radius_mm = core_mm
    while True:
        width_mm = 2.0**level
        radius_mm = min(radius_mm, max(reach_mm, core_mm))
        plane = (_even(place.axis_mm[0], radius_mm, width_mm),
                 _even(place.axis_mm[1], radius_mm, width_mm))  # fmt: skip
        yield _box(place, level, plane, inner, radius_mm)
        if radius_mm >= reach_mm:
            return
        inner = plane
        level, radius_mm = level + 1, 2 * radius_mm


def _even(middle_mm: float, radius_mm: float, width_mm: float) -> tuple[int, int]:
    """First voxel and one past the last, both even, so that the next level ends where it begins."""
    first = 2 * math.floor((middle_mm - radius_mm) / width_mm / 2)
    return first, 2 * math.ceil((middle_mm + radius_mm) / width_mm / 2)


def _box(
    place: BeamPlace,
    level: int,
    plane: tuple[tuple[int, int], tuple[int, int]],
    inner: tuple[tuple[int, int], tuple[int, int]] | None,
    radius_mm: float,
) -> LitBox:
    width_mm = 2.0**level
    # The corner of the box is the farthest from the axis that is asked for.
    far_mm = math.sqrt(2) * (radius_mm + 2 * width_mm)
    height = _height(place, far_mm, width_mm)
    x, y, z = (
        (np.arange(first, last, dtype=np.float64) + 0.5) * width_mm - at
        for (first, last), at in zip((*plane, height), place.axis_mm, strict=True)
    )
    bound, central = np.zeros((2, x.size * y.size, z.size))
    columns = np.stack([np.repeat(x, y.size), np.tile(y, x.size)])
    for arc in _arcs(place, far_mm, columns.shape[1]):
        _shine(place, arc, columns, z, width_mm, bound, central)
    bound = np.where(bound < _ROUND_OFF, 0.0, np.minimum(bound, 1.0))
    bound = bound.reshape(x.size, y.size, z.size)
    central = np.clip(central.reshape(bound.shape), 0.0, bound)
    if inner is not None:
        # The finer box has these columns, over all their lit height.
        cut = [slice(i[0] // 2 - p[0], i[1] // 2 - p[0]) for i, p in zip(inner, plane, strict=True)]
        bound[cut[0], cut[1]] = 0.0
        central[cut[0], cut[1]] = 0.0
    return LitBox(level, (plane[0][0], plane[1][0], height[0]), bound, central)


def _height(place: BeamPlace, far_mm: float, width_mm: float) -> tuple[int, int]:
    tilt = math.radians(place.tilt_deg)
    half_mm = place.height_mm / 2 + far_mm * math.sin(tilt) + 2 * width_mm
    middle_mm = place.axis_mm[2] + place.beam_off_mm[1] / math.cos(tilt)
    return _even(middle_mm, half_mm / math.cos(tilt), width_mm)


@dataclass(frozen=True)
class _Arcs:
    """Short arcs that the stage went through: middles, parts of the time, half of the longest."""

    angles_deg: Floats
    weights: Floats
    half_rad: float


def _arcs(place: BeamPlace, far_mm: float, columns: int) -> Iterator[_Arcs]:
    """All arcs of a track, so many at a time that arrays stay small."""
    lean = math.sin(math.radians(place.tilt_deg))
    longest = place.width_mm / (_STEPS_A_SIDE * far_mm)
    if lean > 0:
        longest = min(longest, place.height_mm / (_STEPS_A_SIDE * far_mm * lean))
    track = place.track
    whole_s = track[-1][0] - track[0][0]
    if whole_s <= 0:
        # All at one time: which of them it was is not known.
        yield _Arcs(np.array([angle for _, angle in track]), np.ones(len(track)), 0.0)
        return
    at_once = max(1, _ELEMENTS // columns)
    for (from_s, from_deg), (to_s, to_deg) in pairwise(track):
        turn = abs(math.radians(to_deg - from_deg))
        parts = max(1, math.ceil(turn / longest))
        share = (np.arange(parts, dtype=np.float64) + 0.5) / parts
        angles = from_deg + (to_deg - from_deg) * share
        weights = np.full(parts, (to_s - from_s) / whole_s / parts)
        for start in range(0, parts, at_once):
            some = slice(start, start + at_once)
            yield _Arcs(angles[some], weights[some], turn / parts / 2)


def _shine(
    place: BeamPlace,
    arcs: _Arcs,
    columns_mm: Floats,
    z_mm: Floats,
    width_mm: float,
    bound: Floats,
    central: Floats,
) -> None:
    """Add the parts of time that voxels were lit in some arcs.

    In a column of voxels the beam lights one stretch of z; its ends are added up, and summed
    along z once for all arcs.
    """
    turn = np.deg2rad(arcs.angles_deg)[:, None]
    tilt = math.radians(place.tilt_deg)
    lean, upright = math.sin(tilt), math.cos(tilt)
    x, y = columns_mm
    across = np.abs(x * np.cos(turn) + y * np.sin(turn) - place.beam_off_mm[0])
    depth = y * np.cos(turn) - x * np.sin(turn)
    spread = width_mm * (np.abs(np.cos(turn)) + np.abs(np.sin(turn)))
    away_mm = np.hypot(x, y) * arcs.half_rad
    # Height of the beam's middle in each column, and half of what it lights there.
    middle = (place.beam_off_mm[1] - depth * lean) / upright
    half = place.height_mm / 2 / upright
    # So far from a lit point of the column another point of the same voxel may be.
    slack = (away_mm * lean + spread / 2 * lean) / upright
    weight = np.broadcast_to(arcs.weights[:, None], across.shape)
    hit = across <= (place.width_mm + spread) / 2 + away_mm
    part = _overlap(across, place.width_mm, spread)
    if lean == 0:
        # Every column is lit between the same heights.
        one = np.ones((1, 1), dtype=bool)
        ends = (middle[:1, :1] - half, middle[:1, :1] + half)
        for total, lit, whole in ((bound, hit, True), (central, part, False)):
            profile = np.zeros((1, z_mm.size))
            _stretch(profile, one, np.ones((1, 1)), ends, z_mm, whole=whole)
            total += np.einsum("a,ac->c", arcs.weights, lit)[:, None] * profile
        return
    _stretch(bound, hit, weight, (middle - half - slack, middle + half + slack), z_mm, whole=True)
    ends = (middle - half, middle + half)
    _stretch(central, part > 0, weight * part, ends, z_mm, whole=False)


def _stretch(
    total: Floats,
    hit: NDArray[np.bool_],
    weight: Floats,
    ends_mm: tuple[Floats, Floats],
    z_mm: Floats,
    *,
    whole: bool,
) -> None:
    """Add weights to the voxels of columns between two heights; whole voxels, or parts of them."""
    width_mm = float(z_mm[1] - z_mm[0])
    _, column = np.nonzero(hit)
    given = weight[hit]
    cells = z_mm.size
    edges = np.zeros((total.shape[0], cells + 2))
    for end_mm, sign in zip(ends_mm, (1.0, -1.0), strict=True):
        place = np.clip((end_mm[hit] - z_mm[0]) / width_mm + 0.5, 0.0, float(cells))
        if whole:
            place = np.floor(place) if sign > 0 else np.ceil(place)
        cell = np.floor(place).astype(np.int64)
        beyond = place - cell
        for shift, share in ((0, 1 - beyond), (1, beyond)):
            at = column * (cells + 2) + cell + shift
            summed = np.bincount(at, sign * given * share, minlength=edges.size)
            edges += summed.reshape(edges.shape)
    total += np.cumsum(edges, axis=1)[:, :cells]


def _overlap(distance_mm: Floats, beam_mm: float, voxel_mm: Floats) -> Floats:
    """Part of a voxel's width that lies in the beam."""
    inside = np.minimum((beam_mm + voxel_mm) / 2 - distance_mm, np.minimum(beam_mm, voxel_mm))
    return np.maximum(inside, 0.0) / voxel_mm
