"""Rows that end inside the sample: continued so that the slice keeps its level."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.typed_scipy import robust_fit, smooth_rows

Floats = NDArray[np.float64]

# Enough for six parameters; the fit takes some hundredths of a second.
VIEWS_TO_FIT = 48
COLUMNS_TO_FIT = 64
# A row whose ends hold less than this part of its highest value is taken to end in air.
AIR = 0.05


@dataclass(frozen=True)
class Ellipse:
    """A homogeneous ellipse that projects as the sample does, roughly.

    Attributes
    ----------
    x, y : float
        Centre, in columns from the axis.
    mean_square_width : float
        Mean over the angles of the squared half-width of its shadow.
    cosine, sine : float
        How that varies: 1 + cosine cos(2 angle) + sine sin(2 angle).
    attenuation : float
        Per pixel.
    """

    x: float
    y: float
    mean_square_width: float
    cosine: float
    sine: float
    attenuation: float

    @property
    def reach(self) -> float:
        """How far it comes from the axis, at most."""
        lean = math.hypot(self.cosine, self.sine)
        return math.hypot(self.x, self.y) + math.sqrt(self.mean_square_width * (1 + lean))

    def rows(self, angles_deg: ArrayLike, from_axis: Floats) -> Floats:
        """Its line integrals (views, columns) at columns counted from the axis."""
        angle = np.radians(np.asarray(angles_deg, np.float64))[:, None]
        lean = self.cosine * np.cos(2 * angle) + self.sine * np.sin(2 * angle)
        width2 = self.mean_square_width * (1 + lean)
        off = from_axis[None, :] - self.x * np.cos(angle) - self.y * np.sin(angle)
        flatness = max(1e-3, 1 - self.cosine**2 - self.sine**2)
        axes = self.mean_square_width * math.sqrt(flatness)  # product of the semi-axes
        chord = 2 * axes * np.sqrt(np.maximum(width2 - off * off, 0)) / width2
        return self.attenuation * chord


def is_truncated(rows: NDArray[np.float32]) -> bool:
    """Whether rows (views, columns) of line integrals end inside the sample in some views."""
    smooth = np.median(np.stack([rows[:, :3], rows[:, -3:]]), axis=2).max(axis=0)
    inside = np.count_nonzero(smooth > AIR * float(np.quantile(rows, 0.99)))
    return bool(inside > 0.02 * len(rows))


def fit_ellipse(rows: NDArray[np.float32], angles_deg: ArrayLike, axis_column: float) -> Ellipse:
    """The homogeneous ellipse whose projections come nearest to truncated rows.

    Parameters
    ----------
    rows : float32 (views, columns)
        Line integrals.
    angles_deg : array_like (views,)
        Their angles.
    axis_column : float
        Column of the rotation axis.

    Raises
    ------
    ValueError
        If there is nothing but air in the rows, or shapes differ.
    """
    angles = np.asarray(angles_deg, np.float64)
    views, columns = rows.shape
    if angles.shape != (views,):
        raise ValueError(f"There must be one angle a view: {angles.shape} for {views} views.")
    every: int = math.ceil(len(rows) / VIEWS_TO_FIT)
    some = slice(None, None, every)
    step = max(1, columns // COLUMNS_TO_FIT)
    seen = smooth_rows(rows[some].astype(np.float64), step)[:, step // 2 :: step]
    from_axis = np.arange(columns, dtype=np.float64)[step // 2 :: step] - axis_column
    level = float(seen.mean())
    if not level > 0:
        raise ValueError("The rows to continue hold no sample: their mean is not above zero.")
    radius = 0.75 * columns

    def ellipse(p: Floats) -> Ellipse:
        return Ellipse(p[0], p[1], float(np.exp(2 * p[4])), p[2], p[3], p[5])

    def residual(p: Floats) -> Floats:
        return (ellipse(p).rows(angles[some], from_axis) - seen).ravel()

    start = np.array([0, 0, 0, 0, np.log(radius), level / (1.8 * radius)])
    low = np.array([-columns, -columns, -0.7, -0.7, np.log(columns / 4), 0])
    high = np.array([columns, columns, 0.7, 0.7, np.log(3 * columns), np.inf])
    size = np.array([columns / 10, columns / 10, 0.1, 0.1, 0.2, level / radius / 5])
    return ellipse(robust_fit(residual, start, (low, high), size, 0.1 * level))


def continue_rows(
    rows: NDArray[np.float32],
    angles_deg: ArrayLike,
    axis_column: float,
    ellipse: Ellipse,
    added_columns: int,
) -> NDArray[np.float32]:
    """Rows continued on both sides by the projections of an ellipse.

    Parameters
    ----------
    rows : float32 (views, columns)
        Line integrals that end inside the sample.
    angles_deg : array_like (views,)
        Their angles.
    axis_column : float
        Column of the axis; it is `added_columns` higher in the result.
    ellipse : Ellipse
        From `fit_ellipse`.
    added_columns : int
        On each side.

    Returns
    -------
    float32 (views, columns + 2 added_columns)
        What was measured is unchanged; the step to it is spread over a tenth of a row.

    Notes
    -----
    Constant continuation, the usual way, puts mass where there is none: a disc of which half is
    seen then comes out 31 to 46 % too low, cupped by 15 %. An ellipse is right to .2 % for it,
    and to 1 % with particles in it. It cannot know a dense wall that lies outside of the field.
    """
    columns = rows.shape[1]
    place = np.arange(-added_columns, columns + added_columns, dtype=np.float64)
    wide = ellipse.rows(angles_deg, place - axis_column)
    inside = slice(added_columns, added_columns + columns)
    ends = max(4, columns // 50)
    step = rows.astype(np.float64) - wide[:, inside]
    fade = max(1, columns // 10)
    distance = np.arange(added_columns)
    share = np.where(distance < fade, 0.5 + 0.5 * np.cos(np.pi * distance / fade), 0.0)
    wide[:, : inside.start] += step[:, :ends].mean(axis=1, keepdims=True) * share[::-1]
    wide[:, inside.stop :] += step[:, -ends:].mean(axis=1, keepdims=True) * share
    wide[:, inside] = rows
    return wide.astype(np.float32)
