"""Stock plans with beam: every exposure of ``count``, ``scan`` and their like under a lease."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from bluesky import Msg
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp

from voltomo.dose.lease import LeaseRequest
from voltomo.model.arming import BeamNeed, Snapshot, SnapshotSetup
from voltomo.model.beam_window import BeamWindow, beam_window
from voltomo.model.names import run_name
from voltomo.model.scan_spec import Block
from voltomo.plans.arithmetic import beam_seconds, trigger_deadline_s
from voltomo.plans.beam_record import BeamRecord
from voltomo.plans.beam_there import beam_gone_since, clear_of_top_up, demand_beam
from voltomo.plans.clean_up import put_points_to_rest
from voltomo.plans.optics import demand_front_end
from voltomo.plans.preflight import demand_closed, demand_devices
from voltomo.plans.protocols import PointBeamline
from voltomo.plans.stubs import ARM_S, LEASE_S
from voltomo.plans.within import prepare_within, set_within
from voltomo.plans.words import INTERRUPTIONS, ScanFailed, ScanRefused, innermost

Plan = Generator[Msg, Any, Any]
Gate = Literal["trigger_window", "lease"]

_OPEN = "Open"
_SUSPENDED_S = 1.0
_WITHIN = ("trigger", "wait", "sleep", "null")
"""Messages between the first trigger of an exposure and its last wait."""


def with_beam(
    beamline: PointBeamline,
    plan: Plan,
    *,
    sample: str,
    exposure_s: float,
    points: int | None = None,
    gate: Gate | None = None,
    last_scan: bool = False,
    read_out_s: float = 0.0,
    md: Mapping[str, Any] | None = None,
) -> Plan:
    """Run a plan that triggers and reads detectors, with beam for every exposure.

    The beam is asked for when the detectors of a point are triggered, once the devices are there,
    the camera has shown that it can, and its next trigger is armed; it is given back when they
    are done. Between points it is off. What a lease has cost is an event in stream "beam" of the
    plan's run. A point that a pause or suspension cut short is taken again; one that is recorded
    is not.

    Parameters
    ----------
    beamline : PointBeamline
        Such as `voltomo.devices.beamline.connect_beamline` gives.
    plan : generator
        Such as ``count([camera], 3)``, `bluesky.plans.adaptive_scan` or one's own. Its camera is
        fired by the trigger hardware, one frame a point.
    sample : str
        Whose ledger pays.
    exposure_s : float
        How long the beam is needed at a point, s: the camera's exposure, or what the slowest
        detector takes.
    points : int, optional
        The most exposures of one run; what the plan says of itself if not given.
    gate : {"trigger_window", "lease"}, optional
        "trigger_window": the beam is on while the camera exposes, by hardware. "lease": from just
        before the detectors are triggered until they are done, for detectors without a trigger.
        By whether the plan stages the camera if not given.
    last_scan : bool
        Whether it may take what the sample's policy keeps back for the end of a series.
    read_out_s : float
        How much later a rolling shutter exposes the last row than the first; in a session as the
        beamline file says.
    md : mapping, optional
        Further entries of the start document.

    Returns
    -------
    any
        What the plan returns.

    Raises
    ------
    ScanRefused
        Before any beam.
    ScanFailed
        Later; the beam is off.
    """
    if not (math.isfinite(exposure_s) and exposure_s > 0):
        plan.close()
        raise ScanRefused(f"expected an exposure above 0 s, saw {exposure_s:g} s; no beam was used")
    wanted = _Wanted(sample, exposure_s, points, gate, last_scan, dict(md or {}), read_out_s)
    return (yield from _lit_and_rest(beamline, plan, wanted))


def _lit_and_rest(beamline: PointBeamline, plan: Plan, wanted: _Wanted) -> Plan:
    """The plan with beam, and the clean-up that no path leaves out."""
    lit = _Lit(beamline, wanted)
    problems: list[str] = []

    def rest() -> Plan:
        problems.extend((yield from put_points_to_rest(beamline)))

    try:
        done = yield from bpp.finalize_wrapper(lit.through(plan), rest)
    except (*INTERRUPTIONS, ScanRefused):
        raise
    except Exception as error:
        if not problems:
            raise
        raise ScanFailed("; and ".join([innermost(error), *problems])) from error
    finally:
        plan.close()
        beamline.watch.release()
    if problems:
        raise ScanFailed("the plan is whole, but " + "; and ".join(problems))
    return done


@dataclass(frozen=True)
class _Wanted:
    """What was declared."""

    sample: str
    exposure_s: float
    points: int | None
    gate: Gate | None
    last_scan: bool
    md: dict[str, Any]
    read_out_s: float


@dataclass
class _Lit:
    """A plan under way: its run, its exposures, and whether one goes on just now."""

    beamline: PointBeamline
    wanted: _Wanted
    window: BeamWindow = field(default_factory=lambda: BeamWindow(0.0, 0.0, 0.0))
    stops_seen: int = 0
    uid: str | None = None
    most: int = 0
    used: int = 0
    camera: bool = False
    proven: bool = False
    resumable: bool = False
    bundled: bool = False
    """Whether an event is being put together, in which no other one can be."""
    lit_s: float = 0.0
    groups: set[Any] | None = None
    """Groups of the exposure that goes on; None between exposures."""

    def __post_init__(self) -> None:
        self.record = BeamRecord(self.beamline.lease)

    @property
    def gate(self) -> Gate:
        return self.wanted.gate or ("trigger_window" if self.camera else "lease")

    @property
    def seconds(self) -> float:
        """Open time of one exposure."""
        one = Block(name="point", kind="sweep", first=0, count=1, period_s=self.wanted.exposure_s)
        late_s = 0.0 if self.gate == "trigger_window" else self.window.travel_s + LIT_MARGIN_S
        return beam_seconds(one, self.window) + late_s

    def through(self, plan: Plan) -> Plan:
        """The plan's messages, with those between them that give it beam."""
        answer, error = None, None
        yield from self._begin()
        while True:
            try:
                message = plan.send(answer) if error is None else plan.throw(error)
            except StopIteration as end:
                yield from self._darken()
                return end.value
            error = None
            try:
                answer = yield from self._around(message)
            except GeneratorExit:
                raise
            except BaseException as raised:  # noqa: BLE001
                # The plan has its own clean-up, and the last word on its errors.
                answer, error = None, raised

    def _begin(self) -> Plan:
        """What must hold before any beam, as far as it can be known yet."""
        beamline = self.beamline
        yield from demand_devices(beamline)
        self.stops_seen = int((yield from bps.rd(beamline.lease.stops)))
        yield from demand_closed(beamline)
        yield from demand_front_end(beamline)
        travel_s = float((yield from bps.rd(beamline.shutter.travel_s)))
        self.window = beam_window(self.wanted.exposure_s, travel_s, self.wanted.read_out_s)
        yield from self.record.begin()
        yield from bps.trigger(beamline.watch, group="devices there")

    def _around(self, message: Msg) -> Plan:
        """One message of the plan, and what comes before and after it."""
        beamline, command = self.beamline, message.command
        if message.obj is beamline.lease and command in ("set", "prepare"):
            raise ScanRefused(
                "this plan asks for its beam itself; no beam was used; run it without with_beam"
            )
        if message.obj is beamline.camera:
            message = message._replace(obj=beamline.snapshots)
            self.camera = self.camera or command in ("stage", "trigger")
        if command == "open_run":
            return (yield from self._open_run(message))
        if command == "trigger" and self.groups is None:
            yield from self._light()
        elif self.groups is not None and command not in _WITHIN:
            yield from self._darken()
        if command == "trigger" and self.groups is not None:
            self.groups.add(message.kwargs.get("group"))
        if command == "close_run":
            self.bundled = False
            self.uid = None
        answer = yield message
        if command == "wait" and self.groups is not None and answer is not False:
            self.groups.discard(message.kwargs.get("group"))
            if not self.groups:
                yield from self._darken()
        yield from self._recorded(command)
        return answer

    def _recorded(self, command: str) -> Plan:
        """What is recorded is not taken again: no way back to before it."""
        if command in ("checkpoint", "clear_checkpoint"):
            self.resumable = command == "checkpoint"
        elif command in ("create", "save", "drop"):
            self.bundled = command == "create"
            if not self.bundled:
                yield from self._note()
                if self.resumable and command == "save":
                    yield from bps.checkpoint()

    def _note(self) -> Plan:
        if self.uid is not None and not self.bundled:
            yield from self.record.note()

    def _open_run(self, message: Msg) -> Plan:
        """Ask whether budget and camera suffice for the run, then open it."""
        beamline, wanted = self.beamline, self.wanted
        most = wanted.points if wanted.points is not None else message.kwargs.get("num_points")
        if most is None or int(most) < 1:
            raise ScanRefused(
                "expected to know how many exposures this plan takes at most, since the budget is "
                "asked for them all, saw a plan that does not say; no beam was used; say points=…"
            )
        self.most, self.used = int(most), 0
        need = BeamNeed(wanted.sample, self.most * self.seconds, wanted.last_scan)
        yield from prepare_within(beamline.lease, need, 10.0)
        said = {
            "sample": wanted.sample,
            "beam": {
                "exposure_s": wanted.exposure_s,
                "points": self.most,
                "seconds": need.seconds,
                "gate": self.gate,
            },
        }
        uid = yield message._replace(kwargs={**said, **message.kwargs, **wanted.md})
        self.uid, self.proven = str(uid), False
        if self.camera:
            yield from self._prove(self.uid)
        return uid

    def _prove(self, uid: str) -> Plan:
        """Let the camera show that it can take the frames of this run."""
        if not self.proven:
            setup = SnapshotSetup(run_name(uid), self.wanted.exposure_s, self.most)
            yield from prepare_within(self.beamline.snapshots, setup, 60.0)
            self.proven = True

    def _light(self) -> Plan:
        """Arm what is exposed, then ask for beam."""
        beamline, wanted, window = self.beamline, self.wanted, self.window
        if self.uid is None:
            raise ScanRefused(
                "expected exposures within a run, saw one outside; no beam was used for it; open "
                "a run first"
            )
        if self.used >= self.most:
            raise ScanFailed(
                f"expected at most {self.most} exposures, as declared, saw one more asked for; "
                "the beam is off; say points=… for more"
            )
        self.used += 1
        if self.camera:
            yield from self._prove(self.uid)
            frame = Snapshot(window.lead_s, window.tail_s)
            yield from prepare_within(beamline.snapshots, frame, 2 * ARM_S)
        by_trigger = self.gate == "trigger_window"
        request = LeaseRequest(
            sample=wanted.sample,
            seconds=self.seconds,
            purpose=f"point_{self.used}",
            scan_uid=self.uid,
            gate=self.gate,
            trigger_deadline_s=trigger_deadline_s(wanted.exposure_s) if by_trigger else None,
            stops_seen=self.stops_seen,
        )
        yield from demand_beam(beamline)
        yield from clear_of_top_up(beamline, self.seconds)
        self.groups, self.lit_s = set(), time.monotonic()
        yield from set_within(beamline.lease, request, LEASE_S)
        yield from bps.trigger(beamline.lease, group="beam held")
        if not by_trigger:
            yield from prepare_within(beamline.shutter, _OPEN, 5.0)

    def _darken(self) -> Plan:
        """Give the beam back, and record what it has cost."""
        if self.groups is None:
            return
        self.groups = None
        if self.gate == "trigger_window":
            yield from bps.sleep(self.window.tail_s)
        yield from set_within(self.beamline.lease, None, LEASE_S)
        yield from self._demand_beam()
        yield from self._note()

    def _demand_beam(self) -> Plan:
        """A point whose beam was lost is taken again: wait until the engine is suspended for it."""
        record = self.record
        while True:
            known = record.interruptions
            lost = yield from beam_gone_since(self.beamline, max(self.lit_s, record.interrupted_s))
            if not lost:
                return
            yield from bps.sleep(_SUSPENDED_S)
            if record.interruptions == known:
                raise ScanFailed(
                    f"the beam was lost during an exposure ({lost}), and nothing suspends the "
                    "plan; the beam is off; start it again when the beam is back"
                )


LIT_MARGIN_S = 0.3
"""Seconds for which the beam may be on before the first detector is triggered, and after the last
is done, where nothing but the lease opens it."""
