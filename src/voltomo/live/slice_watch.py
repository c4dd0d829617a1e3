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

_Key = tuple[int, int, int]
"""Detector row, generation of the rows, and how many there are: what a measurement is of."""
_NOTHING: _Key = (-1, -1, -1)


@dataclass(frozen=True)
class Measured:
    """Measures of a slice, the views that they rest on, and how long they took to come."""

    measures: tuple[Measure, ...]
    frames: int
    last_trigger: int
    latency_s: float
    row: int = -1
    generation: int = -1


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
        self._seen: _Key = _NOTHING
        self._seen_s = 0.0
        self._asked: _Key = _NOTHING
        self._thread: threading.Thread | None = None
        self._found: Measured | None = None
        self._told: Measured | None = None
        self._nothing_there = False

    @property
    def busy(self) -> bool:
        """Whether a measurement is running, or a slice that has changed waits for one."""
        running = self._thread is not None and self._thread.is_alive()
        waits = self._asked != self._seen and not self._nothing_there
        return running or waits or self._told is not self._found

    def look(self, live: LiveSlice) -> Measured | None:
        """Take note of how far the scan is; the latest measures of the height that is shown.

        Those of a sweep stand until those of the next one come, unless it is taken again.
        """
        key = (live.row, live.slice_rows.generation, len(live.slice_rows))
        now_s = time.monotonic()
        if key != self._seen:
            self._seen, self._seen_s, self._nothing_there = key, now_s, False
        elif key != self._asked and live.between_sweeps:
            self._start(live, key)
        self._told = found = self._found
        if found is None or found.row != live.row:
            return None
        return None if found.generation in live.slice_rows.dropped else found

    def _start(self, live: LiveSlice, key: _Key) -> None:
        if self._thread is not None and self._thread.is_alive():
            return
        views = live.snapshot(self._seen_s)
        # Flats and darks may come later: then the next look has it measured.
        self._nothing_there = views is None
        if views is None:
            return
        self._asked = key
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
        self._found = Measured(
            measures, views.frames, views.last_trigger, latency_s, views.row, views.generation
        )
