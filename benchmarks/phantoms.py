"""Seeded phantoms of ellipses, their pixel means and their exact sinograms.

A can with wound layers, a pin and 150 particles, of another seed for each slice. Both image and
sinogram are means over a pixel, the sinogram by the closed integral of the chord.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel

_SUBROWS = 8


def ellipses(seed: int, particles: int = 150) -> NDArray[np.float64]:
    """Centre x, y, semi-axes a, b, rotation (rad), value; lengths in halves of the slice."""
    random = np.random.default_rng(seed)
    layers = 12 + int(random.integers(-1, 2))
    shapes = [(0.0, 0.0, 0.92, 0.92, 0.0, 1.0), (0.0, 0.0, 0.88, 0.88, 0.0, -0.8)]
    for radius in np.linspace(0.2, 0.84, layers):
        shapes.append((0.0, 0.0, radius, radius * 0.98, 0.3, 0.35))
        shapes.append((0.0, 0.0, radius - 0.02, (radius - 0.02) * 0.98, 0.3, -0.35))
    shapes.append((0.0, 0.0, 0.12, 0.12, 0.0, -0.15))
    for _ in range(particles):
        distance, turn = 0.85 * np.sqrt(random.random()), 2 * np.pi * random.random()
        a = 0.004 + 0.02 * random.random()
        b = a * (0.5 + 0.5 * random.random())
        x, y = distance * np.cos(turn), distance * np.sin(turn)
        shapes.append((x, y, a, b, np.pi * random.random(), 0.6 * random.standard_normal()))
    return np.array(shapes)


@kernel
def draw(shapes: NDArray[np.float64], image: NDArray[np.float64]) -> None:
    """Add all ellipses to `image` (N, N): exact along rows, `_SUBROWS` to a pixel across."""
    size = image.shape[0]
    half = size / 2
    for shape in range(shapes.shape[0]):
        x0, y0 = shapes[shape, 0] * half, shapes[shape, 1] * half
        a, b = shapes[shape, 2] * half, shapes[shape, 3] * half
        cosine, sine = np.cos(shapes[shape, 4]), np.sin(shapes[shape, 4])
        value = shapes[shape, 5] / _SUBROWS
        # A row at height q cuts the ellipse where aa p^2 + 2 ab q p + bb q^2 = 1.
        aa = (cosine / a) ** 2 + (sine / b) ** 2
        ab = cosine * sine * (1 / a**2 - 1 / b**2)
        bb = (sine / a) ** 2 + (cosine / b) ** 2
        reach = max(a, b)
        first = max(0, int((y0 - reach + half) * _SUBROWS) - 1)
        last = min(size * _SUBROWS, int((y0 + reach + half) * _SUBROWS) + 2)
        for subrow in range(first, last):
            q = (subrow + 0.5) / _SUBROWS - half - y0
            inside = (ab * q) ** 2 - aa * (bb * q * q - 1)
            if inside <= 0:
                continue
            middle = x0 - ab * q / aa + half
            width = np.sqrt(inside) / aa
            left, right = max(0.0, middle - width), min(float(size), middle + width)
            row = image[subrow // _SUBROWS]
            for column in range(int(left), min(size, int(right) + 1)):
                row[column] += value * max(0.0, min(right, column + 1.0) - max(left, column))


@kernel
def integrate(
    shapes: NDArray[np.float64],
    angles_rad: NDArray[np.float64],
    axis_column: float,
    sinogram: NDArray[np.float64],
) -> None:
    """Add all line integrals to `sinogram` (views, columns), in pixels."""
    columns = sinogram.shape[1]
    half = columns / 2
    for view in range(angles_rad.size):
        c, s = np.cos(angles_rad[view]), np.sin(angles_rad[view])
        for shape in range(shapes.shape[0]):
            a, b = shapes[shape, 2] * half, shapes[shape, 3] * half
            turn = angles_rad[view] - shapes[shape, 4]
            width2 = (a * np.cos(turn)) ** 2 + (b * np.sin(turn)) ** 2
            width = np.sqrt(width2)
            middle = (shapes[shape, 0] * c + shapes[shape, 1] * s) * half + axis_column + 0.5
            # The chord is 2 a b sqrt(w^2 - d^2) / w^2; this is its integral up to d.
            factor = shapes[shape, 5] * a * b / width2
            first, last = max(0, int(middle - width)), min(columns, int(middle + width) + 1)
            d = min(max(first - middle, -width), width)
            before = d * np.sqrt(max(width2 - d * d, 0.0)) + width2 * np.arcsin(d / width)
            for column in range(first, last):
                d = min(max(column + 1 - middle, -width), width)
                until = d * np.sqrt(max(width2 - d * d, 0.0)) + width2 * np.arcsin(d / width)
                sinogram[view, column] += factor * (until - before)
                before = until


def phantom(
    seed: int,
    size: int,
    angles_deg: NDArray[np.float64],
    axis_columns: Sequence[float],
    greatest: float = 2.0,
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """One slice and its exact sinograms.

    Parameters
    ----------
    seed : int
        Another seed, another slice.
    size : int
        N of the slice and columns of the detector.
    angles_deg : float64 (views,)
        Angles.
    axis_columns : sequence of float
        Columns of the rotation axis, for each a sinogram.
    greatest : float
        Largest line integral, which sets the scale: 2 lets 14 percent of the beam through.

    Returns
    -------
    slice : float32 (N, N)
        Attenuation per pixel.
    sinograms : list of float32 (views, N)
        Line integrals.
    """
    shapes = ellipses(seed)
    image = np.zeros((size, size))
    draw(shapes, image)
    sinograms = np.zeros((len(axis_columns), angles_deg.size, size))
    for axis_column, sinogram in zip(axis_columns, sinograms, strict=True):
        integrate(shapes, np.radians(angles_deg), float(axis_column), sinogram)
    scale = greatest / sinograms.max()
    return (image * scale).astype(np.float32), list((sinograms * scale).astype(np.float32))


def counted(
    sinogram: NDArray[np.float32], counts: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """The same line integrals from counted photons, `counts` a pixel without a sample."""
    seen = random.poisson(counts * np.exp(-sinogram.astype(np.float64)))
    return -np.log(np.maximum(seen, 1) / counts).astype(np.float32)
