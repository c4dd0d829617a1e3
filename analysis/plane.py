"""Where a plane lies in the sample, and where its pixels fall on the detector."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.reconstructor import VolumeGeometry

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Plane:
    """A rectangle in the sample, at any place and in any direction.

    Lengths are in detector pixels; x, y, z as in `voltomo.model.geometry`, from the point of the
    axis that falls on the middle row.

    Attributes
    ----------
    columns, rows : int
        Size of its image.
    centre : (float, float, float)
        Middle of the image, at ``((columns - 1) / 2, (rows - 1) / 2)``.
    along, across : (float, float, float)
        Directions of its rows and of its columns; their lengths do not matter, and they need not
        be at right angles.
    step : float
        From one pixel of the image to the next.

    Raises
    ------
    ValueError
        If the directions do not span a plane, or sizes are not positive.
    """

    columns: int
    rows: int
    centre: Vector = (0.0, 0.0, 0.0)
    along: Vector = (1.0, 0.0, 0.0)
    across: Vector = (0.0, 1.0, 0.0)
    step: float = 1.0

    def __post_init__(self) -> None:
        numbers = (*self.centre, *self.along, *self.across, self.step)
        if not all(math.isfinite(number) for number in numbers):
            raise ValueError(f"A plane needs finite numbers, not {self}.")
        if min(self.columns, self.rows) < 1 or self.step <= 0:
            raise ValueError(
                f"A plane needs at least one pixel and a positive step, not {self.columns} x "
                f"{self.rows} pixels and a step of {self.step}."
            )
        normal = np.cross(self.along, self.across)
        lengths = np.linalg.norm(self.along) * np.linalg.norm(self.across)
        if not np.linalg.norm(normal) > 1e-6 * lengths:
            raise ValueError(
                f"The directions {self.along} and {self.across} are parallel or zero, and so give "
                f"no plane: choose another."
            )

    @classmethod
    def horizontal(cls, columns: int, rows: int, z: float = 0.0) -> Plane:
        """The slice across the axis at a height; x along its rows, y along its columns."""
        return cls(columns, rows, (0.0, 0.0, z))

    @classmethod
    def upright_x(cls, columns: int, rows: int, y: float = 0.0) -> Plane:
        """The plane of x and z at a distance from the axis."""
        return cls(columns, rows, (0.0, y, 0.0), across=(0.0, 0.0, 1.0))

    @classmethod
    def upright_y(cls, columns: int, rows: int, x: float = 0.0) -> Plane:
        """The plane of y and z at a distance from the axis."""
        return cls(columns, rows, (x, 0.0, 0.0), along=(0.0, 1.0, 0.0), across=(0.0, 0.0, 1.0))

    def coarser(self, step: float) -> Plane:
        """The same rectangle with pixels of at least `step`."""
        if step <= self.step:
            return self
        part = self.step / step
        # A pixel more on either side, so that all of the finer pixels lie between coarser ones.
        columns = math.ceil((self.columns - 1) * part) + 2
        rows = math.ceil((self.rows - 1) * part) + 2
        return replace(self, columns=columns, rows=rows, step=step)

    def points(self) -> NDArray[np.float64]:
        """Places of all pixels, float64 (rows, columns, 3)."""
        first, over, down = self._frame()
        i, j = np.arange(self.columns)[None, :, None], np.arange(self.rows)[:, None, None]
        return np.asarray(first + over * i + down * j, np.float64)

    def on_detector(self, geometry: VolumeGeometry, angle_deg: float) -> NDArray[np.float64]:
        """Where pixels fall in a view whose roll is undone.

        Returns
        -------
        float64 (6,)
            Detector column and row of the first pixel, then how far one pixel along a row of the
            image goes in columns and rows, then the same from row to row.
        """
        turn, tilt = math.radians(angle_deg), math.radians(geometry.tilt_deg)
        right = np.array([math.cos(turn), math.sin(turn), 0.0])
        down = np.array(
            [-math.sin(turn) * math.sin(tilt), math.cos(turn) * math.sin(tilt), math.cos(tilt)]
        )
        first, over, under = self._frame()
        return np.array(
            [
                geometry.axis + first @ right,
                (geometry.rows - 1) / 2 + first @ down,
                over @ right, over @ down, under @ right, under @ down,
            ]
        )  # fmt: skip

    def _frame(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        over, down = (
            np.array(way, np.float64) * (self.step / math.hypot(*way))
            for way in (self.along, self.across)
        )
        middle = over * ((self.columns - 1) / 2) + down * ((self.rows - 1) / 2)
        return np.array(self.centre) - middle, over, down
