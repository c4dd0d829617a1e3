"""Putting everything to rest, whatever happened: beam first, and no step skips the next."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps
from bluesky.utils import short_uid

from voltomo.plans.protocols import TomographyBeamline
from voltomo.plans.words import CLOSED, ScanFailed, innermost

Plan = Generator[Msg, Any, Any]

_SHUT_S = 1.0
_POLL_S = 0.05


def clean_up(
    beamline: TomographyBeamline,
    sample_x_mm: float,
    *,
    moved: bool,
    last_frames: Callable[[], Plan] | None = None,
    last_triggers: Callable[[], Plan] | None = None,
) -> Generator[Msg, Any, list[str]]:
    """Settle the lease, disarm, close the file, restore speed, bring the sample back.

    It cannot be paused: whatever asks for a pause interrupts a step, which is then done again.

    Parameters
    ----------
    beamline : TomographyBeamline
        The devices.
    sample_x_mm : float
        Where the sample stood before.
    moved : bool
        Whether axes may be under way: they are stopped before they are sent home.
    last_frames, last_triggers : callable, optional
        Plans that collect what an interrupted block has left.

    Returns
    -------
    list of str
        A sentence for each step that could not be done.
    """
    rotation, sample_x = beamline.rotation, beamline.sample_stage.x
    shut: list[bool] = []
    steps: list[tuple[str, Callable[[], Plan]]] = [
        # From here on there is no way back into the scan, and so to the beam: a pause that comes
        # now ends in this clean-up.
        ("the checkpoint could not be cleared", bps.clear_checkpoint),
        ("the lease could not be settled", lambda: _set(beamline.lease, None, 8.0)),
        ("the triggers could not be disarmed", lambda: _prepare(beamline.trigger, 12.0)),
    ]
    if last_triggers is not None:
        steps.append(("the last triggers were not recorded", last_triggers))
    if last_frames is not None:
        steps.append(("the last frames were not announced", last_frames))
    steps += [
        ("the camera could not be stopped", lambda: _prepare(beamline.camera, 30.0)),
    ]
    if moved:
        steps.append(("the rotation could not be stopped", lambda: bps.stop(rotation)))
        steps.append(("the sample stage could not be stopped", lambda: bps.stop(sample_x)))
    steps.append(("the stage's speed could not be restored", lambda: _prepare(rotation, 12.0)))
    steps.append(("the beam may be on", lambda: _demand_shut(beamline, shut)))
    steps.append(
        ("the sample was not brought back", lambda: _bring_back(sample_x, sample_x_mm, shut))
    )
    beamline.watch.release()
    problems: list[str] = []
    for complaint, step in steps:
        problem = yield from _attempt(step)
        if problem:
            problems.append(f"{complaint} ({problem})")
    return problems


def _attempt(step: Callable[[], Plan]) -> Generator[Msg, Any, str]:
    """Do a step; again if it was interrupted, which may have been for another device's failure."""
    problem = ""
    for _ in range(2):
        try:
            yield from step()
        except Exception as error:  # noqa: BLE001
            # It is told at the end, when everything else has been put to rest.
            problem = innermost(error)
        else:
            return ""
    return problem


def _demand_shut(beamline: TomographyBeamline, shut: list[bool]) -> Plan:
    """Without a lease the shutter must be closed; a blade under way gets a moment."""
    shut.clear()
    waited_s = 0.0
    while str(state := (yield from bps.rd(beamline.shutter.state))) != CLOSED:
        if waited_s >= _SHUT_S:
            raise ScanFailed(
                f"shutter: expected {CLOSED}, saw {state}; the lease was given back; close it by "
                "hand, its dose goes on being counted"
            )
        yield from bps.sleep(_POLL_S)
        waited_s += _POLL_S
    shut.append(True)


def _bring_back(sample_x: Any, x_mm: float, shut: list[bool]) -> Plan:
    """A sample that is out of the beam stays there while the beam may be on."""
    if not shut:
        raise ScanFailed("it stays where it is until the shutter is closed")
    yield from _set(sample_x, x_mm, 30.0)


def _set(device: Any, value: Any, timeout_s: float) -> Plan:
    group = short_uid("rest")
    yield from bps.abs_set(device, value, group=group)
    yield from bps.wait(group, timeout=timeout_s)


def _prepare(device: Any, timeout_s: float) -> Plan:
    group = short_uid("rest")
    yield from bps.prepare(device, None, group=group)
    yield from bps.wait(group, timeout=timeout_s)
