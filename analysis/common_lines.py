"""The pitch of the axis from a few views: sums along rotated lines that two views must share."""

import itertools
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.typed_scipy import sample_spline, smooth_image, smooth_rows
from voltomo.model.alignment import Estimate, unknown

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

SMOOTHING = 1.5
# Structure longer than this along the axis, in rows, tells little of a lean.
COARSE = 12.0
# Views this far apart share a line that turns fast with the pitch, and is not yet level.
NEAREST_DEG, FARTHEST_DEG = 50.0, 140.0
# Steeper lines leave the frame at top and bottom.
STEEPEST_DEG = 22.0
BIN = 4
FEWEST_ROWS = 32
# Below this likeness two views show nothing in common.
SMALLEST_CORRELATION = 0.25


def line_angle(pitch_deg: float, apart_deg: float) -> float:
    """Angle in radians, from the axis, of the line that two views have in common.

    The spectra of two parallel projections agree along the line in which their planes meet (van
    Heel, Ultramicroscopy 21, 111, 1987). For an axis that leans by the pitch p, and views D apart,
    it lies at ``atan(sin p tan(D/2))`` from the axis, to one side in the first view and to the
    other in the second.
    """
    return math.atan(math.sin(math.radians(pitch_deg)) * math.tan(math.radians(apart_deg) / 2))


def pitch_of_views(
    projections: Image,
    angles_deg: ArrayLike,
    axis_column: float,
    roll_deg: float,
    about_deg: float = 0.0,
    reach_deg: float = 1.5,
) -> Estimate:
    """Lean of the axis towards the source, from the lines that pairs of views share.

    Parameters
    ----------
    projections : float32 (views, rows, columns)
        Line integrals, the sample inside the sides of the frames.
    angles_deg : array_like (views,)
        Their angles.
    axis_column, roll_deg : float
        As known already.
    about_deg, reach_deg : float
        The pitch is sought within the reach of this value.

    Returns
    -------
    Estimate
        In deg, as ``tilt_deg`` of `voltomo.model.geometry`; without a value where rows are too
        few, no two views are so far apart, or they have no structure in common.
    """
    angles = np.asarray(angles_deg, np.float64)
    farthest = max(abs(about_deg - reach_deg), abs(about_deg + reach_deg))
    pairs = _pairs(angles, farthest)
    if not pairs:
        return unknown(
            f"no two radiographs are {NEAREST_DEG:g} to {FARTHEST_DEG:g} deg apart, with a line in "
            "common that stays in the field"
        )
    steepest = max(abs(line_angle(farthest, apart)) for _, _, apart in pairs)
    sums = _Sums(projections, axis_column, roll_deg, steepest)
    if sums.height < FEWEST_ROWS:
        return unknown(f"{projections.shape[1]} rows are too few to see the lean of the axis")
    grid = np.linspace(about_deg - reach_deg, about_deg + reach_deg, 13)
    coarse = np.stack([_likeness(sums, pairs, float(pitch)) for pitch in grid])
    best = int(np.argmax(coarse.mean(axis=1)))
    if coarse[best].mean() < SMALLEST_CORRELATION:
        return unknown("the radiographs show no structure along the axis in common")
    if best in (0, len(grid) - 1):
        return unknown(f"the lean of the axis is beyond {reach_deg:g} deg of {about_deg:g} deg")
    step = float(grid[1] - grid[0])
    fine = grid[best] + step * np.linspace(-1, 1, 7)
    table = np.stack([_likeness(sums, pairs, float(pitch)) for pitch in fine])
    value = _top(fine, table.mean(axis=1))
    each = np.array([_top(fine, column) for column in table.T])
    each = each[np.isfinite(each)]
    if not math.isfinite(value) or len(each) < max(2, len(pairs) // 2):
        return unknown("the radiographs do not agree on a lean of the axis")
    scatter = 1.4826 * float(np.median(np.abs(each - np.median(each))))
    scatter = max(scatter, 0.5 * float(each.std()))
    return Estimate(value, scatter / math.sqrt(len(each)) * (1 + 2 / len(each)))


def _pairs(angles: Floats, pitch_deg: float) -> list[tuple[int, int, float]]:
    found: list[tuple[int, int, float]] = []
    for one, other in itertools.combinations(range(len(angles)), 2):
        apart = float(np.mod(angles[other] - angles[one] + 180.0, 360.0) - 180.0)
        steep_deg = math.degrees(abs(line_angle(pitch_deg, apart)))
        if NEAREST_DEG <= abs(apart) <= FARTHEST_DEG and steep_deg <= STEEPEST_DEG:
            found.append((one, other, apart))
    return found


def _likeness(sums: "_Sums", pairs: list[tuple[int, int, float]], pitch_deg: float) -> Floats:
    """Correlation of the two sums of each pair."""
    out = np.empty(len(pairs))
    for number, (one, other, apart) in enumerate(pairs):
        lean = line_angle(pitch_deg, apart)
        out[number] = float(sums.along(one, -lean) @ sums.along(other, lean))
    return out


class _Sums:
    """Sums of views across lines at an angle to the axis, normalised to a length of one."""

    def __init__(self, projections: Image, axis: float, roll_deg: float, steepest: float) -> None:
        rows, columns = int(projections.shape[1]), int(projections.shape[2])
        self._roll = math.radians(roll_deg)
        half = max(axis, columns - 1 - axis)
        margin = min(half * math.sin(steepest + abs(self._roll)), 0.35 * rows) + 2
        self._across = np.arange(-half, half + 1, BIN)
        self._up = np.arange(margin, rows - margin) - (rows - 1) / 2
        self.height = len(self._up)
        self._axis, self._middle = axis, (rows - 1) / 2
        self._images = [_fine_structure(view) for view in projections]
        self._known: dict[tuple[int, float], Floats] = {}

    def along(self, view: int, lean: float) -> Floats:
        """Profile along the line that leans by this angle (radians) from the axis."""
        key = (view, round(lean, 7))
        if key not in self._known:
            angle = self._roll + lean
            sine, cosine = math.sin(angle), math.cos(angle)
            across, up = self._across[None, :], self._up[:, None]
            at_column = self._axis + across * cosine + up * sine
            at_row = self._middle + up * cosine - across * sine
            at = np.stack([at_row.ravel(), at_column.ravel()])
            profile = sample_spline(self._images[view], at, order=1).reshape(at_row.shape)
            total = profile.sum(axis=1)
            total -= total.mean()
            self._known[key] = total / (float(np.linalg.norm(total)) + 1e-30)
        return self._known[key]


def _fine_structure(view: Image) -> Floats:
    """A view without noise of single pixels and without what is long along the axis."""
    smooth = smooth_image(view.astype(np.float32), SMOOTHING).astype(np.float64)
    # The mean of BIN columns: a sum of every fourth of them is one of all.
    across = smooth_rows(smooth, BIN / 2)
    return across - smooth_rows(across.T.copy(), COARSE).T


def _top(values: Floats, figures: Floats) -> float:
    """Peak of the parabola through the values, NaN where there is none between them."""
    away = values - values.mean()
    terms = np.stack([away * away, away, np.ones(len(away))], axis=1)
    square, slope, _ = (float(v) for v in np.linalg.lstsq(terms, figures, rcond=None)[0])
    if not square < 0:
        return math.nan
    top = -slope / (2 * square)
    reach = 1.5 * float(values[-1] - values[0]) / 2
    return float(values.mean()) + top if abs(top) <= reach else math.nan
