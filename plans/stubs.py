"""Parts of a fly scan: arm, hold the beam, collect. None of them opens a run."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.dose.lease import LeaseRequest
from voltomo.model.arming import FrameBlock, TriggerTrain
from voltomo.model.beam_window import BeamWindow
from voltomo.model.names import run_name
from voltomo.model.scan_spec import Block, BlockKind, ScanSpec
from voltomo.plans.arithmetic import beam_seconds, sweep_path, trigger_deadline_s
from voltomo.plans.preflight import Facts
from voltomo.plans.protocols import TomographyBeamline

STREAMS: dict[BlockKind, str] = {
    "priming": "priming",
    "darks": "darks",
    "flats": "flats",
    "sweep": "primary",
}
"""Stream of the frames of each kind of block."""

TRIGGERS = "triggers"
FLUSH_S = 0.25
_ARM_S = 30.0
_LEASE_S = 8.0

Plan = Generator[Msg, Any, Any]


def file_name(uid: str, block: Block) -> str:
    """Name of a block's file, without suffix."""
    return f"{run_name(uid)}_{block.name}"


def arm(
    beamline: TomographyBeamline, block: Block, spec: ScanSpec, window: BeamWindow, uid: str
) -> Plan:
    """Arm camera, writer and trigger hardware; each proves that it is."""
    frames = FrameBlock(file_name(uid, block), block, spec.exposure_s)
    train = TriggerTrain(block, spec.exposure_s, window.lead_s, window.tail_s)
    group = f"arm {block.name}"
    yield from bps.prepare(beamline.camera, frames, group=group)
    yield from bps.prepare(beamline.trigger, train, group=group)
    if block.kind == "sweep":
        yield from bps.prepare(beamline.rotation, spec.velocity_deg_s, group=group)
    yield from bps.wait(group, timeout=_ARM_S)


def take_lease(
    beamline: TomographyBeamline, block: Block, spec: ScanSpec, facts: Facts, uid: str
) -> Plan:
    """Ask for beam for one block; from here on the plan fails as soon as the lease is lost."""
    request = LeaseRequest(
        sample=spec.sample,
        seconds=beam_seconds(block, facts.window),
        purpose=block.name,
        scan_uid=uid,
        gate="trigger_window",
        beside_sample=block.kind == "flats",
        trigger_deadline_s=trigger_deadline_s(block.period_s),
        stops_seen=facts.stops_seen,
    )
    yield from bps.abs_set(beamline.lease, request, group="lease")
    yield from bps.wait("lease", timeout=_LEASE_S)
    yield from bps.trigger(beamline.lease, group="beam held")


def give_back(beamline: TomographyBeamline) -> Plan:
    """Settle the lease."""
    yield from bps.abs_set(beamline.lease, None, group="settle")
    yield from bps.wait("settle", timeout=_LEASE_S)


def collect_triggers(beamline: TomographyBeamline) -> Plan:
    """Emit what was latched since the last time; returns the pages."""
    pages = yield from bps.collect(beamline.trigger, name=TRIGGERS, return_payload=True)
    return pages or []


def collect_frames(beamline: TomographyBeamline, block: Block) -> Plan:
    """Announce the frames of a block that were written since the last time."""
    yield from bps.collect(beamline.camera, name=STREAMS[block.kind], return_payload=False)


def collect_until(beamline: TomographyBeamline, block: Block, group: str) -> Plan:
    """Collect every `FLUSH_S` until the group is done; returns the pages of triggers."""
    pages: list[dict[str, Any]] = []
    done = False
    while not done:
        done = yield from bps.wait(group, timeout=FLUSH_S, error_on_timeout=False)
        pages += yield from collect_triggers(beamline)
        yield from collect_frames(beamline, block)
    return pages


def run_block(
    beamline: TomographyBeamline, block: Block, spec: ScanSpec, facts: Facts, uid: str
) -> Plan:
    """Take one block: arm, ask for beam where it needs some, fire or sweep, settle, close the file.

    Returns
    -------
    list of dict
        Pages of triggers, as they were emitted.
    """
    window = facts.window
    lit = block.kind in ("flats", "sweep")
    path = None
    if block.kind == "sweep":
        path = sweep_path(block, spec.velocity_deg_s, facts.acceleration_s)
        yield from bps.abs_set(beamline.rotation, path.approach_deg, group="approach")
        yield from bps.wait("approach")
    yield from arm(beamline, block, spec, window, uid)
    if lit:
        yield from take_lease(beamline, block, spec, facts, uid)
    train = f"train {block.name}"
    yield from bps.complete(beamline.trigger, group=train)
    yield from bps.kickoff(beamline.trigger, group=train)
    if path is not None:
        yield from bps.abs_set(beamline.rotation, path.end_deg, group="run-down")
    pages = yield from collect_until(beamline, block, train)
    if lit:
        yield from bps.sleep(window.tail_s)
        yield from give_back(beamline)
    landing = f"frames {block.name}"
    yield from bps.complete(beamline.camera, group=landing)
    pages += yield from collect_until(beamline, block, landing)
    if path is not None:
        yield from bps.wait("run-down")
        yield from bps.prepare(beamline.rotation, None, group="usual speed")
        yield from bps.wait("usual speed", timeout=_ARM_S)
    return pages
