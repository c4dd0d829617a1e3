"""The worker's loop: stream, latches and log in; slices and verdicts out. No EPICS here."""

from __future__ import annotations

import logging
import math
import queue
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from voltomo.live.engine_orders import Latched, Moved, StreamedFrame
from voltomo.live.engine_planes import EnginePlanes
from voltomo.live.gap_filler import fill
from voltomo.live.latency import Latencies, NewsOfTriggers
from voltomo.live.live_planes import PlaneState
from voltomo.live.live_slice import LiveSlice
from voltomo.live.positions import Oblique
from voltomo.live.progress import PlanesProgress, Progress
from voltomo.live.run_follower import FileOpened, RunFollower, RunStarted
from voltomo.live.settings import LiveSettings
from voltomo.live.slice_state import SliceState
from voltomo.live.verdicts import Judge
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.trigger_source import TriggerChunk
from voltomo.model.verdict import Verdict

_WAIT_S = 0.01
_FRAMES_AT_ONCE = 16
_OVERDUE_S = 1.0
_EARLY = 64
_EARLY_S = 2.0
_LOG_EVERY_S = 0.05
_FILL_EVERY_S = 0.5
_FILL_AGAIN_S = 0.05
_PLANES_AGAIN_S = 0.02
_FILL_AT_ONCE = 256
_PATIENCE_S = 1.0
_STATUS_EVERY_S = 0.25

_PLANES_ARE_OFF = (
    "the axis is tilted or rolled: the slice is then made of whole frames, which the settings of "
    "the live worker leave out. Set planes to true there."
)

log = logging.getLogger(__name__)


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
        Gets the progress a few times a second.
    on_plane : callable, optional
        Gets every other plane that is published, and the horizontal one where it is made of whole
        frames; without it there are no planes.
    exports : Path, optional
        Folder for volumes that somebody asks for.

    Attributes
    ----------
    turns : int
        Turns of the loop so far: one that stands still is hung.
    """

    def __init__(
        self,
        settings: LiveSettings,
        run_log: Path,
        on_slice: Callable[[str, SliceState], None],
        on_progress: Callable[[Progress], None],
        on_plane: Callable[[str, PlaneState], None] | None = None,
        exports: Path | None = None,
    ) -> None:
        self._settings = settings
        self._planes: EnginePlanes | None = None
        if on_plane is not None and settings.planes:
            self._planes = EnginePlanes(settings, on_plane, exports)
        self._follower = RunFollower(run_log)
        self._on_slice = on_slice
        self._on_progress = on_progress
        self._stream: queue.Queue[StreamedFrame] = queue.Queue(settings.queue_frames)
        self._orders: queue.SimpleQueue[Latched | RunStarted | Moved | int] = queue.SimpleQueue()
        self._early: deque[StreamedFrame] = deque(maxlen=_EARLY)
        self._live: LiveSlice | None = None
        self._started_utc_s = 0.0
        self._logged_uid = ""
        self._judge = Judge(settings)
        self._files: dict[Path, FileOpened] = {}
        self._latencies = Latencies()
        self._news = NewsOfTriggers()
        self._views: list[int] = []
        self._scan_uid = ""
        self._reason = ""
        self._dropped = self._dropped_before = 0
        self._changed = False
        self._shown: SliceState | None = None
        self._verdicts: list[Verdict] = []
        self._lost_live = 0
        self._state = "Idle"
        self._row = settings.height_row
        self._next_log_s = 0.0
        self._next_fill_s = 0.0
        self._next_slice_s = 0.0
        self._next_status_s = 0.0
        self._give_up_s = 0.0
        self._running = True
        self.turns = 0

    def offer(self, frame: StreamedFrame) -> None:
        """Take a frame from the stream; a full queue drops it here, the file still has it."""
        try:
            self._stream.put_nowait(frame)
        except queue.Full:
            self._dropped += 1

    def latch(self, chunk: TriggerChunk, posted_utc_s: float | None = None) -> None:
        """Take latches; those that were posted before the scan began are of another one."""
        self._orders.put(Latched(chunk, posted_utc_s, time.monotonic()))

    def begin(self, uid: str, spec: ScanSpec) -> None:
        """A scan begins; the run log says so too, a little later."""
        self._orders.put(RunStarted(uid, spec, time.time()))

    def move_to(self, row: int) -> None:
        """Show another height."""
        self._orders.put(row)

    def move_plane(self, name: str, to: float | Oblique) -> None:
        """Put the plane "xz", "yz" or "oblique" elsewhere."""
        self._orders.put(Moved(name, to))

    def make_volume(self, size: int) -> None:
        """Write a coarse volume of the views so far, so many voxels along an edge."""
        if self._planes is not None:
            self._planes.thread.make_volume(size)

    def stop(self) -> None:
        """End `run`."""
        self._running = False

    @property
    def alive(self) -> bool:
        """Whether the thread of the planes runs, if there are any."""
        return self._planes is None or self._planes.thread.alive

    def run(self) -> None:
        """Work until `stop`."""
        while self._running:
            self._take_orders()
            self._take_log()
            self._take_frames()
            self._take_planes()
            self._fill()
            self._publish()
            self._report()
            self.turns += 1
        if self._planes is not None:
            self._planes.thread.stop()

    def _take_orders(self) -> None:
        while True:
            try:
                order = self._orders.get_nowait()
            except queue.Empty:
                return
            if isinstance(order, Latched):
                late_enough = order.posted_utc_s is None or order.posted_utc_s > self._started_utc_s
                if self._live is not None and self._state == "Live" and late_enough:
                    self._latch(self._live, order)
            elif isinstance(order, RunStarted):
                self._start(order)
            elif isinstance(order, Moved):
                if self._planes is not None:
                    self._planes.move(order.name, order.to)
                    self._next_status_s = 0.0
            else:
                self._move(order)

    def _latch(self, live: LiveSlice, order: Latched) -> None:
        if order.chunk.last > live.matcher.latched:
            self._news.heard(order.chunk.time_s[-1], order.heard_s)
        live.latch(order.chunk)

    def _move(self, row: int) -> None:
        self._row = row
        if self._planes is not None:
            self._planes.move("xy", row)
            self._next_status_s = 0.0
        if self._live is None or not (self._live.by_row or self._live.measurable):
            return
        self._live.move_to(row)
        self._next_fill_s = 0.0
        if self._state == "Done":
            self._start_filling()

    def _take_log(self) -> None:
        now = time.monotonic()
        if now < self._next_log_s:
            return
        self._next_log_s = now + _LOG_EVERY_S
        events = self._follower.poll()
        starts = [place for place, event in enumerate(events) if isinstance(event, RunStarted)]
        # After a restart the whole log comes at once: only its last scan matters.
        for event in events[starts[-1] if starts else 0 :]:
            if isinstance(event, RunStarted):
                self._logged_uid = event.uid
                self._start(event)
            # A scan that was announced by order may be ahead of the log, which then still
            # speaks of the one before.
            elif self._live is None or self._live.scan_uid != self._logged_uid:
                continue
            elif isinstance(event, FileOpened):
                self._files[event.path] = event
            elif isinstance(event, TriggerChunk):
                self._live.latch(event)
            elif event.uid == self._live.scan_uid:
                self._start_filling()

    def _start(self, event: RunStarted) -> None:
        if self._scan_uid == event.uid:
            return
        self._scan_uid, self._reason = event.uid, ""
        self._next_status_s = 0.0
        try:
            whole = None if self._planes is None else self._planes.thread
            self._live = LiveSlice(event.uid, event.spec, self._row, whole)
            if self._planes is not None:
                self._planes.begin(event.uid, event.spec)
            elif not self._live.by_row:
                raise ValueError(_PLANES_ARE_OFF)
        except ValueError as error:
            log.error("the scan %s has no live slice: %s", event.uid, error)
            self._live, self._state, self._reason = None, "No slice", str(error)
            return
        self._started_utc_s = event.utc_s
        self._judge = Judge(self._settings)
        self._files = {}
        self._latencies.clear()
        self._news.clear()
        self._views.clear()
        self._dropped_before = self._dropped
        self._changed = False
        self._shown = None
        self._verdicts = []
        self._lost_live = 0
        self._state = "Live"
        oldest_s = time.monotonic() - _EARLY_S
        for frame in self._early:
            # The order to begin may have come after the first frames.
            if frame.arrived_s > oldest_s:
                self._live.frame(frame.image, frame.stamp_s)
        self._early.clear()

    def _start_filling(self) -> None:
        self._state = "Filling"
        self._next_fill_s = self._next_status_s = 0.0
        self._give_up_s = time.monotonic() + _PATIENCE_S
        if self._planes is not None:
            self._planes.reopen()

    def _take_frames(self) -> None:
        try:
            frame = self._stream.get(timeout=_WAIT_S)
        except queue.Empty:
            frame = None
        taken = 0
        while frame is not None:
            taken += 1
            if self._live is None or self._state != "Live":
                self._early.append(frame)
            else:
                self._live.frame(frame.image, frame.stamp_s)
            try:
                frame = self._stream.get_nowait() if taken < _FRAMES_AT_ONCE else None
            except queue.Empty:
                frame = None
        if self._live is not None and self._state == "Live":
            self._views += self._live.process()

    def _take_planes(self) -> None:
        """What the planes have shown since; where they make the slice, its delay is theirs."""
        live, planes = self._live, self._planes
        if planes is None:
            return
        late_s = planes.collect(live, self._news)
        if live is not None and not live.by_row:
            self._shown = planes.slice
            for seconds in late_s:
                self._latencies.add(seconds)
        if planes.has_news() and self._state == "Done":
            self._next_status_s = 0.0

    def _fill(self) -> None:
        live = self._live
        now = time.monotonic()
        if live is None or self._state not in ("Live", "Filling") or now < self._next_fill_s:
            return
        self._next_fill_s = now + _FILL_EVERY_S
        behind = self._stream.qsize() > _FRAMES_AT_ONCE
        if self._state == "Live" and (behind or not live.overdue(_OVERDUE_S)):
            self._lost_live = self._lost_live if behind else 0
            if self._planes is not None and not behind:
                self._planes.fill(live, list(self._files.values()), _OVERDUE_S)
            return
        used = fill(live, list(self._files.values()), _FILL_AT_ONCE)
        if used < _FILL_AT_ONCE:
            # What the stream did not bring is lost only if the file has not got it either.
            self._lost_live = live.overdue(_OVERDUE_S)
        if used:
            self._changed = True
            self._next_fill_s = 0.0 if self._state == "Filling" else now + _FILL_AGAIN_S
            self._give_up_s = now + _PATIENCE_S
        elif self._state == "Filling" and (now > self._give_up_s or not live.wanted()):
            files = list(self._files.values())
            if self._planes is not None and not self._planes.complete(live, files):
                self._next_fill_s = now + _PLANES_AGAIN_S
                return
            live.finish()
            self._state = "Done"
            self._changed = True
            self._next_slice_s = self._next_status_s = 0.0

    def _publish(self) -> None:
        live = self._live
        now = time.monotonic()
        if live is None or now < self._next_slice_s or not (self._views or self._changed):
            return
        self._next_slice_s = now + self._settings.publish_s
        if not live.by_row:
            self._views.clear()
            self._changed = False
            return
        state = live.state()
        self._on_slice(live.scan_uid, state)
        published_s = time.monotonic()
        for index in self._views:
            ended_s = float(live.matcher.time_s[index]) + live.spec.frame_s
            self._latencies.add(published_s - self._news.here_s(ended_s))
        self._views.clear()
        self._changed = False
        self._shown = state

    def _lost(self, live: LiveSlice) -> int:
        return len(live.wanted()) if self._state == "Done" else self._lost_live

    def _report(self) -> None:
        now = time.monotonic()
        live = self._live
        if self._state == "Idle" or now < self._next_status_s:
            return
        # After the end nothing changes until somebody moves the height.
        over = self._state in ("Done", "No slice")
        self._next_status_s = math.inf if over else now + _STATUS_EVERY_S
        if live is None:
            self._on_progress(Progress(self._state, self._scan_uid, self._reason))
            return
        state = self._shown or live.state()
        self._verdicts = self._judge.verdicts(live, state, self._lost(live), time.time())
        if self._judge.busy:
            self._next_status_s = now + _STATUS_EVERY_S
        self._on_progress(self._progress(live, state))

    def _progress(self, live: LiveSlice, state: SliceState) -> Progress:
        planes = PlanesProgress() if self._planes is None else self._planes.progress(live)
        return Progress(
            state=self._state,
            scan_uid=live.scan_uid,
            reason=planes.reason,
            row=state.row if not live.by_row and state.row >= 0 else live.row,
            views_waiting=self._stream.qsize() + planes.waiting,
            views_dropped=self._dropped - self._dropped_before + planes.skipped,
            frames_in=live.frames_in,
            frames_processed=live.frames_processed,
            frames_streamed=live.frames_streamed,
            lost=self._lost(live),
            last_trigger=live.last_trigger,
            latency_p50_ms=self._latencies.percentile_ms(50),
            latency_p99_ms=self._latencies.percentile_ms(99),
            verdicts=tuple(self._verdicts),
            measuring=self._judge.busy,
            planes=planes,
        )
