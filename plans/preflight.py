"""What must hold before any beam: each refusal is one sentence, with the shutter closed."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.arming import BeamNeed, CameraSetup
from voltomo.model.beam_window import BeamWindow, beam_window
from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.arithmetic import (
    scan_beam_seconds,
    scan_bytes,
    sweep_path,
)
from voltomo.plans.protocols import TomographyBeamline
from voltomo.plans.words import CLOSED, INTERRUPTIONS, ScanRefused, innermost

RECONNECT_S = 30.0
"""A device that was restarted is found again within this."""

_POLL_S = 0.1


@dataclass(frozen=True)
class Facts:
    """What the preflight found: window, speed-up, place, energy, how often the beam was stopped."""

    window: BeamWindow
    acceleration_s: float
    sample_x_mm: float
    energy_keV: float
    beam_s: float
    bytes: int
    stops_seen: int

    def document(self) -> dict[str, float]:
        """For the start document."""
        return {
            "gate_lead_s": self.window.lead_s,
            "gate_tail_s": self.window.tail_s,
            "shutter_travel_s": self.window.travel_s,
            "beam_s": self.beam_s,
            "bytes": float(self.bytes),
        }


def preflight(beamline: TomographyBeamline, spec: ScanSpec) -> Generator[Msg, Any, Facts]:
    """Check everything that can be checked without beam.

    Raises
    ------
    ScanRefused
        With one sentence; no beam was used.
    """
    try:
        return (yield from _checks(beamline, spec))
    except (*INTERRUPTIONS, ScanRefused):
        raise
    except Exception as error:
        raise ScanRefused(innermost(error)) from error


def demand_devices(beamline: TomographyBeamline) -> Generator[Msg, Any, None]:
    """Refuse to go on without all devices; one that was just restarted has `RECONNECT_S`."""
    waited_s = 0.0
    while (sentence := beamline.watch.lost()) is not None:
        if waited_s >= RECONNECT_S:
            raise ScanRefused(sentence)
        yield from bps.sleep(_POLL_S)
        waited_s += _POLL_S


def demand_whole_detector(spec: ScanSpec) -> None:
    """Refuse a region of interest: no device sets one, so that the frames would be others."""
    region = spec.geometry.region
    if region is not None:
        raise ScanRefused(
            "camera: expected the whole detector to be read, saw a region of interest asked for "
            f"(rows {region.first_row} to {region.last_row}, columns {region.first_column} to "
            f"{region.last_column}); no beam was used; leave region out of the geometry"
        )


def demand_closed(beamline: TomographyBeamline) -> Generator[Msg, Any, None]:
    """Refuse to go on unless the shutter says that it is closed."""
    state = yield from bps.rd(beamline.shutter.state)
    if str(state) != CLOSED:
        raise ScanRefused(
            f"shutter: expected {CLOSED}, saw {state}; no lease is held, so somebody else "
            "opened it or it is stuck; look at the shutter before the scan is started again"
        )


def _checks(beamline: TomographyBeamline, spec: ScanSpec) -> Generator[Msg, Any, Facts]:
    demand_whole_detector(spec)
    yield from demand_devices(beamline)
    # Read first: whoever stops the beam from here on stops this scan.
    stops_seen = int((yield from bps.rd(beamline.lease.stops)))
    yield from demand_closed(beamline)
    travel_s = float((yield from bps.rd(beamline.shutter.travel_s)))
    window = beam_window(spec.exposure_s, travel_s)
    acceleration_s = float((yield from bps.rd(beamline.rotation.acceleration)))
    fastest = float((yield from bps.rd(beamline.rotation.maximum_velocity)))
    sample_x_mm = float((yield from bps.rd(beamline.sample_stage.x)))
    check_motion(beamline, spec, acceleration_s, fastest, sample_x_mm)
    facts = Facts(
        window,
        acceleration_s,
        sample_x_mm,
        (yield from _energy_keV(beamline)),
        scan_beam_seconds(spec, window),
        scan_bytes(spec),
        stops_seen,
    )
    geometry = spec.geometry
    setup = CameraSetup(
        geometry.rows, geometry.columns, spec.exposure_s, spec.period_s, spec.triggers
    )
    need = BeamNeed(spec.sample, facts.beam_s, spec.last_scan)
    # One after the other: a refusal leaves no other device at work.
    for device, what, patience_s in (
        (beamline.trigger, None, 10.0),
        (beamline.lease, need, 10.0),
        (beamline.camera, setup, 60.0),
    ):
        yield from bps.prepare(device, what, group="preflight")
        yield from bps.wait("preflight", timeout=patience_s)
    return facts


def _energy_keV(beamline: TomographyBeamline) -> Generator[Msg, Any, float]:
    """What the beam has now, not what a file declares; everything recorded says this."""
    energy_keV = float((yield from bps.rd(beamline.energy, default_value=1.0)))
    if not math.isfinite(energy_keV) or energy_keV <= 0:
        raise ScanRefused(
            f"energy: expected a photon energy above 0 keV, saw {energy_keV:g} keV; no beam was "
            "used; look at the monochromator and its readback"
        )
    return energy_keV


def check_motion(
    beamline: TomographyBeamline,
    spec: ScanSpec,
    acceleration_s: float,
    fastest_deg_s: float,
    sample_x_mm: float,
) -> None:
    """Refuse a sweep that is too fast, or a path beyond a limit.

    Raises
    ------
    ScanRefused
        With the axis, its limit and what was asked for.
    """
    if 0 < fastest_deg_s < spec.velocity_deg_s:
        raise ScanRefused(
            f"rotation: expected a sweep of at most {fastest_deg_s:g} deg/s, saw "
            f"{spec.velocity_deg_s:g} deg/s ({spec.geometry.step_deg:g} deg in "
            f"{spec.period_s:g} s); no beam was used; lengthen period_s or take more projections"
        )
    targets = [("sample x", beamline.sample_stage.x, sample_x_mm + spec.flats_shift_mm, "mm")]
    for block in spec.blocks():
        if block.kind == "sweep":
            path = sweep_path(block, spec.velocity_deg_s, acceleration_s)
            targets.append((f"rotation, {block.name}", beamline.rotation, path.approach_deg, "deg"))
            targets.append((f"rotation, {block.name}", beamline.rotation, path.end_deg, "deg"))
    for name, axis, target, units in targets:
        try:
            axis.check_value(target)
        except Exception as error:
            raise ScanRefused(
                f"{name}: expected a path within the limits, run-up included, saw "
                f"{target:g} {units} ({error}); no beam was used; shift the range or the limits"
            ) from error
