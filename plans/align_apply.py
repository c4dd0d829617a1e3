"""Moving stages for what an alignment found, with the beam off."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.alignment import Look
from voltomo.plans.align_work import Work
from voltomo.plans.protocols import alignment_axes

_PITCH_DEG = 0.02
_CLEAR = 3.0
"""Stages are moved only for what is so many deviations from nothing."""


Told = dict[str, str]


def correct(work: Work, look: Look) -> Generator[Msg, Any, tuple[Told, Told]]:
    """Turn the camera, move the zero of the tilt stage, and bring axis and sample to the middle.

    Returns
    -------
    done, refused : dict of str to str
        What was done, and why something could not be, by the quantity for which it was.
    """
    done: Told = {}
    refused: Told = {}
    for name, step in (("roll", _roll), ("pitch", _pitch), ("axis", _across), ("height", _up)):
        said = yield from step(work, look)
        if said is None:
            continue
        did, why_not = said
        if did:
            done[name] = did
        else:
            refused[name] = why_not
    return done, refused


Said = tuple[str, str] | None
"""What was done, or why it could not be; None where nothing was to be done."""


def _roll(work: Work, look: Look) -> Generator[Msg, Any, Said]:
    roll = look.roll_deg
    if not roll.known or abs(roll.value) <= max(work.options.roll_deg, _CLEAR * roll.sigma):
        return None
    axis = alignment_axes(work.beamline).get("camera_roll")
    if axis is None:
        return "", "the camera cannot be turned; turn it by hand, or give the scan this roll"
    here = float((yield from bps.rd(axis)))
    target = here - roll.value
    why = yield from work.move("camera roll", axis, target)
    return ("" if why else f"the camera was turned from {here:.3f} to {target:.3f} deg"), why


def _pitch(work: Work, look: Look) -> Generator[Msg, Any, Said]:
    """Where the tilt stage says 0 and the axis leans, its zero is wrong: that is what is moved."""
    pitch = look.pitch_deg
    if not pitch.known or abs(pitch.value) <= max(_PITCH_DEG, _CLEAR * pitch.sigma):
        return None
    stage = alignment_axes(work.beamline).get("tilt")
    if stage is None:
        return "", "the beamline has no tilt stage; level the rotation by hand"
    zero: Any = getattr(stage, "user_offset", None)
    if zero is None:
        return "", "the zero of the tilt stage cannot be set from here"
    here = float((yield from bps.rd(stage)))
    try:
        # The offset makes the stage read as it really leans; then it goes where it was to stand.
        stage.check_value(here - pitch.value)
    except Exception as error:  # noqa: BLE001
        # Every library has its own; each says what limit it is.
        return "", f"tilt cannot go to {here - pitch.value:.4g} deg ({error})"
    old = float((yield from bps.rd(zero)))

    def set_zero() -> Generator[Msg, Any, None]:
        yield from bps.abs_set(zero, old + pitch.value, group="align")
        yield from bps.wait("align")

    yield from work.takes.undisturbed(set_zero)
    why = yield from work.move("tilt", stage, here)
    did = f"the zero of the tilt stage was moved by {pitch.value:.3f} deg"
    return (f"{did}, but {why}" if why else did), ""


def _across(work: Work, look: Look) -> Generator[Msg, Any, Said]:
    axis, geometry = look.axis_column, work.spec.geometry
    if not axis.known:
        return None
    off = axis.value - (geometry.columns - 1) / 2
    if abs(off) <= max(work.options.centred_part * geometry.columns, _CLEAR * axis.sigma):
        return None
    if work.quantities["pixel size"].value is None:
        return "", "without a pixel size it is not known how far"
    stage = work.beamline.sample_stage.x
    here = float((yield from bps.rd(stage)))
    target = here - off * work.pixel_um * 1e-3
    why = yield from work.move("sample x", stage, target)
    return ("" if why else f"sample x was moved from {here:.4f} to {target:.4f} mm"), why


def _up(work: Work, look: Look) -> Generator[Msg, Any, Said]:
    middle, geometry = look.middle_row, work.spec.geometry
    stage = getattr(work.beamline.sample_stage, "z", None)
    if not middle.known:
        return None
    off = middle.value - (geometry.rows - 1) / 2
    if abs(off) <= max(work.options.centred_part * geometry.rows, _CLEAR * middle.sigma):
        return None
    if stage is None:
        return "", "the beamline has no stage that moves the sample up and down"
    if work.quantities["pixel size"].value is None:
        return "", "without a pixel size it is not known how far"
    here = float((yield from bps.rd(stage)))
    target = here - off * work.pixel_um * 1e-3
    why = yield from work.move("sample z", stage, target)
    return ("" if why else f"sample z was moved from {here:.4f} to {target:.4f} mm"), why
