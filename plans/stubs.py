"""Parts of a scan: arm, hold the beam, collect. None of them opens a run."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.dose.lease import LeaseRequest
from voltomo.model.arming import FrameBlock, TriggerTrain
from voltomo.model.names import run_name
from voltomo.model.scan_spec import Block, ScanSpec
from voltomo.model.stream_names import STREAMS, TRIGGERS
from voltomo.model.takes import take_name
from voltomo.plans.posture import Posture
from voltomo.plans.preflight import Facts
from voltomo.plans.protocols import TomographyBeamline
from voltomo.plans.stop_when import Decisions
from voltomo.plans.takes import Takes

FLUSH_S = 0.25
ARM_S = 30.0
LEASE_S = 8.0

Plan = Generator[Msg, Any, Any]


@dataclass(frozen=True)
class Run:
    """A scan under way: on what, of what, with what the preflight found, under which uid."""

    beamline: TomographyBeamline
    spec: ScanSpec
    facts: Facts
    uid: str
    takes: Takes
    decisions: Decisions
    posture: Posture | None = None


@dataclass(frozen=True)
class Take:
    """One take of a block; ``behind_a_gap``: the blocks before it were left out."""

    block: Block
    number: int
    behind_a_gap: bool = False

    @property
    def name(self) -> str:
        """What its file and its leases are called."""
        return take_name(self.block.name, self.number)


def arm_camera(run: Run, take: Take, group: str) -> Plan:
    """Open the file of a take and let the camera wait for triggers."""
    name = f"{run_name(run.uid)}_{take.name}"
    frames = FrameBlock(name, take.block, run.spec.exposure_s, take.number)
    yield from bps.prepare(run.beamline.camera, frames, group=group)


def arm_trigger(run: Run, take: Take, train: Block, group: str) -> Plan:
    """Arm a train of a take: all of its triggers, or those of one stop."""
    window = run.facts.window
    begins = train.first == take.block.first
    armed = TriggerTrain(
        train,
        run.spec.exposure_s,
        window.lead_s,
        window.tail_s,
        take.number,
        sets_index=begins and (take.number > 1 or take.behind_a_gap),
    )
    yield from bps.prepare(run.beamline.trigger, armed, group=group)


def take_lease(run: Run, take: Take, seconds: float, deadline_s: float) -> Plan:
    """Ask for beam; from here on the plan fails as soon as the lease is lost."""
    request = LeaseRequest(
        sample=run.spec.sample,
        seconds=seconds,
        purpose=take.name,
        scan_uid=run.uid,
        gate=run.spec.gate if take.block.stepped else "trigger_window",
        beside_sample=take.block.kind == "flats",
        trigger_deadline_s=deadline_s,
        stops_seen=run.facts.stops_seen,
    )
    yield from bps.abs_set(run.beamline.lease, request, group="lease")
    yield from run.takes.wait("lease", timeout=LEASE_S)
    yield from bps.trigger(run.beamline.lease, group="beam held")


def give_back(run: Run) -> Plan:
    """Settle the lease, behind the last exposure."""
    yield from bps.sleep(run.facts.window.tail_s)
    run.takes.demand_quiet()
    yield from bps.abs_set(run.beamline.lease, None, group="settle")
    yield from run.takes.wait("settle", timeout=LEASE_S)


def collect_triggers(beamline: TomographyBeamline) -> Plan:
    """Emit what was latched since the last time; returns the pages."""
    pages = yield from bps.collect(beamline.trigger, name=TRIGGERS, return_payload=True)
    return pages or []


def collect_frames(beamline: TomographyBeamline, block: Block) -> Plan:
    """Announce the frames of a block that were written since the last time."""
    yield from bps.collect(beamline.camera, name=STREAMS[block.kind], return_payload=False)


def collect_until(
    beamline: TomographyBeamline, block: Block, group: str, demand: Callable[[], None]
) -> Plan:
    """Collect every `FLUSH_S` until the group is done; returns the pages of triggers.

    ``demand`` is called after every wait, and ends the collection by its exception.
    """
    pages: list[dict[str, Any]] = []
    done = False
    while not done:
        done = yield from bps.wait(group, timeout=FLUSH_S, error_on_timeout=False)
        demand()
        pages += yield from collect_triggers(beamline)
        yield from collect_frames(beamline, block)
    return pages
