"""The writer's thread: takes frames out of the ring and puts them into the file of a capture."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from voltomo.twin.frame_ring import FrameRing, RingFrame
from voltomo.twin.hdf5_stream import Hdf5Stream
from voltomo.twin.world import World
from voltomo.twin.write_back import WriteBack

_log = logging.getLogger(__name__)

_FLUSH_S = 0.04
_IDLE_S = 0.02
_SHORTEST_S = 0.005
_BATCH_BYTES = 64 * 2**20
_SILENT_CAMERA_S = 0.5


@dataclass(frozen=True)
class WriterState:
    """What the writer shows."""

    capturing: bool = False
    captured: int = 0
    path: str = ""
    error: str = ""
    seen: int = 0
    waiting: int = 0
    slots: int = 0
    lost: int = 0
    shape: tuple[int, int] = (0, 0)
    unique_id: int = 0
    time_s: float = 0.0


class WriterEngine:
    """Frames from the ring to the file.

    Parameters
    ----------
    world : World
        For its time.
    ring_path : Path
        The camera makes the ring; it may not exist yet.
    """

    def __init__(self, world: World, ring_path: Path) -> None:
        self._world = world
        self._ring_path = ring_path
        self._ring: FrameRing | None = None
        self._ring_inode = -1
        self._lost_before = 0
        self._stream: Hdf5Stream | None = None
        self._wanted = 0
        self._start_s = 0.0
        self._stop_s: float | None = None
        self._flushed_s = 0.0
        self._guard = threading.Lock()
        self._ending = threading.Event()
        self._write_back = WriteBack()
        self.enabled = True
        self.state = WriterState()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Begin to take frames."""
        self._write_back.start()
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; one that an error has ended does nothing more."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Close the file and stop the thread."""
        self._ending.set()
        self._thread.join(timeout=1.5)
        self._write_back.end()

    def open(self, path: Path, number: int) -> None:
        """Begin a capture of frames whose exposure begins from now on.

        Parameters
        ----------
        path : Path
            The new file.
        number : int
            Frames after which it is closed; 0 for no end.

        Raises
        ------
        OSError
            The file exists or cannot be made.
        RuntimeError
            A capture runs, or no camera has made a ring.
        """
        with self._guard:
            if self._stream is not None:
                raise RuntimeError(
                    f"{self._stream.path.name} is still being captured; end it first"
                )
            self._join_ring()
            if self._ring is None:
                raise RuntimeError("the camera has not started; there is no frame ring to read")
            self._start_s = self._world.now_s()
            self._stop_s = None
            self._wanted = number
            self._stream = Hdf5Stream(path, *self._ring.shape)
            self._write_back.follow(path)
            self.state = replace(self.state, capturing=True, captured=0, path=str(path), error="")

    def close(self) -> None:
        """End the capture once all frames that were exposed before now are in the file."""
        if self._stop_s is None:
            self._stop_s = self._world.now_s()

    def _join_ring(self) -> None:
        """Go over to the ring of the camera that runs now, once the one before is empty."""
        old = self._ring
        if not self._ring_path.exists() or (old is not None and old.waiting):
            return
        inode = self._ring_path.stat().st_ino
        if inode == self._ring_inode:
            return
        try:
            new = FrameRing(self._ring_path)
        except (OSError, ValueError) as error:
            _log.warning("%s", error)
            return
        if self._stream is None or old is None or new.shape == old.shape:
            self._lost_before += 0 if old is None else old.lost
            self._ring, self._ring_inode = new, inode

    def _run(self) -> None:
        looked_s = 0.0
        while not self._ending.is_set():
            with self._guard:
                if time.monotonic() - looked_s > 0.25:
                    self._join_ring()
                    looked_s = time.monotonic()
                busy = self._ring is not None and self._step(self._ring)
            if not busy:
                flush_s = self._flushed_s + _FLUSH_S - time.monotonic()
                time.sleep(max(flush_s, _SHORTEST_S) if self.state.capturing else _IDLE_S)
        with self._guard:
            self._finish("")

    def _step(self, ring: FrameRing) -> bool:
        """Move some frames; whether more are waiting."""
        if self._stream is None or not self.enabled:
            self._discard(ring)
            if self._stop_s is not None:
                self._finish("")
        elif time.monotonic() - self._flushed_s >= _FLUSH_S or ring.waiting > 16:
            self._write(ring, self._stream)
            self._flushed_s = time.monotonic()
        self.state = replace(
            self.state,
            waiting=ring.waiting,
            slots=ring.slots,
            lost=self._lost_before + ring.lost,
            shape=ring.shape,
        )
        return self._stream is not None and ring.waiting > 16

    def _discard(self, ring: FrameRing) -> None:
        waiting = ring.waiting
        if waiting:
            self._saw(ring.peek(waiting - 1), waiting)
            ring.release(waiting)

    def _saw(self, frame: RingFrame | None, count: int) -> None:
        if frame is not None:
            self.state = replace(
                self.state,
                seen=self.state.seen + count,
                unique_id=frame.unique_id,
                time_s=frame.time_s,
            )

    def _write(self, ring: FrameRing, stream: Hdf5Stream) -> None:
        complete = self._complete(ring)
        batch, passed, at_end = self._batch(ring, stream)
        try:
            if batch:
                stream.append(
                    [frame.image for frame in batch],
                    [frame.unique_id for frame in batch],
                    [frame.time_s for frame in batch],
                )
        except (OSError, RuntimeError, ValueError) as error:
            # h5py has all three for a file that cannot be written to.
            self._finish(str(error))
            return
        if passed:
            self._saw(ring.peek(passed - 1), passed)
            ring.release(passed)
        self.state = replace(self.state, captured=stream.captured)
        full = self._wanted > 0 and stream.captured >= self._wanted
        if full or (complete and at_end):
            self._finish("")

    def _batch(self, ring: FrameRing, stream: Hdf5Stream) -> tuple[list[RingFrame], int, bool]:
        """Frames to write now, how many to pass over in the ring, and whether none is left."""
        limit = max(1, _BATCH_BYTES // (ring.shape[0] * ring.shape[1] * 2))
        batch: list[RingFrame] = []
        passed = 0
        while len(batch) < limit:
            if self._wanted and stream.captured + len(batch) >= self._wanted:
                break
            frame = ring.peek(passed)
            if frame is None or (self._stop_s is not None and frame.start_s > self._stop_s):
                return batch, passed, True
            if frame.start_s >= self._start_s:
                batch.append(frame)
            passed += 1
        return batch, passed, False

    def _complete(self, ring: FrameRing) -> bool:
        """Whether all frames that belong to the capture are in the ring (asked before reading)."""
        if self._stop_s is None:
            return False
        silent = self._world.now_s() - ring.camera_beat_s > _SILENT_CAMERA_S
        return silent or ring.complete_until_s >= self._stop_s

    def _finish(self, error: str) -> None:
        if self._stream is None:
            self._stop_s = None
            return
        stream, self._stream, self._stop_s = self._stream, None, None
        self._write_back.leave()
        try:
            stream.close()
        except (OSError, RuntimeError, ValueError) as trouble:
            error = error or f"{stream.path} could not be closed: {trouble}"
        if error:
            _log.error("%s", error)
        self.state = replace(self.state, capturing=False, captured=stream.captured, error=error)
