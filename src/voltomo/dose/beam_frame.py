r"""The beam as the sample sees it: its direction, and where a point of the sample falls.

The sample's frame turns with the stage: z along the rotation axis, x and y in the plane across
it, the origin on the axis. In the laboratory u runs across the beam in the plane of the
detector's columns, v up, s along the beam. At `tilt_deg` = 0 the axis is normal to the beam;
else its upper end leans towards the source (`voltomo.model.geometry`). With
w = -x sin(angle) + y cos(angle)::

    u = x cos(angle) + y sin(angle)
    v = z cos(tilt) + w sin(tilt)
    s = w cos(tilt) - z sin(tilt)
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["beam_directions", "on_detector"]

Floats = NDArray[np.float64]


def beam_directions(angles_deg: Floats, tilt_deg: float) -> Floats:
    """Unit vectors along the beam in the sample's frame.

    Parameters
    ----------
    angles_deg : array, shape (k,)
        Angles of the stage.
    tilt_deg : float
        Lean of the axis from the normal to the beam.

    Returns
    -------
    array, shape (k, 3)
        The gradient of s by (x, y, z).
    """
    angle, tilt = np.deg2rad(angles_deg), np.deg2rad(tilt_deg)
    across = np.cos(tilt)
    return np.stack(
        [-np.sin(angle) * across, np.cos(angle) * across, np.full(angle.shape, -np.sin(tilt))],
        axis=-1,
    )


def on_detector(
    x: Any, y: Any, z: Any, angle_deg: float, tilt_deg: float
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where points of the sample fall: u across the beam and v up, in the points' own unit.

    Parameters
    ----------
    x, y, z : arrays that broadcast together
        Points in the sample's frame.
    angle_deg, tilt_deg : float
        Angle of the stage, lean of the axis.
    """
    turn, tilt = np.deg2rad(angle_deg), np.deg2rad(tilt_deg)
    u = x * np.cos(turn) + y * np.sin(turn)
    depth = y * np.cos(turn) - x * np.sin(turn)
    return u, z * np.cos(tilt) + depth * np.sin(tilt)
