"""What must hold before any beam: each refusal is one sentence, with the shutter closed."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.arming import BeamNeed, CameraSetup
from voltomo.model.beam_window import BeamWindow, beam_window
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.sentence import SentenceError
from voltomo.plans.arithmetic import (
    Pace,
    scan_beam_seconds,
    scan_bytes,
    stage_ends_deg,
)
from voltomo.plans.limits import demand_limits, demand_reachable
from voltomo.plans.optics import demand_front_end, demand_pixel_size
from voltomo.plans.protocols import TomographyBeamline, tilt_stage
from voltomo.plans.rotation import fitted
from voltomo.plans.within import prepare_within
from voltomo.plans.words import CLOSED, INTERRUPTIONS, ScanRefused, innermost, root_of

RECONNECT_S = 30.0
"""A device that was restarted is found again within this."""

TILT_DEG = 0.05
"""How far the tilt stage may stand from what a scan says of it."""

_POLL_S = 0.1

T = TypeVar("T")


@dataclass(frozen=True)
class Facts:
    """What the preflight found: window, pace, place, energy, how often the beam was stopped.

    ``sample_z_mm`` is None where the stage has no z, or the scan does not move it.
    """

    window: BeamWindow
    pace: Pace
    sample_x_mm: float
    sample_z_mm: float | None
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
    return (yield from _in_sentences(_checks(beamline, spec)))


def fit(beamline: TomographyBeamline, spec: ScanSpec) -> Generator[Msg, Any, ScanSpec]:
    """The scan as the rotation can take it; see `voltomo.plans.rotation.fitted`.

    Raises
    ------
    ScanRefused
        It cannot; no beam was used.
    """

    def with_devices() -> Generator[Msg, Any, ScanSpec]:
        yield from demand_devices(beamline)
        return (yield from fitted(beamline, spec))

    return (yield from _in_sentences(with_devices()))


def _in_sentences(plan: Generator[Msg, Any, T]) -> Generator[Msg, Any, T]:
    """A part of the preflight; whatever fails in it refuses the scan."""
    try:
        return (yield from plan)
    except (*INTERRUPTIONS, ScanRefused):
        raise
    except Exception as error:
        cause = root_of(error)
        if isinstance(cause, TimeoutError) and not isinstance(error, SentenceError):
            raise ScanRefused(
                f"a device answers late: expected an answer in time, saw none ({cause}); no beam "
                "was used; look at the IOC of this PV and at the network, then start again"
            ) from error
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
    window = beam_window(spec.exposure_s, travel_s, spec.read_out_s)
    acceleration_s = float((yield from bps.rd(beamline.rotation.acceleration)))
    pace = Pace(float((yield from bps.rd(beamline.rotation.velocity))), acceleration_s)
    fastest = float((yield from bps.rd(beamline.rotation.maximum_velocity)))
    sample_x_mm = float((yield from bps.rd(beamline.sample_stage.x)))
    sample_z_mm = yield from _sample_z_mm(beamline, spec)
    check_motion(beamline, spec, acceleration_s, fastest, sample_x_mm, sample_z_mm)
    facts = Facts(
        window,
        pace,
        sample_x_mm,
        sample_z_mm,
        (yield from _energy_keV(beamline)),
        scan_beam_seconds(spec, window, pace),
        scan_bytes(spec),
        stops_seen,
    )
    yield from demand_front_end(beamline)
    yield from demand_pixel_size(beamline, spec)
    yield from _lean(beamline, spec)
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
        yield from prepare_within(device, what, patience_s)
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


def _sample_z_mm(beamline: TomographyBeamline, spec: ScanSpec) -> Generator[Msg, Any, float | None]:
    """Where the sample stands, if the scan moves it up or down."""
    if all(place.z_mm == 0 for place in spec.places):
        return None
    axis = getattr(beamline.sample_stage, "z", None)
    if axis is None:
        raise ScanRefused(
            "sample z: expected a stage that moves the sample up and down for the places of this "
            "scan, the beamline has none; no beam was used; scan at one height"
        )
    return float((yield from bps.rd(axis)))


def _lean(beamline: TomographyBeamline, spec: ScanSpec) -> Generator[Msg, Any, None]:
    """Bring the tilt stage to the tilt of a laminography; a tomography wants it upright."""
    wanted_deg, stage = spec.geometry.tilt_deg, tilt_stage(beamline)
    if stage is None:
        if wanted_deg > 0:
            raise ScanRefused(
                f"tilt: expected a tilt stage for a scan at {wanted_deg:g} deg, the beamline has "
                "none; no beam was used; tilt_deg: 0 is a tomography"
            )
        return
    if wanted_deg > 0:
        demand_limits("tilt", stage)
        demand_reachable("tilt", stage, wanted_deg, "deg")
        yield from bps.abs_set(stage, wanted_deg, group="tilt")
        yield from bps.wait("tilt")
    seen_deg = float((yield from bps.rd(stage)))
    if abs(seen_deg - wanted_deg) > TILT_DEG:
        raise ScanRefused(
            f"tilt: expected {wanted_deg:g} ± {TILT_DEG:g} deg, saw {seen_deg:g} deg; no beam was "
            "used; move the tilt stage there, or say tilt_deg in a laminography"
        )


def check_motion(
    beamline: TomographyBeamline,
    spec: ScanSpec,
    acceleration_s: float,
    fastest_deg_s: float,
    sample_x_mm: float,
    sample_z_mm: float | None = None,
) -> None:
    """Refuse a sweep that is too fast, or a path beyond a limit.

    Raises
    ------
    ScanRefused
        With the axis, its limit and what was asked for.
    """
    if spec.sweeps and 0 < fastest_deg_s < spec.velocity_deg_s:
        raise ScanRefused(
            f"rotation: expected a sweep of at most {fastest_deg_s:g} deg/s, saw "
            f"{spec.velocity_deg_s:g} deg/s ({spec.geometry.step_deg:g} deg in "
            f"{spec.period_s:g} s); no beam was used; lengthen period_s or take more projections"
        )
    demand_limits("sample x", beamline.sample_stage.x)
    shifts_mm = [place.x_mm for place in spec.places]
    if spec.stored_flats is None:
        shifts_mm.append(spec.flats_shift_mm)
    for shift_mm in shifts_mm:
        demand_reachable("sample x", beamline.sample_stage.x, sample_x_mm + shift_mm, "mm")
    if sample_z_mm is not None:
        demand_limits("sample z", beamline.sample_stage.z)
        for place in spec.places:
            demand_reachable("sample z", beamline.sample_stage.z, sample_z_mm + place.z_mm, "mm")
    for name, target in stage_ends_deg(spec, acceleration_s):
        demand_reachable(f"rotation, {name}", beamline.rotation, target, "deg")
