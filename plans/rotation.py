"""A scan fitted to its rotation: round blind sectors, and within what cables allow."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.beam_window import beam_window
from voltomo.model.rotation_range import RotationRange
from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.arithmetic import stage_ends_deg
from voltomo.plans.limits import has_limits
from voltomo.plans.protocols import TomographyBeamline, rotation_range
from voltomo.plans.words import ScanRefused

_TURN_DEG = 360.0


def fitted(beamline: TomographyBeamline, spec: ScanSpec) -> Generator[Msg, Any, ScanSpec]:
    """The same scan as this rotation can take it; the stage itself stays where it is.

    Blind sectors of the beamline are left out of every sweep, with what the stage turns while the
    shutter travels. Angles of a stage with cables are shifted by whole turns into its range, as
    close as possible to where it stands; it unwinds when it goes to the start.

    Raises
    ------
    ScanRefused
        The scan forbids a blind sector, nothing is left of a sweep, or the path fits nowhere.
    """
    allowed = rotation_range(beamline)
    sectors = (*allowed.blind_sectors, *spec.blind_sectors)
    if sectors and spec.sweeps:
        travel_s = float((yield from bps.rd(beamline.shutter.travel_s)))
        spec = _round_sectors(spec, tuple(dict.fromkeys(sectors)), travel_s)
    if allowed.wired and spec.sweeps:
        acceleration_s = float((yield from bps.rd(beamline.rotation.acceleration)))
        here_deg = float((yield from bps.rd(beamline.rotation)))
        spec = _unwound(spec, _ends(allowed, beamline.rotation), here_deg, acceleration_s)
    return spec


def _round_sectors(
    spec: ScanSpec, sectors: tuple[tuple[float, float], ...], travel_s: float
) -> ScanSpec:
    """The scan without what it would see of the sectors."""
    window = beam_window(spec.exposure_s, travel_s, spec.read_out_s)
    margin_deg = spec.velocity_deg_s * (window.lead_s + spec.read_out_s)
    told = {**dict(spec), "blind_sectors": sectors, "blind_margin_deg": margin_deg}
    try:
        found = ScanSpec.model_validate(told)
    except ValueError as error:
        raise ScanRefused(f"blind sectors: {error}; no beam was used") from error
    without = spec.model_copy(update={"blind_sectors": ()})
    listed = ", ".join(f"{first:g} to {last:g}" for first, last in sectors)
    if spec.whole_range and found.triggers < without.triggers:
        raise ScanRefused(
            f"rotation: expected the whole range from {spec.geometry.start_deg:g} to "
            f"{spec.geometry.start_deg + spec.geometry.range_deg:g} deg in sight, saw a blind "
            f"sector across it ({listed} deg); no beam was used; scan beside it, or leave "
            "whole_range out and take the missing wedge"
        )
    wanted = {block.sweep for block in without.blocks() if block.kind == "sweep"}
    left = {block.sweep for block in found.blocks() if block.kind == "sweep"}
    if wanted != left:
        raise ScanRefused(
            f"rotation: expected angles in sight in every sweep, saw all of sweep "
            f"{min(number for number in wanted - left if number is not None)} in blind sectors "
            f"({listed} deg); no beam was used; scan another range"
        )
    return found


def _ends(allowed: RotationRange, rotation: Any) -> RotationRange:
    """The range of a stage with cables; its own limits where the beamline file gives none."""
    low_deg, high_deg = allowed.low_deg, allowed.high_deg
    if low_deg is None or high_deg is None:
        if not has_limits(rotation):
            raise ScanRefused(
                "rotation: expected limits of a stage with cables, saw none in its motor record; "
                "no beam was used; set them, or low_deg and high_deg in the beamline file"
            )
        low, high = rotation.limits
        low_deg = low if low_deg is None else low_deg
        high_deg = high if high_deg is None else high_deg
    return allowed.model_copy(update={"low_deg": low_deg, "high_deg": high_deg})


def _unwound(
    spec: ScanSpec, allowed: RotationRange, here_deg: float, acceleration_s: float
) -> ScanSpec:
    """The scan, shifted by whole turns to where the cables reach."""
    places = [target for _, target in stage_ends_deg(spec, acceleration_s)]
    if not places:
        places = [spec.geometry.start_deg]
    try:
        start_deg, _ = allowed.placed(min(places), max(places), here_deg)
    except ValueError as error:
        raise ScanRefused(str(error)) from error
    turns = round((start_deg - min(places)) / _TURN_DEG)
    if turns == 0:
        return spec
    geometry = spec.geometry
    shifted = geometry.start_deg + turns * _TURN_DEG
    return spec.model_copy(update={"geometry": geometry.model_copy(update={"start_deg": shifted})})
