"""Measures the slice whenever a sweep is whole, beside the worker's loop and never in it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from voltomo.analysis.measure import Measure
from voltomo.live.live_slice import LiveSlice
from voltomo.live.slice_measures import measure_views
from voltomo.live.slice_rows import SliceViews

log = logging.getLogger(__name__)

_Key = tuple[int, int]


@dataclass(frozen=True)
class Measured:
    """Measures of a slice, the views that they rest on, and how long they took to come."""

    measures: tuple[Measure, ...]
    frames: int
    last_trigger: int
    latency_s: float


class SliceWatch:
    """Looks at a scan now and then, and has its slice measured behind every sweep.

    A sweep is whole once its last trigger was latched and no frame has come since the last look:
    one that was lost is not waited for, and comes in later. One measurement runs at a time, in a
    thread of its own; those that were missed meanwhile are made up for by the next.

    Parameters
    ----------
    measure : callable
        Makes the measures.
    """

    def __init__(self, measure: Callable[[SliceViews], Sequence[Measure]] = measure_views) -> None:
        self._measure = measure
        self._seen: _Key = (-1, -1)
        self._seen_s = 0.0
        self._asked: _Key = (-1, -1)
        self._thread: threading.Thread | None = None
        self._found: Measured | None = None
        self._told: Measured | None = None
        self._found_row = -1

    @property
    def busy(self) -> bool:
        """Whether a measurement is running, or a slice that has changed waits for one."""
        running = self._thread is not None and self._thread.is_alive()
        return running or self._asked != self._seen or self._told is not self._found

    def look(self, live: LiveSlice) -> Measured | None:
        """Take note of how far the scan is; the latest measures of the height that is shown."""
        key = (live.row, len(live.slice_rows))
        now_s = time.monotonic()
        if key != self._seen:
            self._seen, self._seen_s = key, now_s
        elif key != self._asked and live.between_sweeps:
            self._start(live, key)
        self._told = self._found
        return self._told if self._found_row == live.row else None

    def _start(self, live: LiveSlice, key: _Key) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        self._asked = key
        views = live.snapshot(self._seen_s)
        if views is None:
            return
        self._thread = threading.Thread(
            target=self._work, args=(views,), name="slice measures", daemon=True
        )
        self._thread.start()

    def _work(self, views: SliceViews) -> None:
        try:
            measures = tuple(self._measure(views))
        except Exception:
            # A measure must stop no scan; without one, what it says stays unknown.
            log.exception("the slice of %d views could not be measured", views.frames)
            measures = ()
        latency_s = time.monotonic() - views.here_s
        found = Measured(measures, views.frames, views.last_trigger, latency_s)
        self._found_row, self._found = views.row, found
