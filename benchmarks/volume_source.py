"""Projections of seeded balls, made when they are read: a scan that needs no memory."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass
class Balls:
    """Exact line integrals of balls, one ray through the middle of a pixel.

    Parameters
    ----------
    n : int
        Rows and columns of the detector, and number of views.
    tilt_deg : float
        Of the axis.
    seed : int
        Of their places.

    Attributes
    ----------
    cpu_s : float
        Processor time that reading has taken; not that of the reconstruction.
    """

    n: int
    tilt_deg: float
    seed: int = 0
    cpu_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        random = np.random.default_rng(self.seed)
        n = self.n
        turn = random.uniform(0, 2 * np.pi, 24)
        away = 0.38 * n * np.sqrt(random.uniform(0, 1, 24))
        self.balls = np.stack(
            [
                away * np.cos(turn),
                away * np.sin(turn),
                random.uniform(-0.2, 0.2, 24) * n,
                random.uniform(0.02, 0.06, 24) * n,
            ],
            axis=1,
        )
        turn_deg = 180.0 if self.tilt_deg == 0 else 360.0
        self.angles_deg = np.arange(n) * turn_deg / n

    @property
    def shape(self) -> tuple[int, int, int]:
        """Views, rows, columns."""
        return self.n, self.n, self.n

    def __getitem__(self, place: tuple[int, slice], /) -> NDArray[np.float32]:
        """Some rows of one view."""
        before = time.process_time()
        view, rows = place
        first, last, _ = rows.indices(self.n)
        turn, tilt = np.radians(self.angles_deg[view]), np.radians(self.tilt_deg)
        frame = np.zeros((last - first, self.n), np.float32)
        middle = (self.n - 1) / 2
        for x, y, z, radius in self.balls:
            u = middle + x * np.cos(turn) + y * np.sin(turn)
            v = middle + z * np.cos(tilt) + (y * np.cos(turn) - x * np.sin(turn)) * np.sin(tilt)
            top, end = max(first, int(v - radius)), min(last, int(v + radius) + 2)
            left, right = max(0, int(u - radius)), min(self.n, int(u + radius) + 2)
            if top < end and left < right:
                dv, du = np.arange(top, end) - v, np.arange(left, right) - u
                square = radius**2 - dv[:, None] ** 2 - du[None, :] ** 2
                frame[top - first : end - first, left:right] += 2 * np.sqrt(np.maximum(square, 0))
        self.cpu_s += time.process_time() - before
        return frame

    def truth(self) -> NDArray[np.float32]:
        """The volume (n, n, n) itself, one point a voxel."""
        place = np.arange(self.n) - (self.n - 1) / 2
        out = np.zeros((self.n,) * 3, np.float32)
        for x, y, z, radius in self.balls:
            square = (place[:, None, None] - z) ** 2 + (place[None, :, None] - y) ** 2
            out += square + (place[None, None, :] - x) ** 2 <= radius**2
        return out
