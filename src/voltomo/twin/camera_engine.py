"""The camera's thread: exposes at every trigger edge, numbers, stamps, delivers in order."""

from __future__ import annotations

import logging
import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.frame_ring import FrameRing
from voltomo.twin.frame_source import FrameSource, Sight, Unrecorded, expose
from voltomo.twin.world import FATE_DELIVERED, FATE_LOST, FATE_MISSED, World

_log = logging.getLogger(__name__)

_IDLE_S = 0.02
"""Edges that nobody wants are looked at this often; also the camera's heartbeat in the ring."""
_WATCH_S = 0.004
"""An edge is seen within this, or within half an exposure."""
_SHORTEST_S = 0.0005
_BACKLOG_S = 20.0
# The trigger box publishes an edge a little after it happened.
_EDGE_DELAY_S = 0.03
_READ_OUT_S = 1e-4
ID_SPAN = 1 << 32
_INTERNAL_NUMBERS = 1 << 40


@dataclass(frozen=True)
class Acquisition:
    """How to acquire: exposure and period, number of frames (0: no end), by edge or by itself."""

    exposure_s: float
    period_s: float
    number: int
    external: bool


@dataclass(frozen=True)
class CameraFrame:
    """A frame as it leaves the camera; ``time_s`` is the camera's stamp."""

    image: NDArray[np.uint16]
    unique_id: int
    time_s: float


@dataclass(frozen=True)
class CameraState:
    """What the camera shows."""

    acquiring: bool = False
    frames: int = 0
    images: int = 0
    unique_id: int = 0
    time_s: float = 0.0
    missed: int = 0


@dataclass(frozen=True)
class _Pending:
    """An exposure under way; ``index`` −1 for one that no trigger asked for.

    ``end_s`` is the last row's, where rows are exposed one after the other.
    """

    number: int
    index: int
    start_s: float
    end_s: float
    missed: bool = False


class CameraEngine:
    """From edges to frames.

    Row k of ``world.frames`` tells what became of row k of ``world.edges``, also over restarts.

    Parameters
    ----------
    world : World
    source : FrameSource
    ring : FrameRing
        To the writer.
    publish : callable
        Takes each delivered frame; must not block.
    sight : Sight, optional
        What exposures depend on beside the world.
    """

    def __init__(
        self,
        world: World,
        source: FrameSource,
        ring: FrameRing,
        publish: Callable[[CameraFrame], None],
        sight: Sight | None = None,
    ) -> None:
        self._world = world
        self._sight = sight
        self._row_delay_s = 0.0 if sight is None else sight.row_delay_s
        self._read_out_s = 0.0 if sight is None else sight.read_out_s
        self._source = source
        self._ring = ring
        self._publish = publish
        self._pending: deque[_Pending] = deque()
        self._edges_seen = len(world.frames)
        self._ids_set = 0
        self._next_id = 1
        self._asked = Acquisition(0.02, 0.1, 0, True)
        self._began_s = math.inf
        self._queued = 0
        self._next_internal_s = 0.0
        self._free_s = -math.inf
        self._guard = threading.Lock()
        self._ending = threading.Event()
        self._wake = threading.Event()
        self.callbacks = True
        self.state = CameraState()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def start(self) -> None:
        """Begin to watch the edges."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; one that an error has ended does nothing more."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Stop the thread."""
        self._ending.set()
        self._wake.set()
        self._thread.join(timeout=1.5)

    def acquire(self, acquisition: Acquisition) -> None:
        """Expose from now on."""
        with self._guard:
            self._asked = acquisition
            self._began_s = self._next_internal_s = self._world.now_s()
            self._queued = 0
            self.state = replace(self.state, acquiring=True, images=0)
        self._wake.set()

    def change(self, exposure_s: float, period_s: float) -> None:
        """Expose so from the next trigger on."""
        with self._guard:
            self._asked = replace(self._asked, exposure_s=exposure_s, period_s=period_s)

    def abort(self) -> None:
        """Expose no more; what is being exposed is given up, what is exposed is delivered."""
        with self._guard:
            now_s = self._world.now_s()
            self._look_for_edges(now_s)
            self._pending = deque(
                item if item.end_s <= now_s else replace(item, end_s=now_s, missed=True)
                for item in self._pending
            )
            self._began_s, self._free_s = math.inf, -math.inf
            self.state = replace(self.state, acquiring=False)

    def _run(self) -> None:
        while not self._ending.is_set():
            with self._guard:
                now_s = self._world.now_s()
                self._look_for_edges(now_s)
                self._expose_by_itself(now_s)
                due = bool(self._pending) and self._pending[0].end_s <= now_s
                item = self._pending.popleft() if due else None
                self._say_complete(item, now_s)
                rest_s = self._rest_s(now_s)
            if item is not None:
                self._take(item)
            else:
                self._end_if_done()
                self._wake.wait(rest_s)
                self._wake.clear()

    def _rest_s(self, now_s: float) -> float:
        """How long nothing is due: the end of an exposure, or the look for the next edge."""
        if not self.state.acquiring and not self._pending:
            return _IDLE_S
        if self._asked.external:
            rest_s = min(_WATCH_S, self._asked.exposure_s / 2)
        else:
            rest_s = min(_IDLE_S, self._next_internal_s - now_s)
        if self._pending:
            rest_s = min(rest_s, self._pending[0].end_s - now_s)
        return max(rest_s, _SHORTEST_S)

    def _say_complete(self, item: _Pending | None, now_s: float) -> None:
        if item is not None:
            until_s = item.start_s - 1e-9
        elif self._pending:
            until_s = self._pending[0].start_s - 1e-9
        else:
            until_s = now_s - (_EDGE_DELAY_S if self.state.acquiring else 0.0)
        self._ring.say_complete_until(until_s, now_s)

    def _look_for_edges(self, now_s: float) -> None:
        if len(self._world.edges) == self._edges_seen:
            return
        edges = self._world.edges.since(self._edges_seen)
        self._edges_seen += len(edges)
        first = self._edges_seen - len(edges)
        for number, edge in enumerate(edges, first):
            start_s = float(edge["time_s"])
            item = _Pending(number, int(edge["index"]), start_s, start_s, missed=True)
            if self._accepts(start_s):
                self._free_s = start_s + self._asked.exposure_s
                item = replace(item, end_s=self._free_s + self._read_out_s, missed=False)
                self._queued += 1
            self._pending.append(item)

    def _accepts(self, start_s: float) -> bool:
        """Whether the camera is armed, not still exposing, and wants more."""
        asked = self._asked
        return (
            self.state.acquiring
            and asked.external
            and self._began_s <= start_s
            and start_s >= self._free_s - _READ_OUT_S
            and (asked.number == 0 or self._queued < asked.number)
        )

    def _expose_by_itself(self, now_s: float) -> None:
        asked = self._asked
        if not self.state.acquiring or asked.external or now_s < self._next_internal_s:
            return
        if asked.number and self._queued >= asked.number:
            return
        start_s = self._next_internal_s
        number = _INTERNAL_NUMBERS + self.state.frames + self._queued
        end_s = start_s + asked.exposure_s + self._read_out_s
        self._pending.append(_Pending(number, -1, start_s, end_s))
        self._queued += 1
        self._next_internal_s = start_s + max(asked.period_s, asked.exposure_s, 1e-3)

    def _end_if_done(self) -> None:
        with self._guard:
            asked = self._asked
            done = asked.number and self._queued >= asked.number and not self._pending
            if self.state.acquiring and done:
                self._began_s, self._free_s = math.inf, -math.inf
                self.state = replace(self.state, acquiring=False)

    def _take(self, item: _Pending) -> None:
        """Make the frame of an exposure that is over, and say what became of it."""
        world, external = self._world, item.index >= 0
        end_s = max(item.end_s - self._read_out_s, item.start_s + 1e-6)
        exposure = expose(world, item.number, item.start_s, end_s, self._sight)
        row: dict[str, Any] = {
            "index": item.index,
            "start_s": item.start_s,
            "end_s": max(item.end_s - self._read_out_s, item.start_s),
            "angle_deg": exposure.mid_angle_deg,
            "open_part": exposure.open_part,
            "fluence_per_cm2": exposure.fluence_per_cm2,
            "tilt_deg": exposure.standing.tilt_deg,
            "error_x_mm": exposure.standing.error_x_mm,
            "error_z_mm": exposure.standing.error_z_mm,
            "lit_part": exposure.lit_part,
            "row_delay_s": self._row_delay_s,
        }
        image = None
        if not item.missed and not (external and world.has_fault("camera_misses", item.index)):
            image = self._render(exposure)
        if image is None:
            fate, unique_id = FATE_MISSED, -1
            self._count(missed=1)
        else:
            unique_id = self._number()
            lost = external and world.has_fault("lose_after_numbering", item.index)
            fate = FATE_LOST if lost else FATE_DELIVERED
            random = np.random.default_rng((world.seed, 0x57A, item.number))
            jitter_s = random.normal(0, world.camera_jitter_s)
            stamp_s = world.camera_clock_s(item.start_s) + jitter_s
            if not lost:
                twice = external and world.has_fault("duplicate_frame", item.index)
                for _ in range(2 if twice else 1):
                    self._deliver(CameraFrame(image, unique_id, stamp_s), item.start_s)
            self._count(frames=1, images=1, unique_id=unique_id, time_s=stamp_s)
        if external:
            world.frames.append(unique_id=unique_id, fate=fate, **row)

    def _count(
        self,
        *,
        frames: int = 0,
        images: int = 0,
        missed: int = 0,
        unique_id: int | None = None,
        time_s: float | None = None,
    ) -> None:
        """Add to the counters; whether it acquires is decided elsewhere and must not be undone."""
        with self._guard:
            state = self.state
            self.state = replace(
                state,
                frames=state.frames + frames,
                images=state.images + images,
                missed=state.missed + missed,
                unique_id=state.unique_id if unique_id is None else unique_id,
                time_s=state.time_s if time_s is None else time_s,
            )

    def _render(self, exposure: Any) -> NDArray[np.uint16] | None:
        late_s = self._world.now_s() - exposure.end_s - self._read_out_s
        if late_s > _BACKLOG_S:
            _log.error(
                "the camera is %.1f s behind its triggers; frame at %.3f s missed", late_s,
                exposure.start_s,
            )  # fmt: skip
            return None
        try:
            return self._source.frame(exposure)
        except Unrecorded as error:
            _log.info("%s", error)
            return None

    def _number(self) -> int:
        """The next frame's number; a fault may have set the counter."""
        faults = self._world.faults("unique_id")
        self._ids_set = min(self._ids_set, len(faults))
        for fault in faults[self._ids_set :]:
            if fault.at_s <= self._world.now_s():
                self._next_id = int(fault.value)
                self._ids_set += 1
        number = self._next_id % ID_SPAN
        self._next_id = number + 1
        return number

    def _deliver(self, frame: CameraFrame, start_s: float) -> None:
        if not self.callbacks:
            return
        kept = self._ring.put(
            frame.image, unique_id=frame.unique_id, time_s=frame.time_s, start_s=start_s
        )
        if not kept:
            _log.error("the frame ring is full; frame %d lost to the file", frame.unique_id)
        self._publish(frame)
