"""Putting everything to rest, whatever happened: beam first, and no step skips the next."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.plans.protocols import PointBeamline, TomographyBeamline
from voltomo.plans.within import prepare_within, set_within
from voltomo.plans.words import CLOSED, ScanFailed, innermost

Plan = Generator[Msg, Any, Any]

_SHUT_S = 1.0
_POLL_S = 0.05


Step = tuple[str, Callable[[], Plan]]
"""What is to be done, behind the complaint if it cannot be."""


@dataclass(frozen=True)
class Home:
    """An axis that a scan moves the sample by, and where it stood before."""

    name: str
    axis: Any
    position: float
    patience_s: float = 30.0


def put_to_rest(
    beamline: TomographyBeamline, leftovers: Sequence[Step]
) -> Generator[Msg, Any, list[str]]:
    """Between two takes of a block: beam off, triggers off, file closed, usual speed.

    Parameters
    ----------
    beamline : TomographyBeamline
        The devices.
    leftovers : sequence of (str, callable)
        Plans that collect what the first take has left, each behind its complaint.

    Returns
    -------
    list of str
        A sentence for each step that could not be done.
    """
    return (yield from _attempts([*_rest(beamline, leftovers), _speed(beamline), _shut(beamline)]))


def clean_up(
    beamline: TomographyBeamline,
    home: Sequence[Home],
    *,
    moved: bool,
    leftovers: Sequence[Step] = (),
) -> Generator[Msg, Any, list[str]]:
    """Settle the lease, disarm, close the file, restore speed, bring the sample back.

    It cannot be paused: whatever asks for a pause interrupts a step, which is then done again.

    Parameters
    ----------
    beamline : TomographyBeamline
        The devices.
    home : sequence of Home
        Where the sample stood before.
    moved : bool
        Whether axes may be under way: they are stopped before they are sent home.
    leftovers : sequence of (str, callable)
        Plans that collect what an interrupted block has left, each behind its complaint.

    Returns
    -------
    list of str
        A sentence for each step that could not be done.
    """
    shut: list[bool] = []
    steps: list[Step] = [
        # From here on there is no way back into the scan, and so to the beam: a pause that comes
        # now ends in this clean-up.
        ("the checkpoint could not be cleared", bps.clear_checkpoint),
        *_rest(beamline, leftovers),
    ]
    if moved:
        steps.append(("the rotation could not be stopped", lambda: bps.stop(beamline.rotation)))
        steps += [(f"{at.name} could not be stopped", _stopping(at)) for at in home]
    steps += [_speed(beamline), _shut(beamline, shut)]
    steps += [(f"{at.name} was not brought back", _bringing_back(at, shut)) for at in home]
    beamline.watch.release()
    return (yield from _attempts(steps))


def put_points_to_rest(beamline: PointBeamline) -> Generator[Msg, Any, list[str]]:
    """Behind a plan of single exposures: beam off, triggers off, file closed.

    Parameters
    ----------
    beamline : PointBeamline
        The devices.

    Returns
    -------
    list of str
        A sentence for each step that could not be done.
    """
    steps: list[Step] = [
        ("the checkpoint could not be cleared", bps.clear_checkpoint),
        ("the lease could not be settled", lambda: set_within(beamline.lease, None, 8.0)),
        ("the camera could not be stopped", lambda: prepare_within(beamline.snapshots, None, 45.0)),
        _shut(beamline),
    ]
    return (yield from _attempts(steps))


def put_back(beamline: TomographyBeamline, home: Sequence[Home]) -> Generator[Msg, Any, list[str]]:
    """Behind readings with the sample beside the beam: beam off, then everything where it stood.

    Parameters
    ----------
    beamline : TomographyBeamline
        The devices.
    home : sequence of Home
        In the order in which it is brought back; nothing moves while the beam may be on.

    Returns
    -------
    list of str
        A sentence for each step that could not be done.
    """
    shut: list[bool] = []
    steps: list[Step] = [
        ("the checkpoint could not be cleared", bps.clear_checkpoint),
        ("the lease could not be settled", lambda: set_within(beamline.lease, None, 8.0)),
        _shut(beamline, shut),
    ]
    steps += [(f"{at.name} was not brought back", _bringing_back(at, shut)) for at in home]
    return (yield from _attempts(steps))


def _rest(beamline: TomographyBeamline, leftovers: Sequence[Step]) -> list[Step]:
    return [
        ("the lease could not be settled", lambda: set_within(beamline.lease, None, 8.0)),
        (
            "the triggers could not be disarmed",
            lambda: prepare_within(beamline.trigger, None, 12.0),
        ),
        *leftovers,
        ("the camera could not be stopped", lambda: prepare_within(beamline.camera, None, 30.0)),
    ]


def _speed(beamline: TomographyBeamline) -> Step:
    return "the stage's speed could not be restored", lambda: prepare_within(
        beamline.rotation, None, 12.0
    )


def _shut(beamline: TomographyBeamline, shut: list[bool] | None = None) -> Step:
    known = [] if shut is None else shut
    return "the beam may be on", lambda: _demand_shut(beamline, known)


def _stopping(at: Home) -> Callable[[], Plan]:
    return lambda: bps.stop(at.axis)


def _bringing_back(at: Home, shut: list[bool]) -> Callable[[], Plan]:
    return lambda: _bring_back(at, shut)


def _attempts(steps: Sequence[Step]) -> Generator[Msg, Any, list[str]]:
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


def _bring_back(at: Home, shut: list[bool]) -> Plan:
    """A sample that is out of the beam stays there while the beam may be on."""
    if not shut:
        raise ScanFailed("it stays where it is until the shutter is closed")
    yield from set_within(at.axis, at.position, at.patience_s)
