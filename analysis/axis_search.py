"""The axis, its roll and its tilt from the views of a scan, by all that they tell, with doubts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.batch import fbp
from voltomo.analysis.focus import contrast, sharpest
from voltomo.analysis.moments import centre_path, ends_inside, roll_of_bands
from voltomo.analysis.reflection import FEWEST_ROWS, Mirror, mirror_of
from voltomo.analysis.truncation import is_truncated
from voltomo.analysis.typed_scipy import smooth_rows

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

PAIRS_AT_MOST = 8
# A view this near to the opposite of another stands for it, interpolated with its neighbour.
NEAR_DEG = 2.0
FOCUS_SLICES = 7
# Fewer views hardly cross, and the contrast follows their own pattern.
VIEWS_TO_FOCUS = 60
FEWEST_VIEWS_TO_FOCUS = 20
SIGMA_OF_FEW_VIEWS = 0.5
# No method knows its own small errors (interpolation, drift of the beam) better than this.
SMALLEST_SIGMA = 0.005
ALONE = 1.5
# Over half a turn all slices share an error that their scatter does not show: streaks of few views
# are not the same on both sides of the axis. Measured on balls, 75 to 160 views: .05 columns.
SHARED_OF_HALF_TURN = 0.06
# An axis is rarely set up worse than this.
UNKNOWN_ROLL_DEG = 0.3


@dataclass(frozen=True)
class Estimate:
    """What one method says: its name, the column of the axis, and the standard deviation."""

    method: str
    axis_column: float
    sigma: float


@dataclass(frozen=True)
class AxisFound:
    """The axis in the detector plane, and how sure it is.

    Attributes
    ----------
    axis_column, sigma : float
        Column in the middle row, and its standard deviation.
    roll_deg, roll_sigma_deg : float
        See `voltomo.model.geometry`; sigma is infinite where it was not looked for.
    tilt_deg, tilt_sigma_deg : float
        From the centre of mass; sigma is infinite where the sample leaves the frames.
    estimates : tuple of Estimate
        Of each method that could say something.
    notes : tuple of str
        Sentences on what could not be used or does not agree; empty if all is well.
    """

    axis_column: float
    sigma: float
    roll_deg: float = 0.0
    roll_sigma_deg: float = math.inf
    tilt_deg: float = 0.0
    tilt_sigma_deg: float = math.inf
    estimates: tuple[Estimate, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def words(self) -> str:
        """One line for a report."""
        text = f"axis at column {self.axis_column:.3f} ± {self.sigma:.3f}"
        if math.isfinite(self.roll_sigma_deg):
            text += f", rolled by {self.roll_deg:.3f} ± {self.roll_sigma_deg:.3f} deg"
        if math.isfinite(self.tilt_sigma_deg):
            text += f", tilted by {self.tilt_deg:.2f} ± {self.tilt_sigma_deg:.2f} deg"
        return text


def opposite_pairs(
    angles_deg: ArrayLike, at_most: int = PAIRS_AT_MOST
) -> list[tuple[int, int, int, float]]:
    """Views that have an opposite, spread over the turn.

    Returns
    -------
    list of (view, near, next, part)
        The opposite of ``view`` is ``near + part (next - near)``.
    """
    angles = np.asarray(angles_deg, np.float64)
    beyond = np.mod(angles[None, :] - angles[:, None], 360.0) - 180.0
    np.fill_diagonal(beyond, np.inf)
    order = np.argsort(np.abs(beyond), axis=1)
    pairs: list[tuple[int, int, int, float]] = []
    for view in range(len(angles)):
        near, next_ = int(order[view, 0]), int(order[view, min(1, len(angles) - 1)])
        off, apart = float(beyond[view, near]), float(beyond[view, next_] - beyond[view, near])
        if not abs(off) <= NEAR_DEG or (abs(off) > 0.01 and not 1e-6 < abs(apart) <= 2 * NEAR_DEG):
            continue
        part = -off / apart if abs(off) > 0.01 else 0.0
        # Farther than a step beyond the views is a guess.
        if -1.5 <= part <= 1.5 and angles[near] > angles[view]:
            pairs.append((view, near, next_, part))
    if len(pairs) <= at_most:
        return pairs
    chosen = np.round(np.linspace(0, len(pairs) - 1, at_most)).astype(int)
    return [pairs[i] for i in chosen]


def views_needed(angles_deg: ArrayLike, others: int = 64) -> NDArray[np.int64]:
    """Numbers of the views that `find_axis` should get: pairs, and some spread over the turn."""
    angles = np.asarray(angles_deg, np.float64)
    needed = {view for pair in opposite_pairs(angles) for view in pair[:3]}
    order = np.argsort(angles, kind="stable")
    spread = np.round(np.linspace(0, len(angles) - 1, min(others, len(angles)))).astype(int)
    return np.array(sorted(needed | set(order[spread].tolist())), np.int64)


def _demand_views(projections: Image, angles: Floats) -> None:
    if projections.ndim != 3 or angles.shape != (len(projections),):
        raise ValueError(
            f"The axis needs projections (views, rows, columns) with an angle each; they are "
            f"{projections.shape} with angles {angles.shape}."
        )
    if not np.isfinite(projections).all() or not np.isfinite(angles).all():
        raise ValueError(
            "The projections for the axis, or angles, have values that are not finite."
        )


def find_axis(projections: Image, angles_deg: ArrayLike, row_pitch: float = 1.0) -> AxisFound:
    """Find the axis from views at any angles, an interlaced prefix for example.

    Opposite projections are mirror images at the axis; the centre of mass runs round it; slices
    are sharpest on it. Each method that the views allow gives a value and a deviation; they are
    weighted by these, and where they disagree the deviation of the result is made to cover it.

    Parameters
    ----------
    projections : float32 (views, rows, columns)
        Line integrals: all views, or those of `views_needed`.
    angles_deg : array_like (views,)
        Their angles, in any order.
    row_pitch : float
        Columns' widths from one row to the next, where rows were averaged.

    Raises
    ------
    ValueError
        Shapes do not fit, values are not finite, or no method can say anything.
    """
    angles = np.asarray(angles_deg, np.float64)
    _demand_views(projections, angles)
    notes: list[str] = []
    mirrors = _mirrors(projections, angles, row_pitch, notes)
    estimates: list[Estimate] = []
    roll, roll_sigma = 0.0, math.inf
    if mirrors:
        axis, sigma = _together([(m.axis_column, m.axis_sigma) for m in mirrors])
        # With no other pair to compare with, its own deviation is all there is.
        sigma *= ALONE if len(mirrors) == 1 else 1.0
        estimates.append(Estimate(f"{len(mirrors)} opposite pairs", axis, sigma))
        if all(math.isfinite(m.roll_sigma_deg) for m in mirrors):
            roll, roll_sigma = _together([(m.roll_deg, m.roll_sigma_deg) for m in mirrors])
    tilt, tilt_sigma = 0.0, math.inf
    try:
        path = centre_path(projections, angles, row_pitch)
        if projections.shape[1] >= FEWEST_ROWS:
            roll, roll_sigma = _together(
                [(roll, roll_sigma), *_roll(projections, angles, row_pitch)]
            )
            if ends_inside(projections, sides=False):
                tilt, tilt_sigma = path.tilt_deg, path.tilt_sigma_deg
        unsure = path.lever * math.radians(min(roll_sigma, UNKNOWN_ROLL_DEG))
        middle = path.axis_column - path.lever * math.tan(math.radians(roll))
        estimates.append(Estimate("centre of mass", middle, math.hypot(path.axis_sigma, unsure)))
    except ValueError as reason:
        notes.append(str(reason))
    _focus(projections, angles, estimates, notes)
    if not estimates:
        raise ValueError("The axis cannot be found. " + " ".join(notes))
    values = [(one.axis_column, max(one.sigma, SMALLEST_SIGMA)) for one in estimates]
    axis, sigma = _together(values)
    apart = max(abs(value - axis) / deviation for value, deviation in values)
    if apart > 4:
        words = ", ".join(f"{e.method} {e.axis_column:.2f} ± {e.sigma:.2f}" for e in estimates)
        notes.append(f"The methods do not agree ({words}): look at the picture of the axis.")
    return AxisFound(
        axis, sigma, roll, roll_sigma, tilt, tilt_sigma, tuple(estimates), tuple(notes)
    )


def _mirrors(
    projections: Image, angles: Floats, row_pitch: float, notes: list[str]
) -> list[Mirror]:
    found: list[Mirror] = []
    for view, near, next_, part in opposite_pairs(angles):
        opposite = projections[near] + np.float32(part) * (projections[next_] - projections[near])
        try:
            found.append(mirror_of(projections[view], opposite, row_pitch))
        except ValueError as reason:
            notes.append(str(reason))
    if not found:
        return []
    # A pair between which something happened stands apart from the others.
    middle = float(np.median([m.axis_column for m in found]))
    spread = 1.4826 * float(np.median([abs(m.axis_column - middle) for m in found]))
    limit = max(5 * spread, 5 * float(np.median([m.axis_sigma for m in found])), 0.05)
    kept = [m for m in found if abs(m.axis_column - middle) <= limit]
    if len(kept) < len(found):
        notes.append(f"{len(found) - len(kept)} of {len(found)} opposite pairs stand apart.")
    return kept


def _roll(projections: Image, angles: Floats, row_pitch: float) -> list[tuple[float, float]]:
    roll, sigma = roll_of_bands(projections, angles, row_pitch)
    return [(roll, sigma)] if math.isfinite(sigma) else []


def _focus(projections: Image, angles: Floats, estimates: list[Estimate], notes: list[str]) -> None:
    """Add what the quality of slices says, near what is known or near the middle."""
    span = float(np.ptp(angles)) * len(angles) / max(1, len(angles) - 1)
    fewest = VIEWS_TO_FOCUS if estimates else FEWEST_VIEWS_TO_FOCUS
    if len(angles) < fewest or span < 170:
        return
    rows, columns = int(projections.shape[1]), int(projections.shape[2])
    # Slices of few rows know nothing of each other's noise only if they are apart.
    chosen = np.unique(np.linspace(0, rows - 1, FOCUS_SLICES + 2).astype(int)[1:-1])
    if len(chosen) < 3:
        return
    # Interpolation smooths noise more at some fractions of a column than at others: smoothed
    # before, contrast follows the sample and not the noise.
    smooth = [smooth_rows(projections[:, row].astype(np.float64), 1.5) for row in chosen]
    sinograms = [sinogram.astype(np.float32) for sinogram in smooth]
    start = (
        _together([(e.axis_column, max(e.sigma, 0.05)) for e in estimates])[0]
        if estimates
        else ((columns - 1) / 2)
    )

    added = columns // 2 if any(is_truncated(sinogram) for sinogram in sinograms) else 0
    # Where rows end inside the sample, the ramp would make their ends the brightest of all.
    padded = [np.pad(sinogram, ((0, 0), (added, added)), mode="edge") for sinogram in sinograms]

    def figures(axis: float) -> Floats:
        return contrast(np.stack([fbp(rows, angles, axis + added, columns) for rows in padded]))

    try:
        step = 0.7 if estimates else max(1.0, columns / 100)
        value, sigma = sharpest(figures, start, step)
    except ValueError as reason:
        notes.append(str(reason))
        return
    if span < 270:
        sigma = math.hypot(sigma, SHARED_OF_HALF_TURN)
    if len(angles) < VIEWS_TO_FOCUS:
        sigma = max(sigma, SIGMA_OF_FEW_VIEWS)
    estimates.append(Estimate(f"contrast of {len(chosen)} slices", value, sigma))


def _together(values: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Weighted mean; its deviation covers the scatter where that is more than was promised."""
    value, sigma = np.array([one for one in values if math.isfinite(one[1])] or values).T
    if not np.isfinite(sigma).all():
        return float(value[0]), math.inf
    weight = 1 / np.maximum(sigma, 1e-6) ** 2
    mean = float((value * weight).sum() / weight.sum())
    promised = 1 / math.sqrt(float(weight.sum()))
    if len(value) == 1:
        return mean, promised
    excess = float((weight * (value - mean) ** 2).sum()) / (len(value) - 1)
    return mean, promised * max(1.0, math.sqrt(excess))
