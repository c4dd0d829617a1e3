"""A sentence for each quantity that radiographs round the turn give."""

from __future__ import annotations

from voltomo.model.alignment import Estimate, Look, unknown
from voltomo.plans.align_work import Work


def say_look(work: Work, look: Look) -> None:
    """Note axis, roll, pitch, centring, height, and how far the sample is off the axis."""
    geometry = work.spec.geometry
    middle = (geometry.columns - 1) / 2
    work.found(
        "axis", "columns", look.axis_column,
        lambda text: f"axis at {text}; the middle of the field is {middle:g}, the scan says "
        f"{geometry.axis:g}",
    )  # fmt: skip
    work.found(
        "roll", "deg", look.roll_deg,
        lambda text: f"roll: the axis leans by {text} in the detector's plane",
    )  # fmt: skip
    work.found(
        "pitch", "deg", look.pitch_deg,
        lambda text: f"pitch: the axis leans by {text} towards the source",
    )  # fmt: skip
    work.found(
        "centring", "% of the field", off_centre(look, geometry.columns),
        lambda text: f"centring: the axis is {text} off the middle",
    )  # fmt: skip
    work.found(
        "sample off axis", "µm", _scaled(look.off_axis_columns, work.pixel_um),
        lambda text: (
            f"sample off axis: its centre of mass is {text} from the axis, farthest towards higher "
            f"columns at {look.off_axis_angle_deg:.0f} deg"
        ),
    )  # fmt: skip
    work.found(
        "height", "rows", look.middle_row,
        lambda text: f"height: the sample's middle is at {text} from the top",
    )  # fmt: skip


def off_centre(look: Look, columns: int) -> Estimate:
    """How far the axis is off the middle, in percent of the field's width."""
    axis = look.axis_column
    if not axis.known:
        return unknown(axis.why_not)
    percent = 100 / columns
    return Estimate((axis.value - (columns - 1) / 2) * percent, axis.sigma * percent)


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    if not estimate.known:
        return estimate
    return Estimate(estimate.value * factor, estimate.sigma * factor)
