"""The trigger hardware: arms trains of triggers and delivers what was latched."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from ophyd import Component, Device, EpicsSignal, EpicsSignalRO
from ophyd.status import Status

from voltomo.devices.background import (
    Turns,
    demand_wanted,
    in_background,
    put,
    put_and_confirm,
    wait_until,
)
from voltomo.devices.faults import DeviceFault, fault
from voltomo.devices.timeouts import ARMING_S, train_timeout_s
from voltomo.devices.trigger_chunks import ChunkJoiner, merge
from voltomo.model.arming import TriggerTrain
from voltomo.model.trigger_source import TriggerChunk, unpack

_LAST_CHUNK_S = 0.3
_POLL_S = 0.01


class TriggerBox(Device):
    """A `TriggerSource` that is also a bluesky flyer.

    ``prepare(TriggerTrain)`` arms a train and proves it (at index 0, and for a block that is taken
    again, the index is set), ``kickoff`` fires a timed one, ``complete`` ends with the last latch,
    ``collect_pages`` gives one event a trigger. ``prepare(None)`` disarms, and so does a pause.
    """

    # Settings are no configuration: they change with every train, a descriptor is made once.
    reset_command = Component(EpicsSignal, "Reset", kind="omitted")
    first = Component(EpicsSignal, "First", kind="omitted")
    mode = Component(EpicsSignal, "Mode", string=True, kind="omitted")
    number = Component(EpicsSignal, "Number", kind="omitted")
    start_deg = Component(EpicsSignal, "Start", kind="omitted")
    step_deg = Component(EpicsSignal, "Step", kind="omitted")
    period_s = Component(EpicsSignal, "Period", kind="omitted")
    gate_lead_s = Component(EpicsSignal, "GateLead", kind="omitted")
    gate_tail_s = Component(EpicsSignal, "GateTail", kind="omitted")
    exposure_s = Component(EpicsSignal, "Exposure", kind="omitted")
    arm_command = Component(EpicsSignal, "Arm", kind="omitted")
    armed = Component(EpicsSignalRO, "Armed_RBV", kind="omitted", auto_monitor=True)
    fire_command = Component(EpicsSignal, "Fire", kind="omitted")
    count = Component(EpicsSignalRO, "Count_RBV", kind="hinted", auto_monitor=True)
    gate = Component(EpicsSignalRO, "Gate_RBV", kind="normal", auto_monitor=True)
    chunk = Component(EpicsSignalRO, "Chunk", kind="omitted", auto_monitor=True)
    read_first = Component(EpicsSignal, "ReadFirst", kind="omitted")
    read_back = Component(EpicsSignalRO, "ReadBack", kind="omitted")

    def __init__(self, prefix: str = "", *, name: str, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self._train: TriggerTrain | None = None
        self._take = 1
        self._joiner = ChunkJoiner()
        self._arrived: deque[Any] = deque(maxlen=256)
        self._received = 0
        self._reading = threading.Lock()
        self._turns = Turns()
        self.chunk.subscribe(self._on_chunk, run=False)

    def _on_chunk(self, value: Any, **_: Any) -> None:
        self._arrived.append(value)
        self._received = max(self._received, int(value[0] + value[1]))

    # TriggerSource

    def reset(self, first: int = 0) -> Status:
        """Set the index and forget all latches."""
        self._turns.next()
        return in_background(
            f"{self.name} reset",
            lambda: self._turns.take(lambda: self._reset(first)),
            2 * ARMING_S,
        )

    def arm(self, n: int, start_deg: float, step_deg: float) -> Status:
        """Prepare n triggers by position."""
        return self._arming(lambda give_up: self._arm_position(n, start_deg, step_deg, give_up))

    def arm_timed(self, n: int, period_s: float) -> Status:
        """Prepare n triggers by time."""
        return self._arming(lambda give_up: self._arm_timed(n, period_s, give_up))

    def fire(self) -> Status:
        """Start a timed train."""
        give_up = self._turns.give_up

        def fire() -> None:
            demand_wanted(give_up, self.name)
            put(self.fire_command, 1, ARMING_S)

        return in_background(f"{self.name} fire", lambda: self._turns.take(fire), ARMING_S)

    def disarm(self) -> Status:
        """No more triggers, whatever was armed."""
        self._turns.next()
        return in_background(
            f"{self.name} disarm", lambda: self._turns.take(self._disarm), 2 * ARMING_S
        )

    def _arming(self, work: Callable[[threading.Event], None]) -> Status:
        """Work that arms, which is undone if it fails or something else is asked for."""
        give_up = self._turns.next()
        return in_background(
            f"{self.name} arm",
            lambda: self._turns.take(lambda: work(give_up), undo=self._disarm),
            5 * ARMING_S,
        )

    def chunks(self) -> list[TriggerChunk]:
        """Latches since the last call, in order and without holes."""
        with self._reading:
            found: list[TriggerChunk] = []
            while self._arrived:
                chunk = unpack(self._arrived.popleft())
                if self._joiner.hole_before(chunk):
                    found += self._read_back(chunk.first)
                fresh = self._joiner.take(chunk)
                if fresh is not None:
                    found.append(fresh)
            return found

    # flyer

    def prepare(self, train: TriggerTrain | None) -> Status:
        """Arm a train, or disarm with None; fails unless the box says that it did."""
        if train is None:
            self._train = None
            return self.disarm()
        return self._arming(lambda give_up: self._prepare(train, give_up))

    def kickoff(self) -> Status:
        """Fire a timed train; one by position starts when the stage passes."""
        if self._train is not None and self._train.block.start_deg is None:
            return self.fire()
        status = Status(obj=self, timeout=None)
        status.set_finished()
        return status

    def complete(self) -> Status:
        """Done when the last trigger of the train is latched and has been received."""
        train = self._train
        if train is None:
            raise DeviceFault(f"{self.name}: expected a train to be armed, saw none")
        give_up = self._turns.give_up
        return in_background(f"{self.name} train", lambda: self._follow(train, give_up), 86400.0)

    def collect_pages(self) -> Iterator[dict[str, Any]]:
        """One event a trigger, those since the last call."""
        chunk = merge(self.chunks())
        if chunk is not None:
            times = list(chunk.time_s)
            data = {
                "trigger_index": list(range(chunk.first, chunk.last)),
                "trigger_take": [self._take] * len(times),
                "trigger_angle_deg": list(chunk.angle_deg),
                "trigger_time_s": times,
            }
            yield {"data": data, "timestamps": dict.fromkeys(data, times), "time": times}

    def describe_collect(self) -> dict[str, Any]:
        """Index, take, encoder angle and edge of every trigger (trigger clock)."""
        source = self.chunk.pvname
        return {
            "trigger_index": {"source": source, "dtype": "integer", "shape": []},
            "trigger_take": {"source": source, "dtype": "integer", "shape": []},
            "trigger_angle_deg": {"source": source, "dtype": "number", "shape": [], "units": "deg"},
            "trigger_time_s": {"source": source, "dtype": "number", "shape": [], "units": "s"},
        }

    def pause(self) -> None:
        """Disarm: a train that is cut short is not gone on with."""
        self.stop(success=True)

    def stop(self, *, success: bool = False) -> None:
        """Disarm."""
        self._turns.give_up.set()
        if self.arm_command.connected:
            self.arm_command.put(0, wait=False)

    def _reset(self, first: int) -> None:
        put_and_confirm(self.first, first)
        put(self.reset_command, 1, ARMING_S)
        wait_until(
            lambda: int(self.count.get(use_monitor=False)) == first,
            ARMING_S,
            lambda: fault(self.name, f"the index at {first}", self.count.get(use_monitor=False)),
        )
        with self._reading:
            self._arrived.clear()
            self._received = first
            self._joiner = ChunkJoiner(first)

    def _prepare(self, train: TriggerTrain, give_up: threading.Event) -> None:
        demand_wanted(give_up, self.name)
        block = train.block
        if block.first == 0 or train.sets_index:
            # The index runs over one scan: its first train begins a new one.
            self._reset(block.first)
        self._take = train.take
        seen = int(self.count.get(use_monitor=False))
        if seen != block.first:
            raise fault(
                self.name,
                f"the trigger index at {block.first} before {block.name}",
                seen,
                "triggers came that nobody asked for, or did not come; the beam is closed; look at "
                "the trigger cable and start the scan again",
            )
        put_and_confirm(self.exposure_s, float(train.exposure_s))
        put_and_confirm(self.gate_lead_s, float(train.gate_lead_s))
        put_and_confirm(self.gate_tail_s, float(train.gate_tail_s))
        self._train = train
        if block.start_deg is None or block.step_deg is None:
            self._arm_timed(block.count, block.period_s, give_up)
        else:
            self._arm_position(block.count, block.start_deg, block.step_deg, give_up)

    def _arm_position(
        self, n: int, start_deg: float, step_deg: float, give_up: threading.Event
    ) -> None:
        put_and_confirm(self.start_deg, float(start_deg))
        put_and_confirm(self.step_deg, float(step_deg))
        self._arm(n, "Position", give_up)

    def _arm_timed(self, n: int, period_s: float, give_up: threading.Event) -> None:
        put_and_confirm(self.period_s, float(period_s))
        self._arm(n, "Time", give_up)

    def _arm(self, n: int, mode: str, give_up: threading.Event) -> None:
        put_and_confirm(self.number, int(n))
        put_and_confirm(self.mode, mode)
        demand_wanted(give_up, self.name)
        put(self.arm_command, 1, ARMING_S)
        wait_until(
            lambda: int(self.armed.get(use_monitor=False)) == 1,
            ARMING_S,
            lambda: fault(self.name, f"to be armed for {n} triggers", "not armed"),
            give_up,
        )
        demand_wanted(give_up, self.name)

    def _disarm(self) -> None:
        put(self.arm_command, 0, ARMING_S)
        wait_until(
            lambda: int(self.armed.get(use_monitor=False)) == 0,
            ARMING_S,
            lambda: fault(self.name, "to be disarmed", "armed"),
        )

    def _follow(self, train: TriggerTrain, give_up: threading.Event) -> None:
        """Wait for the last latch; complain when none comes for longer than it may take."""
        block = train.block
        approach_s = train_timeout_s(0, block.period_s, train.gate_lead_s + 30.0)
        limit_s = train_timeout_s(block.count, block.period_s, approach_s)

        def late() -> DeviceFault:
            seen = f"{int(self.count.get()) - block.first}"
            return fault(
                self.name,
                f"{block.count} triggers of {block.name} within {limit_s:.0f} s",
                seen,
                "the beam is closed; look at the stage and the trigger cable",
            )

        wait_until(lambda: int(self.count.get()) >= block.last, limit_s, late, give_up)
        if give_up.is_set():
            return
        end_s = time.monotonic() + _LAST_CHUNK_S
        while self._received < block.last and time.monotonic() < end_s:
            time.sleep(_POLL_S)
        if self._received < block.last:
            # No chunk brought the last ones: read them back where the next collect finds them.
            put(self.read_first, self._received, ARMING_S)
            self._on_chunk(self.read_back.get(use_monitor=False))

    def _read_back(self, until: int) -> list[TriggerChunk]:
        found: list[TriggerChunk] = []
        while self._joiner.next < until:
            put(self.read_first, self._joiner.next, ARMING_S)
            fresh = self._joiner.take(unpack(np.asarray(self.read_back.get(use_monitor=False))))
            if fresh is None:
                raise fault(
                    self.name,
                    f"latches {self._joiner.next} to {until - 1} to be read back",
                    "none",
                )
            found.append(fresh)
        return found
