"""The planes as the engine sees them: filled from the files, counted, timed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from voltomo.live.gap_filler import fill_whole
from voltomo.live.latency import Latencies, NewsOfTriggers
from voltomo.live.live_planes import PlaneState, slice_of
from voltomo.live.live_slice import LiveSlice
from voltomo.live.plane_thread import PlaneThread
from voltomo.live.positions import Oblique
from voltomo.live.progress import PlanesProgress
from voltomo.live.run_follower import FileOpened
from voltomo.live.settings import LiveSettings
from voltomo.live.slice_state import SliceState
from voltomo.model.scan_spec import ScanSpec

_PATIENCE_S = 1.0
_AT_ONCE = 16
_FEW = 2


class EnginePlanes:
    """Keeps a `PlaneThread` fed, and what it has shown.

    Parameters
    ----------
    settings : LiveSettings
        Pace, memory and corrections.
    on_plane : callable
        Gets every plane that is published, in the thread of the planes.
    exports : Path, optional
        Where volumes are written.
    """

    def __init__(
        self,
        settings: LiveSettings,
        on_plane: Callable[[str, PlaneState], None],
        exports: Path | None = None,
    ) -> None:
        self.thread = PlaneThread(settings, on_plane, exports)
        self._latencies = Latencies()
        self._uid = ""
        self._told = (0, "{}")
        self._views = 0
        self._redraw_ms = 0.0
        self._asked = self._finished = False
        self._give_up_s = 0.0
        self._used = -1
        self.slice: SliceState | None = None

    def begin(self, scan_uid: str, spec: ScanSpec) -> None:
        """Another scan."""
        self.thread.begin(scan_uid, spec)
        self._latencies.clear()
        self._uid, self._views, self.slice = scan_uid, 0, None
        self._asked = self._finished = False

    def reopen(self) -> None:
        """More frames may come after all."""
        self._asked = self._finished = False
        self._used = -1
        self._give_up_s = time.monotonic() + _PATIENCE_S

    def move(self, name: str, to: int | float | Oblique) -> None:
        """Put a plane elsewhere."""
        self.thread.move(name, to)

    def collect(self, live: LiveSlice | None, news: NewsOfTriggers) -> list[float]:
        """Take what was shown since; the latencies of views that are new, in seconds."""
        late: list[float] = []
        while not self.thread.shown.empty():
            shown = self.thread.shown.get()
            if live is None or shown.scan_uid != self._uid:
                continue
            self._finished |= shown.finished
            for state in shown.states:
                self._views = state.frames
                self._redraw_ms = state.redraw_ms or self._redraw_ms
                if state.name == "xy":
                    self.slice = slice_of(state)
            for index in shown.streamed:
                ended_s = float(live.matcher.time_s[index]) + live.spec.exposure_s
                late.append(shown.shown_s - news.here_s(ended_s))
        for seconds in late:
            self._latencies.add(seconds)
        return late

    def has_news(self) -> bool:
        """Whether planes were shown, or a volume has changed its state, since the last call."""
        now = (self.thread.publications, self.thread.volume)
        before, self._told = self._told, now
        return now != before

    def fill(self, live: LiveSlice, files: Sequence[FileOpened], after_s: float) -> None:
        """While the scan runs: what is overdue, as long as nothing else waits."""
        if self.thread.waiting > _FEW:
            return
        time_s = live.matcher.time_s
        known = np.flatnonzero(~np.isnan(time_s))
        if known.size:
            overdue = known[float(time_s[known].max()) - time_s[known] > after_s]
            fill_whole(live, files, self.thread.wanted(overdue), _AT_ONCE)

    def complete(self, live: LiveSlice, files: Sequence[FileOpened]) -> bool:
        """After the end: fill what is missing, step by step; True once all planes are final."""
        if self._asked or not self.thread.follows:
            return self._finished or not self.thread.follows
        now = time.monotonic()
        used = self.thread.used
        if used > self._used:
            self._used, self._give_up_s = used, now + _PATIENCE_S
        if self.thread.waiting > _FEW:
            return False
        known = np.flatnonzero(~np.isnan(live.matcher.time_s))
        wanted = self.thread.wanted(known)
        if wanted:
            # What was read but found no use, for want of flats, is no reason to go on for ever.
            fill_whole(live, files, wanted, _AT_ONCE)
            if now < self._give_up_s:
                return False
        if self.thread.waiting == 0:
            self.thread.finish()
            self._asked = True
        return False

    def progress(self, live: LiveSlice) -> PlanesProgress:
        """Figures of this scan."""
        return PlanesProgress(
            views=self._views,
            waiting=self.thread.waiting,
            skipped=self.thread.skipped + live.not_kept,
            binning=self.thread.binning,
            memory_MB=self.thread.memory_MB,
            redraw_ms=self._redraw_ms,
            volume=self.thread.volume,
            reason=self.thread.reason,
            latency_p50_ms=self._latencies.percentile_ms(50),
            latency_p99_ms=self._latencies.percentile_ms(99),
        )
