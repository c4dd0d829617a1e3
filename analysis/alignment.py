"""Axis, roll, pitch, place and drift of a sample from a few radiographs, each with its doubt."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.axis_search import AxisFound, find_axis
from voltomo.analysis.best_focus import best_focus
from voltomo.analysis.common_lines import pitch_of_views
from voltomo.analysis.displacement import Shift, shift_between
from voltomo.analysis.moments import centre_path, ends_inside
from voltomo.analysis.typed_scipy import smooth_image
from voltomo.model.alignment import Displacement, Estimate, Look, unknown

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

# What stands in the beam must take this part of its light somewhere, above the noise.
SMALLEST_LINE_INTEGRAL = 0.02
# An angle of now and of the reference are the same within this.
SAME_ANGLE_DEG = 0.2
# No pair of views is believed to be better than this, in pixels.
SMALLEST_SIGMA = 0.005


def no_contrast(integrals: Image) -> str:
    """Why radiographs show no sample; empty where they do."""
    if not len(integrals):
        return "no radiograph was recorded"
    if not np.isfinite(integrals).all():
        return "radiographs have values that are not finite"
    smooth = np.stack([smooth_image(view, 2.0) for view in integrals])
    spans = [float(np.quantile(view, 0.999) - np.quantile(view, 0.001)) for view in smooth]
    noise = float(np.median(np.abs(np.diff(integrals, axis=2)))) * 1.4826 / math.sqrt(2)
    needed = max(SMALLEST_LINE_INTEGRAL, 2.0 * noise)
    if max(spans) < needed:
        return (
            f"the radiographs differ from the flats by {max(spans):.1%} at most, which is no sample"
        )
    if min(spans) < needed:
        return "the sample is out of the field at some angles"
    return ""


def focus_of(places_mm: ArrayLike, integrals: Image, sweep: NDArray[np.int64]) -> Estimate:
    """The camera's best focus; see `voltomo.analysis.best_focus.best_focus`.

    Parameters
    ----------
    places_mm : array_like (places,)
        Where the focus stood, sweep by sweep.
    integrals : float32 (views, rows, columns)
        Line integrals, two or more of each sweep.
    sweep : int array (views,)
        Number of the sweep of each.
    """
    places = np.asarray(places_mm, np.float64)
    members = [np.flatnonzero(sweep == number) for number in range(len(places))]
    kept = [number for number, rows in enumerate(members) if len(rows) >= 2]
    if not kept:
        return unknown("no place of the focus has two radiographs")
    pairs = np.stack([integrals[members[number][:2]] for number in kept])
    return best_focus(places[kept], pairs)


def look_round(integrals: Image, angles_deg: ArrayLike) -> Look:
    """Axis, roll, pitch and the sample's place, from radiographs round the turn.

    Parameters
    ----------
    integrals : float32 (views, rows, columns)
        Line integrals, opposite ones among them.
    angles_deg : array_like (views,)
        Of the stage.
    """
    angles = np.asarray(angles_deg, np.float64)
    missing = no_contrast(integrals)
    if missing:
        return Look.nothing(missing)
    try:
        found = find_axis(integrals, angles)
    except ValueError as reason:
        lost = unknown(_uncapped(str(reason)))
        return Look(lost, lost, lost, lost, 0.0, _middle_row(integrals))
    roll = (
        Estimate(found.roll_deg, found.roll_sigma_deg)
        if math.isfinite(found.roll_sigma_deg)
        else unknown("the radiographs are too low, or do not match in enough rows")
    )
    axis = _checked(found, int(integrals.shape[2]))
    pitch = (
        pitch_of_views(integrals, angles, axis.value, roll.value)
        if axis.known and roll.known
        else unknown("axis and roll are not known")
    )
    off_axis, angle = _off_axis(integrals, angles)
    return Look(axis, roll, pitch, off_axis, angle, _middle_row(integrals))


def _checked(found: AxisFound, columns: int) -> Estimate:
    """An axis whose methods contradict each other is no axis."""
    if not (math.isfinite(found.sigma) and found.sigma < 0.02 * columns):
        return unknown("the methods do not agree on it: " + found.words)
    return Estimate(found.axis_column, found.sigma)


def _off_axis(integrals: Image, angles: Floats) -> tuple[Estimate, float]:
    try:
        path = centre_path(integrals, angles)
    except ValueError as reason:
        return unknown(_uncapped(str(reason))), 0.0
    away = Estimate(math.hypot(path.x, path.y), max(path.axis_sigma, SMALLEST_SIGMA))
    return away, math.degrees(math.atan2(path.y, path.x))


def _middle_row(integrals: Image) -> Estimate:
    """Row of the centre of mass, of a sample that ends above and below."""
    if not ends_inside(integrals, sides=False):
        return unknown("the sample reaches beyond the field at top and bottom")
    views = integrals.astype(np.float64)
    mass = views.sum(axis=(1, 2))
    row = views.sum(axis=2) @ np.arange(int(views.shape[1]), dtype=np.float64) / mass
    return Estimate(float(row.mean()), max(float(row.std()) / math.sqrt(len(row)), 0.05))


def pixel_size_um(integrals: Image, sweep: NDArray[np.int64], moved_mm: float) -> Estimate:
    """Pixel size from two places of the sample across the beam.

    Parameters
    ----------
    integrals : float32 (views, rows, columns)
        Line integrals of sweeps 0 and 1, all at one angle.
    sweep : int array (views,)
        Number of the sweep of each.
    moved_mm : float
        How far the stage moved the sample between them, towards higher columns.
    """
    before, after = integrals[sweep == 0], integrals[sweep == 1]
    if not len(before) or not len(after):
        return unknown("a radiograph of one of the two places is missing")
    missing = no_contrast(np.concatenate([before, after]))
    if missing:
        return unknown(missing)
    try:
        shift = shift_between(before.mean(axis=0), after.mean(axis=0))
    except ValueError as reason:
        return unknown(_uncapped(str(reason)))
    if not (math.isfinite(shift.columns_sigma) and abs(shift.columns) > 20 * shift.columns_sigma):
        return unknown(f"a move by {moved_mm:g} mm shows as {shift.columns:.2f} columns")
    if shift.columns < 0:
        return unknown(
            "the sample went to lower columns where the stage moved towards higher ones: camera "
            "or stage count the other way round"
        )
    distance = math.hypot(shift.columns, shift.rows)
    value = 1e3 * abs(moved_mm) / distance
    return Estimate(value, value * max(shift.columns_sigma, SMALLEST_SIGMA) / distance)


def displacement_of(
    reference: Image, reference_deg: ArrayLike, now: Image, now_deg: ArrayLike
) -> Displacement:
    """How far the sample has gone since reference radiographs were taken.

    Radiographs of the same angle are registered; what is the same at all angles is a move of the
    stage below the rotation, what turns with the angle is one of the sample upon it.

    Parameters
    ----------
    reference, now : float32 (views, rows, columns)
        Line integrals.
    reference_deg, now_deg : array_like (views,)
        Their angles.
    """
    missing = no_contrast(now)
    if missing:
        return Displacement(*(unknown(missing),) * 4)
    known = np.asarray(reference_deg, np.float64)
    pairs: list[tuple[float, Shift]] = []
    reason = "no reference radiograph is of one of the angles"
    for view, angle in zip(now, np.asarray(now_deg, np.float64), strict=True):
        off = np.abs(np.mod(known - angle + 180.0, 360.0) - 180.0)
        if not off.size or off.min() > SAME_ANGLE_DEG:
            continue
        try:
            pairs.append((float(angle), shift_between(reference[int(np.argmin(off))], view)))
        except ValueError as error:
            reason = _uncapped(str(error))
    return _solved(pairs, reason)


def _solved(pairs: list[tuple[float, Shift]], reason: str) -> Displacement:
    if not pairs:
        return Displacement(*(unknown(reason),) * 4)
    angles = np.radians([angle for angle, _ in pairs])
    columns = np.array([shift.columns for _, shift in pairs])
    rows = np.array([shift.rows for _, shift in pairs])
    sigma = max(max(shift.columns_sigma for _, shift in pairs), SMALLEST_SIGMA)
    rows_sigma = max(max(shift.rows_sigma for _, shift in pairs), SMALLEST_SIGMA)
    up = Estimate(float(rows.mean()), max(rows_sigma, float(rows.std())) / math.sqrt(len(rows)))
    if not math.isfinite(rows_sigma) or rows_sigma > 1:
        up = unknown("the sample looks the same at every height")
    terms = np.stack([np.ones(len(angles)), np.cos(angles), np.sin(angles)], axis=1)
    if len(pairs) < 3 or float(np.linalg.cond(terms)) > 10:
        alone = unknown("fewer than three angles can be compared with the reference")
        return Displacement(alone, up, alone, alone)
    found, *_ = np.linalg.lstsq(terms, columns, rcond=None)
    left = columns - terms @ found
    free = len(pairs) - 3
    if free > 0:
        sigma = max(sigma, math.sqrt(float(left @ left) / free))
    spread = sigma * np.sqrt(np.diag(np.linalg.inv(terms.T @ terms)))
    across, x, y = (Estimate(float(v), float(s)) for v, s in zip(found, spread, strict=True))
    return Displacement(across, up, x, y)


def _uncapped(sentence: str) -> str:
    """A sentence as the end of another one."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")
