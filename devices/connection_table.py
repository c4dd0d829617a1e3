"""Which devices answer: all are waited for together, and one table says what became of each."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from voltomo.model.sentence import SentenceError

_SHOWN = 8
_SHOWN_EACH = 3
_POLL_S = 0.02

State = Literal["connected", "optional, absent", "required, absent"]


class BeamlineIncomplete(SentenceError):
    """PVs of the beamline do not answer; the message lists them."""


@dataclass(frozen=True)
class Wanted:
    """A device that is waited for."""

    name: str
    device: Any
    required: bool = True


@dataclass(frozen=True)
class DeviceState:
    """What became of one device.

    Attributes
    ----------
    name, kind : str
        Its name on the beamline, and its class.
    state : "connected", "optional, absent" or "required, absent"
    pvs : int
        How many of its PVs were waited for.
    absent : tuple of str
        Those that did not answer.
    """

    name: str
    kind: str
    state: State
    pvs: int
    absent: tuple[str, ...] = ()


def wait_for(wanted: Iterable[Wanted], timeout_s: float) -> list[DeviceState]:
    """Wait until every eager PV of every device answers, all at once, and no longer than told.

    PVs of lazy components answer when they are needed.
    """
    end_s = time.monotonic() + timeout_s
    signals = [(one, list(_signals(one.device))) for one in wanted]
    absent = [signal for _, group in signals for signal in group]
    while absent:
        absent = [signal for signal in absent if not signal.connected]
        if not absent or time.monotonic() >= end_s:
            break
        time.sleep(_POLL_S)
    away = {id(signal) for signal in absent}
    return [_state(one, group, away) for one, group in signals]


def demand_required(states: Iterable[DeviceState], timeout_s: float) -> None:
    """Refuse to go on without what the beamline must have.

    Raises
    ------
    BeamlineIncomplete
        Its PVs are listed.
    """
    known = list(states)
    names = sorted(
        {name for one in known if one.state == "required, absent" for name in one.absent}
    )
    if not names:
        return
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    raise BeamlineIncomplete(
        f"expected {sum(one.pvs for one in known)} PVs of the beamline to answer within "
        f"{timeout_s:g} s, saw none from {len(names)}: {shown}{more}; no beam was used; see "
        "'voltomo status' and 'voltomo beamline check', or the names ('pvs', 'devices') and "
        "addresses ('epics') in the beamline file"
    )


def table_lines(states: Iterable[DeviceState]) -> list[str]:
    """One line a device: name, kind, state, PVs, and the first of those that are away."""
    lines: list[str] = []
    for one in states:
        shown = ", ".join(one.absent[:_SHOWN_EACH])
        more = len(one.absent) - _SHOWN_EACH
        away = f"  no answer from {shown}{f' and {more} more' if more > 0 else ''}" if shown else ""
        count = f"{one.pvs - len(one.absent)}/{one.pvs}"
        lines.append(f"{one.name:<16} {one.kind:<15} {one.state:<17} {count:>9}{away}")
    return lines


def _state(one: Wanted, signals: list[Any], away: set[int]) -> DeviceState:
    names = {
        getattr(signal, attribute)
        for signal in signals
        if id(signal) in away
        for attribute in ("pvname", "setpoint_pvname")
        if hasattr(signal, attribute)
    }
    state: State = "connected"
    if names:
        state = "required, absent" if one.required else "optional, absent"
    kind = type(one.device).__name__.lstrip("_")
    return DeviceState(one.name, kind, state, len(signals), tuple(sorted(names)))


def _signals(device: Any) -> Iterator[Any]:
    """Signals that exist: lazy ones that nobody has asked for are left alone."""
    if hasattr(device, "pvname"):
        yield device
        return
    for walk in device.walk_signals(include_lazy=False):
        if hasattr(walk.item, "pvname"):
            yield walk.item
