"""A thread for the planes: they may lag, skip views and redraw, and the slice does not wait."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.live.live_planes import LivePlanes, PlaneState
from voltomo.live.positions import Oblique, Positions
from voltomo.live.settings import LiveSettings
from voltomo.live.shown_part import part_of
from voltomo.live.volume_request import VolumeRequests
from voltomo.model.scan_spec import Block, ScanSpec

Counts = NDArray[Any]

_WAIT_S = 0.05
_FEWEST = 8

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Begin:
    scan_uid: str
    spec: ScanSpec


@dataclass(frozen=True)
class _Frame:
    index: int
    image: Counts
    angle_deg: float
    streamed: bool


@dataclass(frozen=True)
class _Move:
    name: str
    to: int | float | Oblique


@dataclass(frozen=True)
class _Volume:
    size: int


@dataclass(frozen=True)
class _Finish:
    pass


@dataclass(frozen=True)
class _Nothing:
    """Nobody asked for anything: time to publish."""


_Order = _Begin | _Frame | _Move | _Volume | _Finish | _Nothing | Block


@dataclass(frozen=True)
class PlanesShown:
    """Planes as they were published: all of them, and the views that are new in them."""

    scan_uid: str
    states: Sequence[PlaneState]
    streamed: Sequence[int]
    shown_s: float
    finished: bool


class PlaneThread:
    """Runs `LivePlanes` beside the engine, which is the only one to call it.

    Parameters
    ----------
    settings : LiveSettings
        Pace, memory and corrections.
    on_plane : callable
        Gets every plane that is published.

    Attributes
    ----------
    skipped : int
        Frames of this scan that found no room and were left to the file.
    memory_MB : float
        What views and images of this scan may take.
    binning : int
        Of the views that are kept.
    publications : int
        How often planes were published.
    """

    def __init__(
        self,
        settings: LiveSettings,
        on_plane: Callable[[str, PlaneState], None],
        exports: Path | None = None,
    ) -> None:
        self._settings = settings
        self._volumes = VolumeRequests(exports, settings.volume_MB)
        self._on_plane = on_plane
        self._orders: queue.SimpleQueue[_Order | None] = queue.SimpleQueue()
        self._positions = Positions(row=settings.height_row)
        self._planes: LivePlanes | None = None
        self._spec: ScanSpec | None = None
        self._sent: NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._offered = self._taken = 0
        self._room = _FEWEST
        self._streamed: list[int] = []
        self._next_s = 0.0
        self._dirty: set[str] = set()
        self._finishing = False
        self._follows = False
        self._ended = ""
        self._thread = threading.Thread(target=self._run, name="planes", daemon=True)
        self.shown: queue.SimpleQueue[PlanesShown] = queue.SimpleQueue()
        self.skipped = 0
        self.memory_MB = 0.0
        self.binning = 1
        self.publications = 0
        self._thread.start()

    @property
    def follows(self) -> bool:
        """Whether it follows the scan; not after an error, which the log tells."""
        return self._follows and self._thread.is_alive()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def reason(self) -> str:
        """Why the planes do not follow, or what they leave out and why; empty where all is well."""
        planes = self._planes
        return self._ended if planes is None else planes.fault

    @property
    def used(self) -> int:
        """Frames that are in the planes, or that can be of no use to them."""
        planes = self._planes
        return 0 if planes is None else int(np.count_nonzero(planes.used))

    @property
    def waiting(self) -> int:
        """Frames that wait."""
        return self._offered - self._taken

    def begin(self, scan_uid: str, spec: ScanSpec) -> None:
        """Another scan."""
        self._spec = spec
        self._sent = np.zeros(spec.triggers, dtype=bool)
        pixels = spec.geometry.rows * spec.geometry.columns
        self._room = max(_FEWEST, int(self._settings.planes_waiting_MB * 1e6 / (2 * pixels)))
        self.skipped, self._follows = 0, True
        self._orders.put(_Begin(scan_uid, spec))

    def take(self, index: int, image: Counts, angle_deg: float, *, streamed: bool) -> None:
        """Take a whole frame of a trigger; without room it is left to the file."""
        if self._sent[index]:
            return
        if self.waiting >= self._room:
            self.skipped += streamed
            return
        self._sent[index] = True
        self._offered += 1
        self._orders.put(_Frame(index, image, angle_deg, streamed))

    def again(self, block: Block) -> None:
        """A block is taken again, and with it all that its images hold."""
        self._sent[block.first : block.last] = False
        again: list[range] = []
        if self._spec is not None and block.kind == "sweep":
            again = list(part_of(self._spec, block, block.first).triggers())
        elif self._spec is not None:
            again = [range(b.first, b.last) for b in self._spec.blocks() if b.kind != "sweep"]
        for triggers in again:
            self._sent[triggers.start : triggers.stop] = False
        self._orders.put(block)

    def move(self, name: str, to: int | float | Oblique) -> None:
        """Put a plane elsewhere."""
        self._orders.put(_Move(name, to))

    def make_volume(self, size: int) -> None:
        """Make a volume of the views so far; `volume` tells what becomes of it."""
        self._orders.put(_Volume(size))

    @property
    def volume(self) -> str:
        """State of the last volume that was asked for, as JSON."""
        return self._volumes.said

    def finish(self) -> None:
        """No more frames come; the last planes are published as complete."""
        self._orders.put(_Finish())

    def stop(self) -> None:
        """End, and wait for it."""
        self._orders.put(None)
        self._thread.join(5.0)

    def wanted(self, latched: NDArray[np.intp]) -> list[int]:
        """Those of latched triggers whose frames have not come, and would be of use."""
        planes = self._planes
        if planes is None or planes.used.size != self._sent.size:
            return []
        missing = latched[~self._sent[latched]]
        return [int(index) for index in missing if planes.wants(int(index))]

    def _run(self) -> None:
        while True:
            try:
                order = self._orders.get(timeout=_WAIT_S)
            except queue.Empty:
                order = _Nothing()
            if order is None:
                return
            try:
                self._do(order)
                self._publish()
            except Exception as error:
                # The slice and the files do not depend on it, nor does the next scan.
                log.exception("the planes could not do what was asked")
                if not isinstance(order, _Move | _Volume):
                    self._planes, self._follows = None, False
                    self._ended = f"The planes do not follow this scan further: {error}"

    def _do(self, order: _Order) -> None:
        if isinstance(order, _Nothing):
            return
        if isinstance(order, _Frame):
            self._taken += 1
            self._use(order)
        elif isinstance(order, _Begin):
            self._planes, self._ended, self._follows = None, "", True
            self._streamed, self._dirty, self._finishing = [], set(), False
            made = LivePlanes(order.scan_uid, order.spec, self._positions, self._settings)
            self.memory_MB, self.binning = made.memory_promise_bytes / 1e6, made.binning
            self._planes = made
        elif isinstance(order, _Move):
            self._move(order)
        elif isinstance(order, _Volume):
            if self._planes is not None:
                self._planes.settle()
            self._volumes.make(self._planes, order.size)
        elif self._planes is None:
            return
        elif isinstance(order, Block):
            self._planes.again(order)
        else:
            self._planes.finish()
            self._finishing = True

    def _use(self, frame: _Frame) -> None:
        planes = self._planes
        if planes is None or frame.index >= planes.used.size:
            return
        before = planes.views
        if not planes.use(frame.index, frame.image, frame.angle_deg):
            self._sent[frame.index] = False
            return
        if planes.views != before:
            self._dirty.update(planes.names)
            if frame.streamed:
                self._streamed.append(frame.index)

    def _move(self, order: _Move) -> None:
        self._positions = self._positions.moved(order.name, order.to)
        if self._planes is not None:
            self._planes.move(order.name, order.to)
            if order.name in self._planes.names:
                self._dirty.add(order.name)
                self._next_s = 0.0

    def _publish(self) -> None:
        planes = self._planes
        now = time.monotonic()
        if planes is None or not (self._dirty or self._finishing):
            return
        if now < self._next_s and not self._finishing:
            return
        if not self._finishing:
            planes.settle()
        names = [n for n in planes.names if n in self._dirty or self._finishing]
        states = [planes.state(name) for name in names]
        for state in states:
            self._on_plane(planes.scan_uid, state)
        shown_s = time.monotonic()
        # A publication takes its time: leave as much to the frames.
        self._next_s = max(now + self._settings.planes_every_s, 2 * shown_s - now)
        self.shown.put(
            PlanesShown(planes.scan_uid, states, self._streamed, shown_s, self._finishing)
        )
        self.publications += 1
        self._streamed, self._dirty, self._finishing = [], set(), False
