"""The logic of the shutter's own controller: permission, travel, faults. No I/O but the world."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from voltomo.twin.stage_axis import take_over
from voltomo.twin.world import GRACE_S, Segment, World

ShutterState = Literal["Closed", "Opening", "Open", "Closing", "Fault"]
GateMode = Literal["Lease", "TriggerWindow"]

HEARTBEAT_S = 0.03
"""A closed shutter that nobody enables is looked after this often."""
FOLLOW_S = 0.005
"""A gate that falls unforeseen is seen within this; one that was planned, at once."""
SHORTEST_S = 0.0005

_PATIENCE_S = 0.02
"""So much longer than its travel may the blade take before it is called stuck."""


@dataclass(frozen=True)
class Change:
    """A new state and when it came about."""

    state: ShutterState
    world_s: float


class ShutterController:
    """Open only while a changing enable counter, and the gate where asked for, allow it.

    Attributes
    ----------
    gate_mode : str
        "Lease": open while enabled. "TriggerWindow": open while enabled and the gate is high.
    manual : bool
        Opened by hand, past every permission.
    """

    def __init__(self, world: World, stale_s: float, travel_s: float) -> None:
        self._world = world
        self._channel = world.channel("shutter")
        self._gate = world.channel("gate")
        self.stale_s = stale_s
        self.travel_s = travel_s
        self.gate_mode: GateMode = "TriggerWindow"
        self.manual = False
        self.state: ShutterState = "Closed"
        self.fault = ""
        self._enable = 0
        self._enabled_s: float | None = None
        now_s = world.now_s()
        self._beat_s = now_s
        # Whoever ran it before: it begins by closing.
        self._ends_s = now_s
        self._open = take_over(self._channel, now_s, 0.0) > 0
        if self._open:
            self.state = "Closing"
            self._command(now_s, False)

    def put_enable(self, value: int) -> None:
        """A new value of the counter has arrived: a change is a heartbeat, 0 closes."""
        if value != self._enable:
            self._enable = value
            self._enabled_s = self._world.now_s() if value else None

    def enabled(self, now_s: float) -> bool:
        """Whether the counter changed lately enough."""
        return self._enabled_s is not None and now_s - self._enabled_s <= self.stale_s

    def position(self, now_s: float) -> float:
        """Open part."""
        return self._channel.value(now_s)

    def next_look_s(self, now_s: float) -> float:
        """World time at which `step` is to be called next, unless a put comes before.

        While nothing is allowed to open, the heartbeat alone asks for it.
        """
        stale_s = -math.inf if self._enabled_s is None else self._enabled_s + self.stale_s
        if self.state == "Closed" and not self.manual and stale_s < now_s:
            return now_s + HEARTBEAT_S
        due_s = [now_s + FOLLOW_S]
        if self.state in ("Opening", "Closing"):
            due_s.append(self._ends_s)
        if stale_s >= now_s:
            due_s += [stale_s, self._gate.next_change_s(now_s)]
        return max(min(due_s), now_s + SHORTEST_S)

    def step(self, now_s: float) -> list[Change]:
        """Look at the permissions and drive the blade; the states passed through since."""
        changes: list[Change] = []
        if now_s - self._beat_s > GRACE_S:
            take_over(self._channel, now_s, 0.0)
            self._open = False
            self._become(changes, "Closed", self._beat_s + GRACE_S)
        self._channel.beat()
        self._beat_s = now_s
        self._arrive(now_s, changes)
        wanted = self.manual or (
            self.enabled(now_s) and (self.gate_mode == "Lease" or self._gate.value(now_s) > 0.5)
        )
        if wanted != self._open or (self.state == "Fault" and not self._stuck()):
            self._command(now_s, wanted)
            self._become(changes, "Opening" if wanted else "Closing", now_s)
        return changes

    def _become(self, changes: list[Change], state: ShutterState, world_s: float) -> None:
        if state != self.state:
            self.state = state
            if state in ("Open", "Closed"):
                self.fault = ""
            changes.append(Change(state, world_s))

    def _arrive(self, now_s: float, changes: list[Change]) -> None:
        """The end of a travel, or of the patience with it."""
        if self.state not in ("Opening", "Closing") or now_s < self._ends_s:
            return
        if self.position(now_s) == float(self._open):
            self._become(changes, "Open" if self._open else "Closed", self._ends_s)
        elif now_s > self._ends_s + _PATIENCE_S:
            told, seen = ("open", "closed") if self._open else ("closed", "open")
            self.fault = f"told to be {told}, switch says {seen}"
            self._become(changes, "Fault", now_s)

    def _stuck(self) -> bool:
        """Whether the blade cannot follow the last command."""
        kind = "shutter_stuck_closed" if self._open else "shutter_stuck_open"
        return self._world.has_fault(kind)

    def _command(self, now_s: float, wanted: bool) -> None:
        """Send the blade to an end from where it is, as one ramp; a stuck one stays."""
        self._open = wanted
        here = self.position(now_s)
        way = float(wanted) - here
        duration = abs(way) * self.travel_s
        self._ends_s = now_s + (duration or self.travel_s)
        if way == 0:
            self._ends_s = now_s
        elif self._stuck():
            self._channel.put([Segment(now_s, now_s, here)])
        else:
            speed = way / duration
            end = Segment(self._ends_s, self._ends_s, float(wanted))
            self._channel.put([Segment(now_s, self._ends_s, here, speed), end])
