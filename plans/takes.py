"""Blocks that a pause or a beam loss cut short are taken again: what notices, and what is noted."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

from bluesky import Msg
from bluesky import plan_stubs as bps
from bluesky.utils import NoReplayAllowed

from voltomo.model.scan_spec import Block
from voltomo.model.takes import TakeOutcome
from voltomo.plans.words import INTERRUPTIONS

Plan = Generator[Msg, Any, Any]
T = TypeVar("T")

TAKES = "takes"
"""Stream with one event for every take that has ended."""


class Interrupted(Exception):
    """The engine was paused or suspended: axes were stopped, the beam was given back."""


class Takes:
    """Counts how often the engine was interrupted, and says what became of each take of a block.

    The engine tells every object that it has seen of a pause or suspension. This one answers that
    nothing may be replayed, since triggers and doses do not come again: the plan goes on where it
    was and sees by the count that what it did was cut short.

    Attributes
    ----------
    count : int
        Pauses and suspensions so far.
    taken : dict
        Number of takes that have begun, by name of the block.
    """

    name = TAKES
    parent = None

    def __init__(self) -> None:
        self.count = 0
        self.taken: dict[str, int] = {}
        self._known = 0
        self._watching = True
        self._ended: dict[str, Any] = {}

    # what the engine calls

    def pause(self) -> None:
        """Take note, and refuse to be replayed, while a scan runs."""
        if self._watching:
            self.count += 1
            raise NoReplayAllowed

    def resume(self) -> None:
        """Nothing: the plan looks at the count."""

    def read(self) -> dict[str, Any]:
        """The take that ended last."""
        now_s = time.time()
        return {key: {"value": value, "timestamp": now_s} for key, value in self._ended.items()}

    def describe(self) -> dict[str, Any]:
        """Block, number of the take, what became of it, and why."""
        kinds = {int: "integer", str: "string"}
        return {
            key: {"source": "plan", "dtype": kinds[type(value)], "shape": []}
            for key, value in self._ended.items()
        }

    # what plans call

    def watch(self) -> Plan:
        """Let the engine know of this object; comes before everything else."""
        yield Msg("null", self)

    def release(self) -> None:
        """The scan is over: what comes after it may be replayed."""
        self._watching = False

    def begin(self, block: Block) -> int:
        """Begin a take of a block; returns its number."""
        self._known = self.count
        self.taken[block.name] = self.taken.get(block.name, 0) + 1
        return self.taken[block.name]

    def demand_quiet(self) -> None:
        """Refuse to go on with a take that was cut short.

        Raises
        ------
        Interrupted
            The engine was interrupted since the take began.
        """
        if self.count != self._known:
            raise Interrupted

    def wait(self, group: str, timeout: float | None = None) -> Plan:
        """Wait for a group within a take; an interrupted wait is no end of it."""
        done = yield from bps.wait(group, timeout=timeout)
        self.demand_quiet()
        return done

    def note(self, block: Block, outcome: TakeOutcome, reason: str = "") -> Plan:
        """Record what became of the latest take of a block, as one event."""
        self._ended = {
            "take_block": block.name,
            "take_number": self.taken.get(block.name, 1),
            "take_outcome": outcome,
            "take_reason": reason,
        }
        yield from bps.create(name=TAKES)
        yield from bps.read(self)
        yield from bps.save()

    def undisturbed(self, step: Callable[[], Generator[Msg, Any, T]]) -> Generator[Msg, Any, T]:
        """Do a step that may be done again, until it was not interrupted."""
        while True:
            before = self.count
            try:
                done = yield from step()
            except INTERRUPTIONS:
                raise
            except Exception:
                # What fails because it was stopped is done again, whatever it says.
                if self.count == before:
                    raise
            else:
                if self.count == before:
                    return done
