"""The trigger hardware: edges by position or time, latched angles and times, the gate."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from voltomo.model.trigger_source import TriggerChunk
from voltomo.twin.stage_axis import StageAxis, take_over
from voltomo.twin.trajectory import after, crossing_times
from voltomo.twin.world import GRACE_S, Segment, World

ENCODER_STEP_DEG = 1e-4
ENCODER_JITTER_DEG = 2e-5
LATCH_NOISE_S = 2e-6
FIRE_DELAY_S = 0.02
"""From Fire to the earliest opening of the gate of a timed train."""


@dataclass(frozen=True)
class Train:
    """What is armed: ``count`` triggers, by position or by time.

    The gate is high from ``lead_s`` before the first edge to ``tail_s`` after the last.
    """

    mode: Literal["Position", "Time"]
    count: int
    start_deg: float = 0.0
    step_deg: float = 1.0
    period_s: float = 0.1
    lead_s: float = 0.0
    tail_s: float = 0.0


class TriggerHardware:
    """Edges are known ahead from the rotation's plan, and happen when their time has come.

    A new plan of the rotation moves them; `disarm` lets none of them happen and drops the gate.

    Attributes
    ----------
    changed : list of callable
        Called after the gate has a new plan.
    """

    def __init__(self, world: World, rotation: StageAxis) -> None:
        self._world = world
        self._rotation = rotation
        self._gate = world.channel("gate")
        self._random = np.random.default_rng([world.seed, 7])
        self.changed: list[Callable[[], None]] = []
        now_s = world.now_s()
        take_over(self._gate, now_s, 0.0)
        self._put_gate(now_s, now_s, now_s)
        self._beat_s = now_s
        self._armed: Train | None = None
        self._done = 0
        self._due = np.empty(0)
        self.reset()
        rotation.changed.append(self._replan)

    def reset(self, first: int = 0) -> None:
        """The next index is ``first``, nothing is latched."""
        self._first = first
        self._angle_deg: list[float] = []
        self._time_s: list[float] = []
        self._world_s: list[float] = []

    @property
    def count(self) -> int:
        """Index of the next trigger."""
        return self._first + len(self._time_s)

    @property
    def armed(self) -> bool:
        """Whether edges of a train are still to come."""
        return self._armed is not None

    def gate(self, now_s: float) -> bool:
        """Whether the gate is high."""
        return self._rise_s <= now_s < self._fall_s

    def next_s(self, now_s: float) -> float:
        """World time at which `advance` or the gate has something next; inf for never."""
        coming = [float(self._due[0])] if self._due.size else []
        coming += [edge_s for edge_s in (self._rise_s, self._fall_s) if edge_s > now_s]
        return min(coming, default=math.inf)

    def arm(self, train: Train) -> None:
        """Prepare a train; one by position begins when the rotation passes its start."""
        self.disarm()
        self._armed, self._done = train, 0
        if train.mode == "Position":
            self._replan(self._world.now_s())

    def fire(self) -> bool:
        """Begin a timed train.

        Returns
        -------
        bool
            False if none is armed or it has begun already.
        """
        train = self._armed
        if train is None or train.mode != "Time" or self._due.size or self._done:
            return False
        now_s = self._world.now_s()
        first_s = now_s + train.lead_s + FIRE_DELAY_S
        self._due = first_s + train.period_s * np.arange(train.count)
        self._put_gate(now_s, first_s - train.lead_s, float(self._due[-1]) + train.tail_s)
        return True

    def disarm(self) -> None:
        """No more edges, gate low now."""
        now_s = self._world.now_s()
        self.advance(now_s)
        self._armed, self._due = None, np.empty(0)
        if now_s < self._fall_s:
            self._put_gate(now_s, now_s, now_s)

    def advance(self, now_s: float) -> int:
        """Let the edges happen whose time has come; how many there were."""
        happened = int(np.searchsorted(self._due, now_s, side="right"))
        for edge_s in self._due[:happened].tolist():
            self._latch(edge_s)
        self._due = self._due[happened:]
        self._done += happened
        if self._armed is not None and self._done >= self._armed.count:
            self._armed = None
        return happened

    def beat(self, now_s: float) -> bool:
        """Beat the gate; False if it had been silent so long that it fell for all to see."""
        if now_s - self._beat_s > GRACE_S:
            take_over(self._gate, now_s, 0.0)
            lost_s, self._beat_s = self._beat_s + GRACE_S, now_s
            self._due = self._due[self._due <= lost_s]
            self.disarm()
            return False
        self._gate.beat()
        self._beat_s = now_s
        return True

    def latched(self, first: int, most: int) -> TriggerChunk:
        """Up to ``most`` latches from this index on."""
        begin = min(max(first, self._first), self.count)
        here = slice(begin - self._first, min(begin + most, self.count) - self._first)
        return TriggerChunk(begin, self._angle_deg[here], self._time_s[here])

    def latched_since(self, time_s: float, most: int) -> TriggerChunk:
        """Latches of edges after a world time, the newest ``most`` of them."""
        begin = self._first + bisect_right(self._world_s, time_s)
        return self.latched(max(begin, self.count - most), most)

    def _replan(self, now_s: float) -> None:
        """Find the edges of a train by position anew; those up to now have happened."""
        train = self._armed
        if train is None or train.mode != "Position":
            return
        self.advance(now_s)
        if self._armed is None:
            return
        plan = after(self._rotation.plan, now_s)
        self._due = crossing_times(plan, self._done, train.start_deg, train.step_deg, train.count)
        if self._due.size:
            rise_s = max(now_s, float(self._due[0]) - train.lead_s)
            self._put_gate(now_s, rise_s, float(self._due[-1]) + train.tail_s)
        elif now_s < self._fall_s:
            self._put_gate(now_s, now_s, now_s)

    def _put_gate(self, now_s: float, rise_s: float, fall_s: float) -> None:
        """Gate high from rise to fall, low before and after."""
        self._rise_s, self._fall_s = rise_s, fall_s
        pieces = [Segment(rise_s, fall_s, 1.0)] if rise_s < fall_s else []
        if rise_s > now_s:
            pieces.insert(0, Segment(now_s, now_s, 0.0))
        self._gate.put([*pieces, Segment(fall_s, fall_s, 0.0)])
        for listener in self.changed:
            listener()

    def _latch(self, edge_s: float) -> None:
        """One edge: to the world's record and into the latches."""
        angle_deg = self._rotation.at(edge_s)[0]
        jitter_deg = self._random.normal(0.0, ENCODER_JITTER_DEG)
        latched_deg = round(angle_deg / ENCODER_STEP_DEG) * ENCODER_STEP_DEG + jitter_deg
        noise_s = self._random.uniform(-LATCH_NOISE_S, LATCH_NOISE_S)
        self._world.edges.append(
            index=self.count, time_s=edge_s, angle_deg=angle_deg, latched_deg=latched_deg
        )
        self._angle_deg.append(latched_deg)
        self._world_s.append(edge_s)
        self._time_s.append(self._world.trigger_clock_s(edge_s) + noise_s)
