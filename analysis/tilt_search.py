"""Axis and tilt of a laminography whose sheet leaves the frames: where its slices agree."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.axis_search import AxisFound, Estimate
from voltomo.analysis.focus import agreement, sharpest

# All slices share an error of the tilt that their scatter does not show: a missing cone leans with
# it. Sheets at 30 deg read up to .3 deg off.
SHARED_DEG = 0.15

# Slices for a column of the axis and a tilt in degrees, of each quarter of the turn:
# float32 (quarters, slices, N, N).
RenderTilted = Callable[[float, float], NDArray[np.float32]]


def find_tilt(
    render: RenderTilted,
    axis_column: float,
    tilt_deg: float,
    axis_step: float = 1.0,
    tilt_step_deg: float = 0.5,
    rounds: int = 3,
) -> AxisFound:
    """Refine axis and tilt in turns until neither moves by more than its deviation.

    Parameters
    ----------
    render : callable
        Slices at three heights or more from the views of each quarter of the turn; a good part
        of the views is enough. Any reconstruction of laminography does.
    axis_column, tilt_deg : float
        Where to begin: what the stage was set to.
    axis_step, tilt_step_deg : float
        How far apart values are tried at first.
    rounds : int
        At most.

    Returns
    -------
    AxisFound
        Its tilt has the sign of the render's convention; its deviation is never below
        `SHARED_DEG`, so that an interval of 95 % spans .3 deg to either side at least.

    Raises
    ------
    ValueError
        The slices get no sharper near the start.
    """
    axis, tilt = axis_column, tilt_deg
    axis_sigma = tilt_sigma = math.inf
    for _ in range(rounds):
        before = axis, tilt

        def at_tilt(value: float, fixed: float = axis) -> NDArray[np.float64]:
            return agreement(render(fixed, value))

        tilt, tilt_sigma = sharpest(at_tilt, tilt, tilt_step_deg)

        def at_axis(value: float, fixed: float = tilt) -> NDArray[np.float64]:
            return agreement(render(value, fixed))

        axis, axis_sigma = sharpest(at_axis, axis, axis_step)
        if abs(axis - before[0]) < axis_sigma and abs(tilt - before[1]) < tilt_sigma:
            break
    tilt_sigma = math.hypot(tilt_sigma, SHARED_DEG)
    estimate = Estimate("agreement of quarter turns", axis, axis_sigma)
    return AxisFound(
        axis, axis_sigma, tilt_deg=tilt, tilt_sigma_deg=tilt_sigma, estimates=(estimate,)
    )
