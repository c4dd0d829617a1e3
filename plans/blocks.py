"""One take of a block of triggers: timed, by position while the stage turns, or step by step."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.scan_spec import Block, Stop
from voltomo.plans.arithmetic import (
    beam_seconds,
    lease_groups,
    moves_s,
    steps_beam_seconds,
    sweep_path,
    trigger_deadline_s,
)
from voltomo.plans.beam_there import clear_of_top_up, demand_beam
from voltomo.plans.stubs import (
    ARM_S,
    Run,
    Take,
    arm_camera,
    arm_trigger,
    collect_until,
    give_back,
    take_lease,
)
from voltomo.plans.takes import Interrupted
from voltomo.plans.within import prepare_within

Plan = Generator[Msg, Any, Any]
Pages = list[dict[str, Any]]


def run_block(run: Run, take: Take) -> Generator[Msg, Any, Pages]:
    """Take a block: arm, ask for beam where it needs some, fire or sweep, settle, close the file.

    Returns
    -------
    list of dict
        Pages of triggers, as they were emitted.

    Raises
    ------
    Interrupted
        The engine was paused or suspended before all exposures were done.
    """
    if take.block.stepped:
        pages = yield from _steps(run, take)
    elif take.block.kind == "sweep":
        pages = yield from _sweep(run, take)
    else:
        pages = yield from _timed(run, take)
    # All is exposed: from here on an interruption costs time, and no frame.
    pages += yield from run.takes.undisturbed(lambda: _land(run, take.block))
    if take.block.kind == "sweep" and not take.block.stepped:
        yield from run.takes.undisturbed(lambda: _usual_speed(run))
    if sum(len(page["data"]["trigger_index"]) for page in pages) < take.block.count:
        run.takes.demand_quiet()
    return pages


def _land(run: Run, block: Block) -> Plan:
    """Wait for the last frames and close the file."""
    landing = f"frames {block.name}"
    yield from bps.complete(run.beamline.camera, group=landing)
    return (yield from collect_until(run.beamline, block, landing, lambda: None))


def _usual_speed(run: Run) -> Plan:
    yield from bps.wait("run-down")
    yield from prepare_within(run.beamline.rotation, None, ARM_S)


def _fire(run: Run, train: str) -> Plan:
    yield from bps.complete(run.beamline.trigger, group=train)
    yield from bps.kickoff(run.beamline.trigger, group=train)


def _clear(run: Run, seconds: float) -> Plan:
    """Right before beam is asked for: it is there, and no fill comes while it is needed."""
    if (yield from demand_beam(run.beamline)):
        # Without beam this take cannot be whole; so far it has cost no dose.
        raise Interrupted
    yield from clear_of_top_up(run.beamline, seconds)
    run.takes.demand_quiet()


def _timed(run: Run, take: Take) -> Plan:
    """A train by the clock, with the stage wherever it is."""
    block, group, train = take.block, f"arm {take.name}", f"train {take.name}"
    yield from arm_camera(run, take, group)
    yield from arm_trigger(run, take, block, group)
    yield from run.takes.wait(group, timeout=ARM_S)
    if block.lit:
        seconds = beam_seconds(block, run.facts.window)
        yield from _clear(run, seconds)
        yield from take_lease(run, take, seconds, trigger_deadline_s(block.period_s))
    yield from _fire(run, train)
    pages = yield from collect_until(run.beamline, block, train, run.takes.demand_quiet)
    if block.lit:
        yield from give_back(run)
    return pages


def _sweep(run: Run, take: Take) -> Plan:
    """A train by position: the stage passes all angles at one speed."""
    block, group, train = take.block, f"arm {take.name}", f"train {take.name}"
    rotation, speed = run.beamline.rotation, run.spec.velocity_deg_s
    path = sweep_path(block, speed, run.facts.pace.acceleration_s)
    yield from bps.abs_set(rotation, path.approach_deg, group="approach")
    yield from run.takes.wait("approach")
    yield from arm_camera(run, take, group)
    yield from arm_trigger(run, take, block, group)
    yield from bps.prepare(rotation, speed, group=group)
    yield from run.takes.wait(group, timeout=ARM_S)
    seconds = beam_seconds(block, run.facts.window)
    yield from _clear(run, seconds)
    yield from take_lease(run, take, seconds, trigger_deadline_s(block.period_s))
    yield from _fire(run, train)
    yield from bps.abs_set(rotation, path.end_deg, group="run-down")
    pages = yield from collect_until(run.beamline, block, train, run.takes.demand_quiet)
    yield from give_back(run)
    return pages


def _steps(run: Run, take: Take) -> Plan:
    """Stop by stop: the stage stands for every exposure; some stops share a lease."""
    pages: Pages = []
    group = f"arm {take.name}"
    yield from arm_camera(run, take, group)
    yield from run.takes.wait(group, timeout=ARM_S)
    for stops in lease_groups(take.block, run.spec.steps_per_lease):
        yield from _to_stop(run, take, stops[0])
        yield from _lease_for(run, take, stops)
        pages += yield from _fire_stop(run, take, stops[0])
        for stop in stops[1:]:
            # The news of the last trigger may be here while it is still being exposed.
            yield from bps.sleep(run.facts.window.tail_s)
            yield from _to_stop(run, take, stop)
            pages += yield from _fire_stop(run, take, stop)
        yield from give_back(run)
    return pages


def _to_stop(run: Run, take: Take, stop: Stop) -> Plan:
    """Turn to a stop and arm its triggers."""
    yield from bps.abs_set(run.beamline.rotation, stop.angle_deg, group="step")
    yield from run.takes.wait("step")
    train = take.block.model_copy(
        update={"first": stop.first, "count": stop.count, "targets_deg": None}
    )
    group = f"arm {take.name} {stop.first}"
    yield from arm_trigger(run, take, train, group)
    yield from run.takes.wait(group, timeout=ARM_S)


def _lease_for(run: Run, take: Take, stops: Sequence[Stop]) -> Plan:
    spec, facts = run.spec, run.facts
    longest_s = max(moves_s(stops, facts.pace), default=0.0) if spec.gate == "lease" else 0.0
    seconds = steps_beam_seconds(spec, stops, facts.window, facts.pace)
    yield from _clear(run, seconds)
    yield from take_lease(run, take, seconds, trigger_deadline_s(spec.period_s, longest_s))


def _fire_stop(run: Run, take: Take, stop: Stop) -> Plan:
    """Expose at a stop."""
    train = f"train {take.name} {stop.first}"
    yield from _fire(run, train)
    return (yield from collect_until(run.beamline, take.block, train, run.takes.demand_quiet))
