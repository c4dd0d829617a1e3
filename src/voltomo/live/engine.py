"""The worker's loop: stream, latches and log in; slices and verdicts out. No EPICS here."""

from __future__ import annotations

import logging
import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voltomo.live.gap_filler import fill
from voltomo.live.latency import Latencies
from voltomo.live.live_slice import LiveSlice, SliceState
from voltomo.live.run_follower import FileOpened, RunFollower, RunStarted, RunStopped
from voltomo.live.settings import LiveSettings
from voltomo.live.verdicts import Judge
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.trigger_source import TriggerChunk
from voltomo.model.verdict import Verdict

_OVERDUE_S = 1.0
_EARLY = 64
_FILL_EVERY_S = 0.5
_STATUS_EVERY_S = 0.25

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamedFrame:
    """A frame from the stream: image, the camera's stamp, and when it arrived (monotonic)."""

    image: NDArray[np.uint16]
    stamp_s: float
    arrived_s: float


@dataclass(frozen=True)
class Progress:
    """What the worker knows now."""

    state: str
    scan_uid: str
    frames_in: int
    frames_processed: int
    frames_streamed: int
    lost: int
    last_trigger: int
    latency_p50_ms: float
    latency_p99_ms: float
    verdicts: Sequence[Verdict]


class Engine:
    """One thread's work; everything else only puts things into its queues.

    Parameters
    ----------
    settings : LiveSettings
        Thresholds and pace.
    run_log : Path
        The run log that is followed.
    on_slice : callable
        Gets every slice that is published.
    on_progress : callable
        Gets the progress a few times a second, and after every slice.
    """

    def __init__(
        self,
        settings: LiveSettings,
        run_log: Path,
        on_slice: Callable[[str, SliceState], None],
        on_progress: Callable[[Progress], None],
    ) -> None:
        self._settings = settings
        self._follower = RunFollower(run_log)
        self._on_slice = on_slice
        self._on_progress = on_progress
        self._stream: queue.Queue[StreamedFrame] = queue.Queue(settings.queue_frames)
        self._orders: queue.SimpleQueue[TriggerChunk | RunStarted | int] = queue.SimpleQueue()
        self._early: deque[StreamedFrame] = deque(maxlen=_EARLY)
        self._live: LiveSlice | None = None
        self._judge = Judge(settings)
        self._files: dict[str, Path] = {}
        self._latencies = Latencies()
        self._unpublished: list[float] = []
        self._verdicts: list[Verdict] = []
        self._state = "Idle"
        self._row = settings.height_row
        self._next_fill_s = 0.0
        self._next_status_s = 0.0
        self._running = True

    def offer(self, frame: StreamedFrame) -> None:
        """Take a frame from the stream; a full queue drops it here, the file still has it."""
        try:
            self._stream.put_nowait(frame)
        except queue.Full:
            log.debug("the queue is full; a view is left to the file")

    def latch(self, chunk: TriggerChunk) -> None:
        """Take latches."""
        self._orders.put(chunk)

    def begin(self, uid: str, spec: ScanSpec) -> None:
        """A scan begins; the run log says so too, a little later."""
        self._orders.put(RunStarted(uid, spec))

    def move_to(self, row: int) -> None:
        """Show another height."""
        self._orders.put(row)

    def stop(self) -> None:
        """End `run`."""
        self._running = False

    def run(self) -> None:
        """Work until `stop`."""
        while self._running:
            self._take_orders()
            self._take_log()
            busy = self._take_frames()
            self._fill(busy)
            self._publish()
            self._report()

    def _take_orders(self) -> None:
        while True:
            try:
                order = self._orders.get_nowait()
            except queue.Empty:
                return
            if isinstance(order, TriggerChunk):
                if self._live is not None and self._state == "Live":
                    self._live.latch(order)
            elif isinstance(order, RunStarted):
                self._start(order)
            else:
                self._row = order
                if self._live is not None:
                    self._live.move_to(order)
                    if self._state == "Done":
                        self._state = "Filling"

    def _take_log(self) -> None:
        for event in self._follower.poll():
            if isinstance(event, RunStarted):
                self._start(event)
            elif self._live is None:
                continue
            elif isinstance(event, FileOpened):
                self._files[str(event.path)] = event.path
            elif isinstance(event, TriggerChunk):
                self._live.latch(event)
            elif isinstance(event, RunStopped) and event.uid == self._live.scan_uid:
                self._state = "Filling"

    def _start(self, event: RunStarted) -> None:
        if self._live is not None and self._live.scan_uid == event.uid:
            return
        self._live = LiveSlice(event.uid, event.spec, self._row)
        self._judge = Judge(self._settings)
        self._files = {}
        self._latencies.clear()
        self._unpublished.clear()
        self._verdicts = []
        self._state = "Live"
        for frame in self._early:
            self._live.frame(frame.image, frame.stamp_s)
        self._early.clear()

    def _take_frames(self) -> bool:
        try:
            frame = self._stream.get(timeout=0.01)
        except queue.Empty:
            frame = None
        taken = 0
        while frame is not None:
            taken += 1
            if self._live is None or self._state != "Live":
                self._early.append(frame)
            else:
                self._live.frame(frame.image, frame.stamp_s)
                self._unpublished.append(frame.arrived_s)
            try:
                frame = self._stream.get_nowait() if taken < 16 else None
            except queue.Empty:
                frame = None
        if self._live is not None and self._live.process() == 0 and not taken:
            return False
        return taken > 0

    def _fill(self, busy: bool) -> None:
        live = self._live
        now = time.monotonic()
        if live is None or self._state not in ("Live", "Filling"):
            return
        if self._state == "Live" and (busy or now < self._next_fill_s or not self._overdue(live)):
            return
        self._next_fill_s = now + _FILL_EVERY_S
        used = fill(live, list(self._files.values()))
        if used:
            self._unpublished.append(now)
        elif self._state == "Filling":
            self._state = "Done"
            self._unpublished.append(now)
            self._next_status_s = 0.0

    @staticmethod
    def _overdue(live: LiveSlice) -> int:
        """Latched triggers whose frame should have come long ago."""
        matcher = live.matcher
        if matcher.latched == 0:
            return 0
        newest = float(np.nanmax(matcher.time_s[: matcher.latched]))
        return sum(1 for index in live.wanted() if newest - matcher.time_s[index] > _OVERDUE_S)

    def _publish(self) -> None:
        live = self._live
        if live is None or not self._unpublished:
            return
        now = time.monotonic()
        if now - self._unpublished[0] < self._settings.publish_s and self._state == "Live":
            return
        state = live.state()
        self._on_slice(live.scan_uid, state)
        published = time.monotonic()
        if self._state == "Live":
            for arrived in self._unpublished:
                self._latencies.add(published - arrived)
        self._unpublished.clear()
        if now >= self._next_status_s:
            self._next_status_s = now + _STATUS_EVERY_S
            overdue = self._lost(live)
            self._verdicts = self._judge.verdicts(live, state, overdue, time.time())
            self._on_progress(self._progress(live, state.last_trigger))

    def _lost(self, live: LiveSlice) -> int:
        return len(live.wanted()) if self._state == "Done" else self._overdue(live)

    def _report(self) -> None:
        now = time.monotonic()
        if self._live is not None and now >= self._next_status_s + _STATUS_EVERY_S:
            self._next_status_s = now
            self._on_progress(self._progress(self._live, -1))

    def _progress(self, live: LiveSlice, last_trigger: int) -> Progress:
        if last_trigger < 0 and self._verdicts:
            last_trigger = self._verdicts[-1].last_trigger
        return Progress(
            state=self._state,
            scan_uid=live.scan_uid,
            frames_in=live.frames_in,
            frames_processed=live.frames_processed,
            frames_streamed=live.frames_streamed,
            lost=self._lost(live),
            last_trigger=last_trigger,
            latency_p50_ms=self._latencies.percentile_ms(50),
            latency_p99_ms=self._latencies.percentile_ms(99),
            verdicts=tuple(self._verdicts),
        )
