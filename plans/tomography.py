"""One tomography: equidistant angles, triggered by position while the stage turns."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from bluesky import Msg
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import FailedPause

from voltomo.model.camera_clock import track_clock
from voltomo.model.frame_table import Triggers
from voltomo.model.scan_spec import Block, ScanSpec
from voltomo.plans.arithmetic import first_approach_deg
from voltomo.plans.clean_up import clean_up
from voltomo.plans.preflight import Facts, demand_closed, preflight
from voltomo.plans.protocols import TomographyBeamline
from voltomo.plans.stubs import (
    STREAMS,
    TRIGGERS,
    collect_frames,
    collect_triggers,
    run_block,
)
from voltomo.plans.words import INTERRUPTIONS, ScanFailed, ScanRefused, innermost

Plan = Generator[Msg, Any, Any]

log = logging.getLogger(__name__)

_TURNED = "turned to the start"
_INTERRUPTED = (
    "the scan was interrupted outside its blocks, where it cannot be resumed; the beam is off"
)


def tomography(
    beamline: TomographyBeamline,
    spec: ScanSpec,
    *,
    live: Callable[[str, Mapping[str, Any]], None] | None = None,
    md: Mapping[str, Any] | None = None,
) -> Generator[Msg, Any, str]:
    """Scan a sample: priming, darks, flats, sweeps, flats.

    Everything that can be checked is checked with the shutter closed, before a run is opened.
    The beam is asked for block by block, once stage, camera and writer are proven ready, and
    given back with the last exposure. A block that was interrupted after its triggers had begun
    is not repeated within the run: the run fails, with the beam off.

    Parameters
    ----------
    beamline : TomographyBeamline
        Such as `voltomo.devices.beamline.connect_beamline` gives.
    spec : ScanSpec
        What to scan.
    live : callable, optional
        Subscribed to the documents of this run.
    md : mapping, optional
        Further entries of the start document; they win over the plan's own.

    Returns
    -------
    str
        Uid of the run.

    Raises
    ------
    ScanRefused
        Before any beam.
    ScanFailed
        Later; the beam is off.
    """
    facts = yield from preflight(beamline, spec)
    token = None
    if live is not None:
        token = yield from bps.subscribe("all", live)
    try:
        return (yield from _run(beamline, spec, facts, dict(md or {})))
    finally:
        if token is not None:
            yield from bps.unsubscribe(token)


def start_metadata(beamline: TomographyBeamline, spec: ScanSpec, facts: Facts) -> dict[str, Any]:
    """What the start document says of the scan."""
    return {
        "plan_name": "tomography",
        "plan_args": {"spec": spec.model_dump(mode="json")},
        "scan_spec": spec.model_dump(mode="json"),
        "sample": str(spec.sample),
        "detectors": [beamline.camera.name],
        "motors": [beamline.rotation.name],
        "num_points": spec.triggers,
        "energy_keV": facts.energy_keV,
        "hints": {"dimensions": [(["trigger_angle_deg"], TRIGGERS)]},
        "preflight": facts.document(),
    }


def _run(
    beamline: TomographyBeamline, spec: ScanSpec, facts: Facts, md: dict[str, Any]
) -> Generator[Msg, Any, str]:
    """Open the run, scan, put everything to rest, close the run with the reason."""
    uid = yield from bps.open_run(start_metadata(beamline, spec, facts) | md)

    def failed(error: Exception) -> Plan:
        if isinstance(error, FailedPause):
            yield from bps.close_run(exit_status="abort", reason=_INTERRUPTED)
        elif not isinstance(error, INTERRUPTIONS):
            yield from bps.close_run(exit_status="fail", reason=str(error))
        # Else somebody stopped or aborted: the engine closes the run with the reason they gave.

    yield from bpp.contingency_wrapper(
        _scan_and_rest(beamline, spec, facts, uid),
        except_plan=failed,
        else_plan=bps.close_run,
    )
    return uid


@dataclass
class _Progress:
    """How far a scan is: the block in flight, and whether all is done."""

    block: Block | None = None
    whole: bool = False


def _scan_and_rest(beamline: TomographyBeamline, spec: ScanSpec, facts: Facts, uid: str) -> Plan:
    """The scan, and the clean-up that no path leaves out."""
    problems: list[str] = []
    at = _Progress()

    def rest() -> Plan:
        block = at.block
        problems.extend(
            (
                yield from clean_up(
                    beamline,
                    facts.sample_x_mm,
                    moved=not at.whole,
                    last_triggers=(lambda: collect_triggers(beamline)) if block else None,
                    last_frames=(lambda: collect_frames(beamline, block)) if block else None,
                )
            )
        )

    try:
        yield from bpp.finalize_wrapper(_blocks(beamline, spec, facts, uid, at), rest)
    except INTERRUPTIONS:
        for problem in problems:
            log.warning("the scan was stopped, but %s", problem)
        raise
    except Exception as error:
        sentences = "; and ".join([innermost(error), *problems])
        raise ScanFailed(sentences) from error
    if problems:
        raise ScanFailed("the scan is whole, but " + "; and ".join(problems))


def _blocks(
    beamline: TomographyBeamline, spec: ScanSpec, facts: Facts, uid: str, at: _Progress
) -> Plan:
    """All blocks in order, with the baseline before and after."""
    yield from bps.trigger(beamline.watch, group="devices there")
    yield from _baseline(beamline)
    yield from bps.declare_stream(beamline.trigger, name=TRIGGERS, collect=True)
    for stream in dict.fromkeys(STREAMS[block.kind] for block in spec.blocks()):
        yield from bps.declare_stream(beamline.camera, name=stream, collect=True)
    out_mm = facts.sample_x_mm + spec.flats_shift_mm
    # The stage turns back while no beam is needed; a sample is shifted only once it stands.
    turned_deg = first_approach_deg(spec, facts.acceleration_s)
    yield from bps.abs_set(beamline.rotation, turned_deg, group=_TURNED)
    for block in spec.blocks():
        yield from bps.checkpoint()
        if block.kind in ("priming", "darks"):
            yield from demand_closed(beamline)
        if block.kind == "flats":
            yield from bps.wait(_TURNED)
            yield from _move_sample(beamline, out_mm)
        at.block = block
        pages = yield from run_block(beamline, block, spec, facts, uid)
        at.block = None
        if block.kind == "flats":
            yield from _move_sample(beamline, facts.sample_x_mm)
        if block.kind == "priming":
            check_priming(beamline, block, pages)
    yield from _baseline(beamline)
    at.whole = True


def _move_sample(beamline: TomographyBeamline, x_mm: float) -> Plan:
    yield from bps.abs_set(beamline.sample_stage.x, x_mm, group="sample")
    yield from bps.wait("sample")


def _baseline(beamline: TomographyBeamline) -> Plan:
    """Where everything stands, one event."""
    devices = [
        beamline.rotation,
        beamline.sample_stage,
        beamline.energy,
        beamline.beam_monitor,
        beamline.shutter,
    ]
    yield from bps.create(name="baseline")
    for device in devices:
        yield from bps.read(device)
    yield from bps.save()


def check_priming(beamline: TomographyBeamline, block: Block, pages: list[dict[str, Any]]) -> None:
    """Refuse to go on unless the priming frames pair with their pulses.

    Raises
    ------
    ScanRefused
        Pulses were missed, or the camera fired on its own; no beam was used.
    """
    columns = {
        key: np.array([value for page in pages for value in page["data"][key]])
        for key in ("trigger_index", "trigger_time_s", "trigger_angle_deg")
    }
    try:
        triggers = Triggers.of_blocks(
            [block],
            columns["trigger_index"].astype(np.int64),
            columns["trigger_time_s"],
            columns["trigger_angle_deg"],
        )
        track_clock(triggers, beamline.camera.last_frames().of_block(0), block)
    except ValueError as error:
        raise ScanRefused(f"camera: {error}") from error
