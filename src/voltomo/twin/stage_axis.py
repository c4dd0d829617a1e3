"""One axis of the stage: the owner of a channel of positions."""

from __future__ import annotations

import math
from collections.abc import Callable

from voltomo.twin.trajectory import approach, evaluate, halt
from voltomo.twin.world import GRACE_S, Channel, Segment, World


def take_over(channel: Channel, now_s: float, unset: float) -> float:
    """Continue a channel whose last owner died: it stands where the silence left it.

    Puts down what everyone has seen since, so that the past does not change when the channel
    beats again.

    Parameters
    ----------
    unset : float
        Value where the channel had none yet.

    Returns
    -------
    float
        Where it stands.
    """
    stopped_s = min(channel.beat_s + GRACE_S, now_s)
    where = channel.value(now_s)
    if math.isnan(where):
        stopped_s, where = now_s, unset
    channel.put([Segment(stopped_s, stopped_s, where)])
    return where


class StageAxis:
    """Moves with trapezoids that are known in advance.

    Parameters
    ----------
    world : World
    name : str
        Of the channel.
    unset : float
        Where it stands when it never had an owner.

    Attributes
    ----------
    plan : list of Segment
        The motion under way or the last one.
    changed : list of callable
        Called with the world time after a new plan was put down.
    """

    def __init__(self, world: World, name: str, unset: float = 0.0) -> None:
        self._world = world
        self._unset = unset
        self.channel = world.channel(name)
        self.changed: list[Callable[[float], None]] = []
        self.plan: list[Segment] = []
        self._freeze(world.now_s())

    def _freeze(self, now_s: float) -> None:
        where = take_over(self.channel, now_s, self._unset)
        self.plan = [Segment(now_s, now_s, where)]
        self._beat_s = now_s

    def _put(self, plan: list[Segment]) -> None:
        self.plan = plan
        self.channel.put(plan)
        for listener in self.changed:
            listener(plan[0].t0)

    @property
    def end_s(self) -> float:
        """World time at which the plan has come to rest."""
        return self.plan[-1].t1

    def now_s(self) -> float:
        """World time."""
        return self._world.now_s()

    def at(self, time_s: float) -> tuple[float, float]:
        """Position and velocity, from the beginning of the plan on."""
        return evaluate(self.plan, time_s)

    def move(self, target: float, speed: float, acceleration: float) -> None:
        """Go there from wherever it is, at whatever speed."""
        now_s = self._world.now_s()
        self._put(approach(now_s, *self.at(now_s), target, speed, acceleration))

    def set_to(self, position: float) -> None:
        """Stand there at once."""
        now_s = self._world.now_s()
        self._put([Segment(now_s, now_s, position)])

    def halt(self, acceleration: float) -> None:
        """Come to rest."""
        now_s = self._world.now_s()
        if now_s < self.end_s:
            self._put(halt(now_s, *self.at(now_s), acceleration))

    def beat(self, now_s: float) -> bool:
        """Beat the channel.

        Returns
        -------
        bool
            False if the last beat was so long ago that the axis had stopped for all to see; it
            stands there now.
        """
        if now_s - self._beat_s > GRACE_S:
            self._freeze(now_s)
            return False
        self.channel.beat()
        self._beat_s = now_s
        return True
