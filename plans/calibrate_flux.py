"""Hold the flux monitor against a photodiode or an ion chamber, with the sample out of the beam."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp

from voltomo.dose.lease import LeaseRequest
from voltomo.plans.clean_up import Home, put_back
from voltomo.plans.optics import demand_front_end
from voltomo.plans.preflight import demand_closed, demand_devices
from voltomo.plans.protocols import TomographyBeamline
from voltomo.plans.within import set_within
from voltomo.plans.words import INTERRUPTIONS, ScanFailed, ScanRefused, innermost

__all__ = ["POINT", "calibrate_flux"]

POINT = "flux_point"
"""Number of the point that a reading belongs to; of one that was taken again the later counts."""

Plan = Generator[Msg, Any, Any]

_SETTLE_S = 0.5
"""Filters move, readings from before are over."""
_DARKS = 5
_ARM_S = 30.0
_MOVE_S = 600.0
_LEASE_S = 8.0


def calibrate_flux(
    beamline: TomographyBeamline,
    detector: Any,
    sample: str,
    beside_mm: float,
    *,
    energies_keV: Sequence[float] = (),
    transmissions: Sequence[float] = (),
    readings: int = 20,
    every_s: float = 0.2,
    md: Mapping[str, Any] | None = None,
) -> Generator[Msg, Any, str]:
    """Read monitor and detector together, at each energy and with each attenuator.

    The sample stands beside the beam, so that it pays nothing; beam is asked for of the guard for
    each energy and attenuator. Where energy, attenuator and sample stood before, they stand after.

    Parameters
    ----------
    beamline : TomographyBeamline
        Its ``beam_monitor`` has ``flux`` and, for transmissions, ``transmission_setpoint``.
    detector : readable
        Current in A of the photodiode or ion chamber.
    sample : str
        Who is mounted; a name that the guard knows.
    beside_mm : float
        How far the sample is moved sideways from where it stands.
    energies_keV, transmissions : sequence of float
        Where to calibrate; where they stand if empty.
    readings : int
        How many at each place, three or more.
    every_s : float
        From one reading to the next; the monitor must be read anew in between.
    md : mapping, optional
        Further entries of the start document.

    Returns
    -------
    str
        Uid of the run; streams ``dark`` and ``primary`` hold the readings.

    Raises
    ------
    ScanRefused
        Before any beam.
    """
    steps = _Steps(
        detector, sample, beside_mm, tuple(energies_keV), tuple(transmissions), readings, every_s
    )
    stops_seen = yield from _demand(beamline, steps)
    before = yield from _stands(beamline, steps)
    start = {
        "plan_name": "calibrate_flux",
        "sample": sample,
        "detectors": [detector.name, beamline.beam_monitor.name],
        "num_points": readings * max(len(energies_keV), 1) * max(len(transmissions), 1),
    }
    uid = yield from bps.open_run(start | dict(md or {}))
    yield from bpp.contingency_wrapper(
        _measure_and_put_back(beamline, steps, before, stops_seen),
        except_plan=lambda error: bps.close_run(exit_status="fail", reason=str(error)),
        else_plan=bps.close_run,
    )
    return uid


@dataclass(frozen=True)
class _Steps:
    """What is read, and where."""

    detector: Any
    sample: str
    beside_mm: float
    energies_keV: tuple[float, ...]
    transmissions: tuple[float, ...]
    readings: int
    every_s: float

    @property
    def seconds(self) -> float:
        """Beam that one point asks for."""
        return self.readings * self.every_s + 2 * _SETTLE_S + 1.0


class _Point:
    """Which point is being read: one object, since a stream always has the same ones."""

    name = POINT
    parent = None

    def __init__(self) -> None:
        self.number = 0

    def read(self) -> dict[str, Any]:
        """Its number."""
        return {POINT: {"value": self.number, "timestamp": time.time()}}

    def describe(self) -> dict[str, Any]:
        """A number from 0."""
        return {POINT: {"source": "plan", "dtype": "integer", "shape": []}}


def _demand(beamline: TomographyBeamline, steps: _Steps) -> Generator[Msg, Any, int]:
    """Refuse what cannot be done, before any beam; how often the beam was stopped so far."""
    if steps.readings < 3 or steps.beside_mm == 0:
        raise ScanRefused(
            "expected three readings or more and a way out of the beam, saw "
            f"{steps.readings} readings and {steps.beside_mm:g} mm; no beam was used"
        )
    yield from demand_devices(beamline)
    # Read first: whoever stops the beam from here on stops these readings.
    stops_seen = int((yield from bps.rd(beamline.lease.stops)))
    yield from demand_closed(beamline)
    yield from demand_front_end(beamline)
    setpoint = getattr(beamline.beam_monitor, "transmission_setpoint", None)
    if steps.transmissions and setpoint is None:
        raise ScanRefused(
            "expected an attenuator that can be set, saw none on this beamline; no beam was used; "
            "leave transmissions out"
        )
    return stops_seen


def _measure_and_put_back(
    beamline: TomographyBeamline, steps: _Steps, before: Sequence[Home], stops_seen: int
) -> Plan:
    """The readings, and what no path leaves out: beam off, then the sample last where it stood."""
    problems: list[str] = []

    def rest() -> Plan:
        problems.extend((yield from put_back(beamline, before[::-1])))

    try:
        yield from bpp.finalize_wrapper(_measure(beamline, steps, before[0], stops_seen), rest)
    except INTERRUPTIONS:
        raise
    except Exception as error:
        if not problems:
            raise
        raise ScanFailed("; and ".join([innermost(error), *problems])) from error
    if problems:
        raise ScanFailed("all readings were taken, but " + "; and ".join(problems))


def _measure(beamline: TomographyBeamline, steps: _Steps, sample: Home, stops_seen: int) -> Plan:
    """Sample out, then every energy with every attenuator."""
    yield from bps.mv(sample.axis, sample.position + steps.beside_mm)
    point = _Point()
    for energy_keV in steps.energies_keV or (None,):
        if energy_keV is not None:
            yield from bps.mv(beamline.energy, energy_keV)
        for transmission in steps.transmissions or (None,):
            if transmission is not None:
                setpoint = beamline.beam_monitor.transmission_setpoint
                yield from bps.mv(setpoint, transmission)
            yield from _point(beamline, steps, point, stops_seen)
            point.number += 1


def _stands(beamline: TomographyBeamline, steps: _Steps) -> Plan:
    """Axes that will be moved, and where they stand; the sample first."""
    axes = [("sample x", beamline.sample_stage.x)]
    axes += [("energy", beamline.energy)] if steps.energies_keV else []
    if steps.transmissions:
        axes.append(("attenuator", beamline.beam_monitor.transmission_setpoint))
    found: list[Home] = []
    for name, axis in axes:
        value = yield from bps.rd(axis)
        found.append(Home(name, axis, float(value), _MOVE_S))
    return found


def _point(beamline: TomographyBeamline, steps: _Steps, point: _Point, stops_seen: int) -> Plan:
    """Readings in the dark, then with beam; behind a pause both are taken again."""
    yield from bps.checkpoint()
    devices = [steps.detector, beamline.beam_monitor, beamline.energy, point]
    yield from bps.sleep(_SETTLE_S)
    yield from _read(devices, "dark", _DARKS, steps.every_s)
    request = LeaseRequest(
        sample=steps.sample,
        seconds=steps.seconds,
        purpose="calibrate_flux",
        gate="lease",
        beside_sample=True,
        stops_seen=stops_seen,
    )
    yield from set_within(beamline.lease, request, _LEASE_S)
    # The beam may be lost at any reading; the plan ends then.
    yield from bps.trigger(beamline.lease, group="beam held")
    yield from bps.sleep(_SETTLE_S)
    yield from _read(devices, "primary", steps.readings, steps.every_s)
    yield from set_within(beamline.lease, None, _ARM_S)
    # What has been read is not read again behind a pause that comes while axes move.
    yield from bps.checkpoint()


def _read(devices: Sequence[Any], stream: str, count: int, every_s: float) -> Plan:
    for _ in range(count):
        yield from bps.create(name=stream)
        for device in devices:
            yield from bps.read(device)
        yield from bps.save()
        yield from bps.sleep(every_s)
