"""The part of all directions that a scan never sees edge-on."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.measure import SIGMAS, Measure
from voltomo.analysis.weights import angular_weights

DIRECTIONS = 4000
# Narrower gaps between views are a matter of sampling, not of what is missing.
WIDEST_STEP_DEG = 10.0


def missing_cone(tilt_deg: float, angles_deg: ArrayLike, tilt_sigma_deg: float = 0.0) -> Measure:
    """Part of the sphere of frequencies that no view samples.

    A view samples the plane of frequencies normal to its beam. At a tilt, full turns never
    sample a cone about the axis, 1 - cos(tilt) of the sphere; partial turns lack a wedge.

    Parameters
    ----------
    tilt_deg : float
        0 = tomography.
    angles_deg : array_like (views,)
        Angles of the views.
    tilt_sigma_deg : float
        Standard deviation of the tilt, which gives the interval.

    Returns
    -------
    Measure
        0: nothing is missing; its interval also holds the grain of the calculation.
    """
    angles = np.asarray(angles_deg, np.float64)
    angular_weights(angles)  # refuses what is no list of angles
    if not 0 <= abs(tilt_deg) < 90:
        raise ValueError(f"The tilt must lie between 0 and 90 deg, not at {tilt_deg}.")
    grain = SIGMAS / math.sqrt(DIRECTIONS)
    value = _missing(abs(tilt_deg), angles)
    span = SIGMAS * tilt_sigma_deg
    low = _missing(max(0.0, abs(tilt_deg) - span), angles)
    high = _missing(min(89.9, abs(tilt_deg) + span), angles)
    spread = grain * math.sqrt(max(value * (1 - value), 0.0))
    return Measure("missing_cone", value, max(0.0, low - spread), min(1.0, high + spread))


def _missing(tilt_deg: float, angles_deg: NDArray[np.float64]) -> float:
    """Of directions spread evenly over half a sphere, those that no view holds in its plane."""
    number = np.arange(DIRECTIONS) + 0.5
    height = number / DIRECTIONS  # cosine with the axis
    turn = np.pi * (1 + math.sqrt(5)) * number
    tilt = math.radians(tilt_deg)
    # d . k = 0 with the beam d = (-sin a cos t, cos a cos t, sin t), up to its sign.
    flat = np.sqrt(1 - height**2) * math.cos(tilt)
    needed = height * math.sin(tilt) / np.maximum(flat, 1e-12)
    seen = needed <= 1
    lean = np.arcsin(np.clip(needed, -1, 1))
    covered = np.zeros(DIRECTIONS, np.bool_)
    for solution in (turn - lean, turn + lean + np.pi):
        covered |= _covered(np.degrees(solution), angles_deg)
    return float(np.mean(~(seen & covered)))


def _covered(wanted_deg: NDArray[np.float64], angles_deg: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a view lies within half of the widest step of each angle."""
    known = np.sort(np.mod(angles_deg, 360.0))
    known = np.concatenate([known[-1:] - 360, known, known[:1] + 360])
    wanted = np.mod(wanted_deg, 360.0)
    right = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
    nearest = np.minimum(wanted - known[right - 1], known[right] - wanted)
    return nearest <= WIDEST_STEP_DEG / 2
