"""The ring of frames between camera and writer: mapped memory, one writer, one reader.

The memory has no file on a disk, whose slowness would reach the camera: the run folder holds a
link to it, through the camera's process. It lives as long as one side has it, and goes with both.
The counts lie in it: a writer that comes back reads what is still there; a camera that comes back
makes a new ring, to which the writer goes over once the old one is empty. A full ring loses the
new frame and counts it.
"""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"vtring02"
_HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("rows", "<i8"),
        ("columns", "<i8"),
        ("slots", "<i8"),
        ("written", "<i8"),
        ("read", "<i8"),
        ("lost", "<i8"),
        ("complete_until_s", "<f8"),
        ("camera_beat_s", "<f8"),
    ]
)
_STAMP = np.dtype([("unique_id", "<i8"), ("time_s", "<f8"), ("start_s", "<f8")])
_PAGE = 4096


@dataclass(frozen=True)
class RingFrame:
    """A frame in the ring; ``image`` is a view that holds until the frame is released.

    ``time_s`` is the camera's stamp (its clock), ``start_s`` the start of exposure in world time.
    """

    unique_id: int
    time_s: float
    start_s: float
    image: NDArray[np.uint16]


class FrameRing:
    """The mapped file.

    Parameters
    ----------
    path : Path
        Of an existing ring.

    Raises
    ------
    ValueError
        The file is no ring of this version.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._header: Any = np.frombuffer(self._map, _HEADER, 1)
        if self._header["magic"][0] != _MAGIC:
            raise ValueError(f"{path} is no frame ring of this version; start the camera anew")
        rows, columns, slots = (int(self._header[n][0]) for n in ("rows", "columns", "slots"))
        self.shape = (rows, columns)
        self.slots = slots
        self._stamps: Any = np.frombuffer(self._map, _STAMP, slots, _PAGE)
        first = _data_offset(slots)
        pixels = np.frombuffer(self._map, np.uint16, slots * rows * columns, first)
        self._images = pixels.reshape(slots, rows, columns)

    @classmethod
    def create(cls, path: Path, rows: int, columns: int, slots: int) -> FrameRing:
        """Make a new, empty ring, and let ``path`` lead to it.

        Raises
        ------
        OSError
            There is not memory enough for it.
        """
        size = _data_offset(slots) + slots * rows * columns * 2
        descriptor = os.memfd_create("voltomo-frames")
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            os.close(descriptor)
            raise OSError(
                f"a ring of {slots} frames needs {size / 2**20:.0f} MB of memory, which cannot be "
                f"had ({error.strerror}); ask for smaller frames or fewer slots"
            ) from error
        header = np.zeros(1, _HEADER)
        header["magic"], header["slots"] = _MAGIC, slots
        header["rows"], header["columns"] = rows, columns
        os.pwrite(descriptor, header.tobytes(), 0)
        link = path.with_suffix(".part")
        link.unlink(missing_ok=True)
        link.symlink_to(f"/proc/{os.getpid()}/fd/{descriptor}")
        link.replace(path)
        return cls(path)

    def put(
        self, image: NDArray[np.uint16], *, unique_id: int, time_s: float, start_s: float
    ) -> bool:
        """Add a frame (camera only); False if the ring was full, and the frame lost."""
        written = self.written
        if written - self.read >= self.slots:
            self._header["lost"] += 1
            return False
        slot = written % self.slots
        self._images[slot] = image
        self._stamps[slot] = (unique_id, time_s, start_s)
        self._header["written"] = written + 1
        return True

    def peek(self, offset: int = 0) -> RingFrame | None:
        """The frame ``offset`` places after the oldest one, or None (writer only)."""
        number = self.read + offset
        if number >= self.written:
            return None
        slot = number % self.slots
        stamp = self._stamps[slot]
        return RingFrame(
            int(stamp["unique_id"]),
            float(stamp["time_s"]),
            float(stamp["start_s"]),
            self._images[slot],
        )

    def release(self, count: int = 1) -> None:
        """Give the oldest frames' places back (writer only)."""
        self._header["read"] = min(self.read + count, self.written)

    def say_complete_until(self, world_s: float, now_s: float) -> None:
        """Say that no frame whose exposure began before ``world_s`` will come (camera only)."""
        self._header["complete_until_s"] = world_s
        self._header["camera_beat_s"] = now_s

    @property
    def complete_until_s(self) -> float:
        """No frame whose exposure began before this world time will come."""
        return float(self._header["complete_until_s"][0])

    @property
    def camera_beat_s(self) -> float:
        """World time at which the camera last said that it lives."""
        return float(self._header["camera_beat_s"][0])

    @property
    def written(self) -> int:
        """Frames put so far."""
        return int(self._header["written"][0])

    @property
    def read(self) -> int:
        """Frames released so far."""
        return int(self._header["read"][0])

    @property
    def lost(self) -> int:
        """Frames that found the ring full."""
        return int(self._header["lost"][0])

    @property
    def waiting(self) -> int:
        """Frames in the ring."""
        return self.written - self.read


def _data_offset(slots: int) -> int:
    return _PAGE + -(-slots * _STAMP.itemsize // _PAGE) * _PAGE
