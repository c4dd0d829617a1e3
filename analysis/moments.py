"""Axis and tilt from the centre of mass: it runs on a circle, seen edge-on or as an ellipse."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

# The sample must end inside the frame: its edge may hold this part of the mean.
EDGE = 0.02
# Noise of the flats moves all centres alike; flats are taken to be the mean of so many frames.
FLATS = 10


@dataclass(frozen=True)
class Circle:
    """The path of the centre of mass.

    Attributes
    ----------
    axis_column, axis_sigma : float
        Column of the axis at the row of the centre, and its standard deviation.
    lever : float
        By how much a roll of one radian would move `axis_column` from where the axis passes the
        middle row: the height of the centre, and what a roll brings in and takes out at the ends.
    x, y : float
        Of the centre of mass, from the axis, in columns.
    tilt_deg, tilt_sigma_deg : float
        From how far the centre goes up and down while it goes to and fro; the sign follows
        `voltomo.model.geometry`. Its sigma is large where the centre is near the axis.
    residual_columns : float
        Root mean square of what remains: noise, motion, or a beam that wanders.
    """

    axis_column: float
    axis_sigma: float
    lever: float
    x: float
    y: float
    tilt_deg: float
    tilt_sigma_deg: float
    residual_columns: float


def ends_inside(projections: Image, sides: bool = True, ends: bool = True) -> bool:
    """Whether the sample ends inside the frames, at the sides and at top and bottom."""
    level = float(np.mean(np.abs(projections)))
    views = projections.astype(np.float64)
    edges: list[Floats] = []
    if sides:
        edges += [views[:, :, :3].mean(axis=(1, 2)), views[:, :, -3:].mean(axis=(1, 2))]
    if ends:
        edges += [views[:, :2].mean(axis=(1, 2)), views[:, -2:].mean(axis=(1, 2))]
    return all(float(np.abs(edge).max()) < EDGE * level for edge in edges)


def centre_path(projections: Image, angles_deg: ArrayLike, row_pitch: float = 1.0) -> Circle:
    """Fit the circle on which the centre of mass turns.

    Mass and centre of a projection are those of the sample, whatever its shape (the first two
    of the consistency conditions of Helgason and Ludwig), as long as nothing leaves the frame.

    Parameters
    ----------
    projections : float32 (views, rows, columns)
        Line integrals.
    angles_deg : array_like (views,)
        Their angles: four or more, over a quarter of a turn or more.
    row_pitch : float
        Columns' widths from one row to the next, where rows were averaged.

    Raises
    ------
    ValueError
        There are too few angles, the sample leaves the frames at the sides, or there is none.
    """
    angles = np.radians(np.asarray(angles_deg, np.float64))
    if angles.shape != (len(projections),) or len(angles) < 4:
        raise ValueError(
            f"The path of the centre of mass needs four views or more with an angle each; there "
            f"are {len(projections)} with {angles.size} angles."
        )
    if not ends_inside(projections, ends=False):
        raise ValueError(
            "The sample reaches beyond the sides of the frames, so that its centre of mass is "
            "not seen. Find the axis from opposite projections, or give it by hand."
        )
    views = projections.astype(np.float64)
    mass = views.sum(axis=(1, 2))
    if not float(mass.min()) > 0.2 * float(np.median(mass)) > 0:
        raise ValueError("A projection holds hardly any sample: its centre of mass says nothing.")
    rows, columns = int(projections.shape[1]), int(projections.shape[2])
    column = views.sum(axis=1) @ np.arange(columns, dtype=np.float64) / mass
    row = views.sum(axis=2) @ (np.arange(rows, dtype=np.float64) - (rows - 1) / 2) / mass
    turning = np.stack([np.ones(len(angles)), np.cos(angles), np.sin(angles)], axis=1)
    if float(np.linalg.cond(turning)) > 30:
        raise ValueError(
            "The views span too little of the turn to tell the axis from the sample's own place: "
            "take views over a quarter of a turn or more."
        )
    (axis, x, y), sigma, rms = _fit(turning, column)
    # Up and down is the depth along the beam times the sine of the tilt.
    depth = y * np.cos(angles) - x * np.sin(angles)
    (level, sine), up_sigma, _ = _fit(
        np.stack([np.ones(len(angles)), depth], axis=1), row * row_pitch
    )
    sure = up_sigma[1] < 0.5 and abs(sine) < 0.999
    tilt = math.degrees(math.asin(sine)) if sure else 0.0
    spread = math.degrees(up_sigma[1] / math.sqrt(1 - sine**2)) if sure else 90.0
    axis_sigma = math.hypot(float(sigma[0]), rms / math.sqrt(FLATS))
    lever = level + _exchange(views, axis) / (float(mass.mean()) / row_pitch)
    return Circle(axis, axis_sigma, lever, x, y, tilt, spread, rms)


def roll_of_bands(
    projections: Image, angles_deg: ArrayLike, row_pitch: float = 1.0, bands: int = 12
) -> tuple[float, float]:
    """Roll of an axis that is not tilted, from the centres of mass of bands of rows.

    Returns
    -------
    roll_deg, sigma_deg : float
        Sigma is infinite where fewer than four bands hold a sample.
    """
    found: list[tuple[float, float, float]] = []
    height = int(projections.shape[1])
    edges = [round(height * band / bands) for band in range(bands + 1)]
    middle = (height - 1) / 2
    for low, high in itertools.pairwise(edges):
        try:
            path = centre_path(projections[:, low:high], angles_deg, row_pitch)
        except ValueError:
            continue
        place = ((low + high - 1) / 2 - middle) * row_pitch + path.lever
        found.append((place, path.axis_column, path.axis_sigma))
    if len(found) < 4:
        return 0.0, math.inf
    place, axis, sigma = np.array(found).T
    terms = np.stack([np.ones(len(place)), place], axis=1) / sigma[:, None]
    (_, slope), spread, _ = _fit(terms, axis / sigma)
    # Twice: that a roll moves rows within the sample is followed to the first order only.
    return math.degrees(math.atan(slope)), 2 * math.degrees(float(spread[1]))


def off_circle(projections: Image, angles_deg: ArrayLike) -> Floats:
    """How far the centre of mass is off its circle in each view, in columns, (views,).

    Raises
    ------
    ValueError
        As `centre_path`.
    """
    path = centre_path(projections, angles_deg)
    angles = np.radians(np.asarray(angles_deg, np.float64))
    views = projections.astype(np.float64).sum(axis=1)
    column = views @ np.arange(int(views.shape[1]), dtype=np.float64) / views.sum(axis=1)
    return column - path.axis_column - path.x * np.cos(angles) - path.y * np.sin(angles)


def _exchange(views: Floats, axis: float) -> float:
    """Second moment of the last rows less that of the first, in columns: a roll exchanges it."""
    ends = min(3, views.shape[1])
    square = (np.arange(int(views.shape[2]), dtype=np.float64) - axis) ** 2
    rows = views.mean(axis=0) @ square
    return float(rows[-ends:].mean() - rows[:ends].mean())


def _fit(terms: Floats, values: Floats) -> tuple[list[float], Floats, float]:
    """Least squares with the deviation of each term, from what remains; outliers left out."""
    keep = np.ones(len(values), np.bool_)
    found = np.zeros(terms.shape[1])
    for _ in range(3):
        found = np.linalg.lstsq(terms[keep], values[keep], rcond=None)[0]
        off = np.abs(values - terms @ found)
        limit = 4 * 1.4826 * float(np.median(off[keep])) + 1e-9
        if keep.sum() <= terms.shape[1] + 2 or bool((off[keep] <= limit).all()):
            break
        keep &= off <= limit
    residual = (values - terms @ found)[keep]
    free = max(1, int(keep.sum()) - terms.shape[1])
    variance = float(residual @ residual) / free
    covariance = np.linalg.pinv(terms[keep].T @ terms[keep]) * variance
    rms = math.sqrt(float(np.mean(residual**2)))
    return [float(v) for v in found], np.sqrt(np.diag(covariance)), rms
