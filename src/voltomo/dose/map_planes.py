"""Planes through a dose map, for pictures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.dose_map import DoseMap

__all__ = ["MapPlane", "planes_of"]

_POINTS = 96
_AXES = "xyz"


@dataclass(frozen=True)
class MapPlane:
    """A plane of the sample's frame.

    Attributes
    ----------
    across, up : str
        Names of the axes.
    dose_Gy : array, shape (up, across)
        Upper bound of one class.
    extent_mm : (float, float, float, float)
        Left, right, bottom, top.
    at_mm : float
        Where the plane lies on the third axis.
    """

    across: str
    up: str
    dose_Gy: NDArray[np.float64]
    extent_mm: tuple[float, float, float, float]
    at_mm: float


def planes_of(made: DoseMap, name: str) -> tuple[MapPlane, ...]:
    """Across the axis and along it, through the hottest place; none where no place is known.

    Parameters
    ----------
    made : DoseMap
        The map.
    name : str
        The class of material.
    """
    cells = made.grid.cells()
    if not cells.volume_mm3.size:
        return ()
    channel = 2 * made.classes.index(name)
    floor = float(made.grid.everywhere[channel])
    lit = cells.values[channel] > floor + 0.02 * max(float(cells.values[channel].max()) - floor, 0)
    if not lit.any():
        return ()
    half = np.cbrt(cells.volume_mm3[lit])[:, None]
    low = (cells.centre_mm[lit] - half).min(axis=0)
    high = (cells.centre_mm[lit] + half).max(axis=0)
    _, hottest = made.hottest_Gy(name)
    through = np.array(hottest if hottest is not None else (low + high) / 2)
    return tuple(_plane(made, channel, low, high, through, axes) for axes in ((0, 1, 2), (0, 2, 1)))


def _plane(
    made: DoseMap,
    channel: int,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    through: NDArray[np.float64],
    axes: tuple[int, int, int],
) -> MapPlane:
    across, up, fixed = axes
    ends = [np.linspace(low[axis], high[axis], _POINTS + 1) for axis in (across, up)]
    middles = [(end[1:] + end[:-1]) / 2 for end in ends]
    points = np.empty((_POINTS, _POINTS, 3))
    points[..., across] = middles[0][None, :]
    points[..., up] = middles[1][:, None]
    points[..., fixed] = through[fixed]
    values = made.grid.at(points.reshape(-1, 3))[channel].reshape(_POINTS, _POINTS)
    extent = (float(low[across]), float(high[across]), float(low[up]), float(high[up]))
    return MapPlane(_AXES[across], _AXES[up], values, extent, float(through[fixed]))
