"""Labels of the slice that is shown, by a thread that frames never wait for."""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voltomo.analysis.disc import disc
from voltomo.analysis.segment import CLASSES, Segmentation, Segmenter
from voltomo.live.slice_state import SliceState

_NICE = 10
_REST = 3.0
"""The thread rests so many times as long as a slice took it: a quarter of a core at most."""
_FEWEST_VIEWS = 32

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelledSlice:
    """A slice, its labels, and how long they took.

    Attributes
    ----------
    scan_uid : str
    state : SliceState
        The slice that was labelled.
    segmentation : Segmentation or None
        None where there is none: then `reason` says why.
    reason : str
        Why not, or why the labels are not validated; empty where they are.
    seconds : float
        From the slice to its labels.
    """

    scan_uid: str
    state: SliceState
    segmentation: Segmentation | None
    reason: str
    seconds: float

    def summary(self) -> dict[str, Any]:
        """What ``Live:Segments`` says: plain values for JSON."""
        made = self.segmentation
        return {
            "scan_uid": self.scan_uid,
            "last_trigger": self.state.last_trigger,
            "frames": self.state.frames,
            "row": self.state.row,
            "validated": made is not None and made.validated,
            "reason": self.reason,
            "confidence": None if made is None else round(made.mean_confidence, 4),
            "fractions": {}
            if made is None
            else {name: round(made.fractions[name], 5) for name in CLASSES},
            "seconds": round(self.seconds, 3),
        }


class Labeller:
    """Labels the newest slice it was offered; those between are passed over.

    Parameters
    ----------
    on_labels : callable
        Gets every labelled slice, in the labeller's own thread.
    period_s : float
        Slices are labelled no faster than this.
    radius_fraction : float
        Radius of the disc that is labelled, over half the slice.
    segmenter : Segmenter, optional
        The shipped one if not given.
    on_begin : callable, optional
        Called when another scan begins: labels of the one before no longer hold.
    """

    def __init__(
        self,
        on_labels: Callable[[LabelledSlice], None],
        period_s: float = 1.5,
        radius_fraction: float = 0.9,
        segmenter: Segmenter | None = None,
        on_begin: Callable[[], None] | None = None,
    ) -> None:
        self._on_labels = on_labels
        self._period_s = period_s
        self._radius = radius_fraction
        self._segmenter = segmenter
        self._newest: tuple[str, SliceState] | None = None
        self._scan_uid = ""
        self._on_begin = on_begin
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="labels", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def begin(self, scan_uid: str) -> None:
        """Slices of this scan alone are labelled from now on; repeats are welcome."""
        with self._lock:
            if scan_uid == self._scan_uid:
                return
            self._scan_uid = scan_uid
            if self._on_begin is not None:
                self._on_begin()

    def offer(self, scan_uid: str, state: SliceState) -> None:
        """Take a slice; returns at once. A slice of few views is noise, and left out."""
        if state.frames >= _FEWEST_VIEWS:
            self._newest = (scan_uid, state)
            self._wake.set()

    def stop(self) -> None:
        """End after the slice that is being labelled."""
        self._stopping.set()
        self._wake.set()

    def _run(self) -> None:
        # Linux knows a niceness for each thread: frames come first.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._stopping.is_set():
                return
            newest = self._newest
            if newest is None:
                continue
            began_s = time.monotonic()
            try:
                self._publish(self.label(*newest))
            except Exception:
                # One slice goes without labels; the next may have some.
                log.exception("a slice was not labelled")
            took_s = time.monotonic() - began_s
            if self._stopping.wait(max(self._period_s - took_s, _REST * took_s)):
                return

    def _publish(self, made: LabelledSlice) -> None:
        with self._lock:
            if self._scan_uid in ("", made.scan_uid):
                self._on_labels(made)

    def label(self, scan_uid: str, state: SliceState) -> LabelledSlice:
        """Label one slice; what cannot be labelled has a reason."""
        began_s = time.monotonic()
        try:
            if self._segmenter is None:
                self._segmenter = Segmenter.shipped()
            mask = disc(state.image.shape[0], self._radius)
            made = self._segmenter.segment(state.image, state.pixel_um, mask)
        except ValueError as error:
            log.info("a slice was not labelled: %s", error)
            return LabelledSlice(scan_uid, state, None, str(error), time.monotonic() - began_s)
        reason = " ".join(made.not_validated)
        return LabelledSlice(scan_uid, state, made, reason, time.monotonic() - began_s)


class LabelRecords:
    """What the labels say, on Channel Access; made while the worker makes its other records."""

    def __init__(self) -> None:
        from softioc import builder

        self._summary = builder.longStringIn("Segments", length=4096, initial_value="{}")
        self._validated = builder.boolIn("Validated", "No", "Yes")
        self._confidence = builder.aIn("Confidence", initial_value=math.nan, PREC=3)
        self._fractions = {
            name: builder.aIn(f"Fraction{name.capitalize()}", initial_value=math.nan, PREC=4)
            for name in CLASSES
        }

    def clear(self) -> None:
        """Say nothing: another scan begins."""
        self._validated.set(False)
        self._confidence.set(math.nan)
        for record in self._fractions.values():
            record.set(math.nan)
        self._summary.set("{}")

    def show(self, labelled: LabelledSlice) -> None:
        """Write all of them; the summary last, which holds them all at once."""
        made, summary = labelled.segmentation, labelled.summary()
        self._validated.set(summary["validated"])
        self._confidence.set(math.nan if made is None else made.mean_confidence)
        for name, record in self._fractions.items():
            record.set(math.nan if made is None else made.fractions[name])
        self._summary.set(json.dumps(summary))


class LabelImage:
    """The labels as an NTNDArray, for a server of the worker."""

    def __init__(self) -> None:
        import numpy as np
        from p4p.nt import NTNDArray
        from p4p.server.thread import SharedPV

        self._type = NTNDArray()
        self.pv = SharedPV()
        self.pv.open(self._type.wrap(np.zeros((2, 2), np.uint8)))

    def post(self, labelled: LabelledSlice) -> None:
        """Publish labels; ``uniqueId`` is the highest trigger index of the slice."""
        made, state = labelled.segmentation, labelled.state
        if made is None:
            return
        value = self._type.wrap(made.labels, timestamp=time.time())
        value["uniqueId"] = state.last_trigger
        value["attribute"] = [
            {"name": name, "value": content}
            for name, content in (
                ("scan_uid", labelled.scan_uid),
                ("frames", state.frames),
                ("row", state.row),
                ("classes", " ".join(CLASSES)),
                ("validated", made.validated),
                ("confidence", made.mean_confidence),
            )
        ]
        self.pv.post(value)
