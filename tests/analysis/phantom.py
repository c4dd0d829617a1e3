"""An analytic phantom of ellipses with its exact parallel-beam sinogram."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# x, y, semi-axes a and b, rotation (rad), value; lengths in units of half the slice.
Ellipses = NDArray[np.float64]


def jelly_roll(particles: int = 60, seed: int = 3) -> Ellipses:
    """A can with concentric layers, a pin and off-centre particles."""
    random = np.random.default_rng(seed)
    shapes = [(0.0, 0.0, 0.9, 0.9, 0.0, 1.0), (0.0, 0.0, 0.85, 0.85, 0.0, -0.8)]
    for radius in np.linspace(0.25, 0.8, 7):
        shapes.append((0.01, -0.02, radius, radius * 0.97, 0.3, 0.3))
        shapes.append((0.01, -0.02, radius - 0.03, (radius - 0.03) * 0.97, 0.3, -0.3))
    for _ in range(particles):
        distance, angle = 0.8 * np.sqrt(random.random()), 2 * np.pi * random.random()
        a = 0.01 + 0.03 * random.random()
        b = a * (0.5 + 0.5 * random.random())
        x, y = distance * np.cos(angle), distance * np.sin(angle)
        shapes.append((x, y, a, b, np.pi * random.random(), 0.5 * random.standard_normal()))
    return np.array(shapes)


def image(shapes: Ellipses, size: int, oversampling: int = 4) -> NDArray[np.float32]:
    """The slice, attenuation per pixel, pixel means."""
    fine = (np.arange(size * oversampling) + 0.5) / oversampling - size / 2
    x, y = fine[None, :] / (size / 2), fine[:, None] / (size / 2)
    out = np.zeros((size * oversampling,) * 2, np.float32)
    for x0, y0, a, b, turn, value in shapes:
        c, s = np.cos(turn), np.sin(turn)
        p, q = x - x0, y - y0
        out += value * ((((p * c + q * s) / a) ** 2 + ((q * c - p * s) / b) ** 2) <= 1)
    shape = (size, oversampling, size, oversampling)
    return (out.reshape(shape).mean((1, 3)) * (2 / size)).astype(np.float32)


def sinogram(
    shapes: Ellipses,
    size: int,
    angles_deg: ArrayLike,
    axis_column: float | None = None,
    columns: int | None = None,
    oversampling: int = 4,
) -> NDArray[np.float32]:
    """Line integrals (views, columns) of `image`, averaged over each pixel."""
    columns = size if columns is None else columns
    axis_column = (columns - 1) / 2 if axis_column is None else axis_column
    fine = (np.arange(columns * oversampling) + 0.5) / oversampling - 0.5 - axis_column
    u = (fine / (size / 2))[None, :]
    angle = np.radians(np.asarray(angles_deg, np.float64))[:, None]
    out = np.zeros((len(angle), columns * oversampling), np.float64)
    for x0, y0, a, b, turn, value in shapes:
        width2 = (a * np.cos(angle - turn)) ** 2 + (b * np.sin(angle - turn)) ** 2
        d = u - (x0 * np.cos(angle) + y0 * np.sin(angle))
        out += value * 2 * a * b * np.sqrt(np.maximum(width2 - d * d, 0)) / width2
    # Values are 2/size a pixel and lengths size/2 pixels, so the factors cancel.
    return out.reshape(len(angle), columns, oversampling).mean(2).astype(np.float32)


def compare(
    slice_: NDArray[np.float32], truth: NDArray[np.float32], radius: float = 0.95
) -> tuple[float, float, float, float]:
    """Relative RMSE, scale and shift (columns, rows) of a slice against the truth in a disc."""
    size = truth.shape[0]
    axis = (np.arange(size, dtype=np.float64) * 2 + (1 - size)) / size
    inside = axis[None, :] ** 2 + axis[:, None] ** 2 < radius**2
    r, t = slice_[inside].astype(np.float64), truth[inside].astype(np.float64)
    rmse = float(np.sqrt(np.mean((r - t) ** 2)) / t.std())
    padded = np.pad(truth.astype(np.float64), 1)
    along_columns = (padded[1:-1, 2:] - padded[1:-1, :-2]) / 2
    along_rows = (padded[2:, 1:-1] - padded[:-2, 1:-1]) / 2
    terms = np.stack([t, -along_columns[inside], -along_rows[inside], np.ones_like(t)], 1)
    scale, dx, dy, _ = np.linalg.lstsq(terms, r, rcond=None)[0]
    return rmse, float(scale), float(dx / scale), float(dy / scale)
