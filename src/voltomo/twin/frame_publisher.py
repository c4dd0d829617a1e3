"""Frames as NTNDArray over PV Access, from a queue and a thread of its own."""

from __future__ import annotations

import logging
import queue
import threading
from dataclasses import dataclass
from typing import Any

from p4p.nt import NTNDArray
from p4p.server import Server
from p4p.server.thread import SharedPV

from voltomo.twin.camera_engine import ID_SPAN, CameraFrame

_log = logging.getLogger(__name__)

QUEUE_SIZE = 128


@dataclass
class PublisherCounts:
    """Frames posted, and frames that found the queue full."""

    posted: int = 0
    dropped: int = 0


class FramePublisher:
    """Serves one channel; `publish` never blocks.

    Parameters
    ----------
    channel : str
        Name of the PV.
    first : CameraFrame
        What the channel shows until the first frame.
    """

    def __init__(self, channel: str, first: CameraFrame) -> None:
        self._nt: Any = NTNDArray()
        self._queue: queue.Queue[CameraFrame | None] = queue.Queue(QUEUE_SIZE)
        self.counts = PublisherCounts()
        self.enabled = True
        self._pv: Any = SharedPV(initial=self._wrapped(first))
        self._server: Any = Server(providers=[{channel: self._pv}])
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; one that an error has ended does nothing more."""
        return self._thread.is_alive()

    @property
    def waiting(self) -> int:
        """Frames in the queue."""
        return self._queue.qsize()

    def publish(self, frame: CameraFrame) -> None:
        """Post a frame soon; drop and count it if the queue is full."""
        if not self.enabled:
            return
        try:
            self._queue.put_nowait(frame)
        except queue.Full:
            self.counts.dropped += 1

    def end(self) -> None:
        """Stop serving."""
        try:
            self._queue.put_nowait(None)
        except queue.Full:
            _log.info("frames were still waiting to be shown")
        self._thread.join(timeout=0.5)
        self._server.stop()

    def _wrapped(self, frame: CameraFrame) -> Any:
        value = self._nt.wrap(frame.image, timestamp=frame.time_s)
        # The field is a signed 32 bit number: large ones come out negative.
        value["uniqueId"] = (frame.unique_id + ID_SPAN // 2) % ID_SPAN - ID_SPAN // 2
        seconds = int(frame.time_s // 1)
        value["dataTimeStamp.secondsPastEpoch"] = seconds
        value["dataTimeStamp.nanoseconds"] = int((frame.time_s - seconds) * 1e9)
        return value

    def _run(self) -> None:
        while True:
            frame = self._queue.get()
            if frame is None:
                return
            self._pv.post(self._wrapped(frame))
            self.counts.posted += 1
