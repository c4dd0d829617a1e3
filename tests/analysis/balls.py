"""Balls on a turning stage: exact projections at any axis, roll and tilt."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

# x, y, z and radius in pixels, attenuation per pixel; z = 0 where the axis meets the middle row.
Balls = NDArray[np.float64]


def in_cylinder(radius: float, height: float, count: int = 60, seed: int = 1) -> Balls:
    """A large ball off the axis and many small ones, within a cylinder."""
    random = np.random.default_rng(seed)
    angle, away = 2 * np.pi * random.random(count), np.sqrt(random.random(count))
    size = radius * (0.05 + 0.15 * random.random(count))
    place = away * (radius - size)
    z = height * (random.random(count) - 0.5)
    strength = (0.5 + random.random(count)) / radius
    balls = np.stack([place * np.cos(angle), place * np.sin(angle), z, size, strength], axis=1)
    body = [[0.08 * radius, -0.05 * radius, 0, 0.9 * radius, 0.7 / radius]]
    return np.concatenate([body, balls])


@dataclass(frozen=True)
class Stage:
    """Where axis and detector are (`voltomo.model.geometry`)."""

    rows: int
    columns: int
    axis_column: float
    roll_deg: float = 0.0
    tilt_deg: float = 0.0


def project(
    balls: Balls, stage: Stage, angles_deg: ArrayLike, moved: ArrayLike = 0.0
) -> NDArray[np.float32]:
    """Line integrals (views, rows, columns); `moved` shifts the sample along the columns."""
    angles = np.radians(np.atleast_1d(np.asarray(angles_deg, np.float64)))
    shift = np.broadcast_to(np.asarray(moved, np.float64), angles.shape)
    tilt, roll = np.radians(stage.tilt_deg), np.radians(stage.roll_deg)
    out = np.zeros((len(angles), stage.rows, stage.columns), np.float32)
    for view, (angle, by) in enumerate(zip(angles, shift, strict=True)):
        c, s = np.cos(angle), np.sin(angle)
        for x, y, z, radius, strength in balls:
            u = x * c + y * s + by
            v = z * np.cos(tilt) + (y * c - x * s) * np.sin(tilt)
            column = stage.axis_column + u * np.cos(roll) + v * np.sin(roll)
            row = (stage.rows - 1) / 2 + v * np.cos(roll) - u * np.sin(roll)
            r0, r1 = max(0, int(row - radius)), min(stage.rows, int(row + radius) + 2)
            c0, c1 = max(0, int(column - radius)), min(stage.columns, int(column + radius) + 2)
            if r0 >= r1 or c0 >= c1:
                continue
            away = (np.arange(r0, r1)[:, None] - row) ** 2 + (np.arange(c0, c1) - column) ** 2
            chord = 2 * strength * np.sqrt(np.maximum(radius**2 - away, 0))
            out[view, r0:r1, c0:c1] += chord.astype(np.float32)
    return out


def seen(
    integrals: NDArray[np.float32], counts: float, seed: int = 0, flats: int = 20
) -> NDArray[np.float32]:
    """The line integrals as measured with that many counts in the open beam."""
    random = np.random.default_rng(seed)
    flat = random.poisson(counts, (flats, *integrals.shape[1:])).mean(axis=0)
    frames = random.poisson(counts * np.exp(-integrals.astype(np.float64)))
    return np.log(flat / np.maximum(frames, 0.5)).astype(np.float32)
