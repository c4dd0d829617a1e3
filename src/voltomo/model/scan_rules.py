"""Which scans cannot be, each in a sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voltomo.model.scan_spec import ScanSpec

_ANGLE_DEG = 1e-6
_TURN_DEG = 360.0
_ROW = 0.5
"""An axis that is rolled may climb so many rows by the end of a row, and one row still be used."""


def why_not(spec: ScanSpec) -> str:
    """Why a scan cannot be taken as it is asked for; empty where it can."""
    for rule in (_exposure, _read_out, _flats, _angles, _steps, _turns, _half, _blind, _target):
        sentence = rule(spec)
        if sentence:
            return sentence
    return ""


def _exposure(spec: ScanSpec) -> str:
    if spec.exposure_s < spec.period_s:
        return ""
    return (
        f"an exposure of {spec.exposure_s:g} s does not fit into a period of {spec.period_s:g} s; "
        "lengthen period_s or shorten exposure_s"
    )


def _read_out(spec: ScanSpec) -> str:
    if spec.read_out_s < spec.period_s:
        return ""
    return (
        f"a rolling shutter that takes {spec.read_out_s:g} s from the first row to the last does "
        f"not fit into a period of {spec.period_s:g} s; lengthen period_s or read fewer rows"
    )


def _flats(spec: ScanSpec) -> str:
    if spec.flats_shift_mm == 0:
        return (
            "flats_shift_mm must not be 0, or flats are taken with the sample in the beam; say "
            "how far it has to move to leave the field, to either side"
        )
    own = spec.flats_before + spec.flats_after + spec.flats_every
    if spec.stored_flats is not None and own:
        return (
            "flats cannot be both taken and stored ones; set flats_before, flats_after and "
            "flats_every to 0, or leave stored_flats out"
        )
    if spec.stored_flats is None and spec.flats_before == 0:
        return (
            "a scan needs flats; set flats_before to 1 or more, or name a recorded run in "
            "stored_flats where the sample cannot leave the beam"
        )
    return ""


def _angles(spec: ScanSpec) -> str:
    still = spec.geometry.step_deg == 0
    if still and spec.motion != "step":
        return "step_deg must be above 0 where the stage turns; radiographs need motion 'step'"
    if still and (spec.interlace, spec.angles) != ("none", "even"):
        return "radiographs are all taken at one angle: leave interlace and angles out"
    if spec.angles == "golden" and spec.motion != "step":
        return (
            "golden angles from frame to frame need a stage that stands for each: set motion to "
            "'step', or take sweeps on the fly with interlace 'golden'"
        )
    if spec.angles == "golden" and (spec.interlace, spec.order) != ("none", "forward"):
        return "golden angles have no order and no interlacing: leave order and interlace out"
    return ""


def _steps(spec: ScanSpec) -> str:
    if spec.motion == "fly" and (spec.gate, spec.steps_per_lease) != ("trigger_window", 0):
        return "gate and steps_per_lease are of scans step by step: set motion to 'step'"
    return ""


def _turns(spec: ScanSpec) -> str:
    if spec.turns == 1:
        return ""
    if spec.motion != "fly":
        return "turns without a stop are of scans on the fly: take more sweeps instead"
    half_turns = spec.geometry.range_deg / 180
    if abs(half_turns - round(half_turns)) * 180 > _ANGLE_DEG:
        return (
            f"a range of {spec.geometry.range_deg:g} deg cannot be run through {spec.turns} times "
            "without a stop; take 180 or 360 deg"
        )
    return ""


def _target(spec: ScanSpec) -> str:
    if spec.stop_when is None:
        return ""
    if not spec.grows or len(spec.places) > 1 or spec.half_acquisition:
        return (
            "stop_when ends scans between interlaced sweeps at one place: take two or more sweeps "
            "with interlace 'golden', or golden angles, without every_s, tiles and half acquisition"
        )
    geometry = spec.geometry
    climb = abs(math.radians(geometry.roll_deg)) * geometry.columns / 2
    if geometry.tilt_deg or climb > _ROW:
        return (
            "stop_when rests on what is measured of one detector row, which makes no slice about "
            f"an axis tilted by {geometry.tilt_deg:g} deg and rolled by {geometry.roll_deg:g} deg: "
            "leave stop_when out, or set the axis upright and along the columns"
        )
    return ""


def _half(spec: ScanSpec) -> str:
    if not spec.half_acquisition:
        return ""
    geometry = spec.geometry
    places = spec.places or (None,)
    moved = [0.0 if place is None else place.x_mm * 1e3 / geometry.pixel_um for place in places]
    off = min(abs(geometry.axis + by - (geometry.columns - 1) / 2) for by in moved)
    if geometry.range_deg < 360 - _ANGLE_DEG:
        return (
            f"half acquisition needs a range of 360 deg, not {geometry.range_deg:g}: each half of "
            "the sample is seen in half of the turn alone"
        )
    if off < geometry.columns / 8:
        return (
            f"half acquisition needs the axis near an edge of the detector, it is {off:.0f} "
            f"columns from the middle of {geometry.columns}; shift the stage sideways"
        )
    return ""


def _blind(spec: ScanSpec) -> str:
    if not spec.blind_sectors:
        return ""
    for first, last in spec.blind_sectors:
        if not 0 < last - first < _TURN_DEG:
            return (
                f"a blind sector goes upwards, by less than a turn; got {first:g} to {last:g} deg"
            )
    if spec.angles == "golden" and spec.gate == "lease":
        return (
            "golden angles jump to and fro across a blind sector, and gate 'lease' leaves the beam "
            "on meanwhile: set gate to 'trigger_window'"
        )
    return ""
