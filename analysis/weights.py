"""The share of the half turn that each view stands for."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def angular_weights(
    angles_deg: ArrayLike,
    wedge_deg: float = 20.0,
    merge_deg: float = 1e-6,
    turn_deg: float = 180.0,
) -> NDArray[np.float64]:
    """Weights of views at partial, uneven or missing angles.

    A parallel view at an angle and its opposite see the same lines, so angles count modulo
    180 degrees; about a tilted axis they do not, and angles count modulo 360 degrees. Each view
    stands for half of the gap to its neighbour on either side.

    Parameters
    ----------
    angles_deg : array_like (views,)
        Angles in any order, over any number of turns.
    wedge_deg : float
        A gap wider than this (and than three times the median gap) is a missing wedge: the
        views at its edges do not stand for it, they get half of the median gap on that side.
        What is missing then stays missing instead of being drawn as streaks.
    merge_deg : float
        Views closer than this count as one direction and share its weight equally. Set it
        above the jitter of the stage when several turns repeat the same angles.
    turn_deg : float
        After this angle the same lines are seen again: 180, or 360 about a tilted axis.

    Returns
    -------
    float64 (views,)
        Radians of the half turn; the sum is pi where no wedge is missing.

    Raises
    ------
    ValueError
        If there are no angles or some are not finite.
    """
    angles = np.asarray(angles_deg, np.float64)
    if angles.ndim != 1 or angles.size == 0:
        raise ValueError(f"Weights need a list of angles; the array has shape {angles.shape}.")
    if not np.isfinite(angles).all():
        bad = np.flatnonzero(~np.isfinite(angles)).tolist()
        raise ValueError(f"All angles must be finite; those of views {bad[:10]} are not.")
    direction, position = _directions(angles, merge_deg, turn_deg)
    members = np.bincount(direction, minlength=position.size)
    share = _share_of_turn(position, wedge_deg, turn_deg) / members
    return np.radians(share[direction] * 180.0 / turn_deg)


def _directions(
    angles: NDArray[np.float64], merge_deg: float, turn_deg: float
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the direction of each view and the ascending angles of the directions."""
    folded = np.mod(angles, turn_deg)
    folded[folded >= turn_deg] = 0.0  # mod of a tiny negative number rounds to the turn itself
    order = np.argsort(folded, kind="stable")
    ascending = folded[order]
    starts = np.concatenate(([True], np.diff(ascending) > merge_deg))
    label = np.cumsum(starts) - 1
    position = np.bincount(label, ascending) / np.bincount(label)
    last = label[-1]
    if last > 0 and ascending[0] + turn_deg - ascending[-1] <= merge_deg:
        label[label == last] = 0  # 179.9999999 and 0 are one direction
        position = position[:last]
    direction = np.empty(angles.size, np.intp)
    direction[order] = label
    return direction, position


def _share_of_turn(
    position: NDArray[np.float64], wedge_deg: float, turn_deg: float
) -> NDArray[np.float64]:
    """Return the degrees for which each of the ascending directions stands."""
    if position.size == 1:
        return np.array([turn_deg])
    gap = np.diff(position, append=position[0] + turn_deg)
    median = float(np.median(gap))
    wedge = gap > max(wedge_deg, 3 * median)
    counted = np.where(wedge, median, gap)
    return (counted + np.roll(counted, 1)) / 2
