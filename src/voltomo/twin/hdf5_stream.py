"""One HDF5 file of frames while it is written: SWMR, a chunk a frame, compressed not at all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np
from numpy.typing import NDArray

from voltomo.runtime.frame_files import FRAMES, STAMPS, UNIQUE_IDS

_ROOM_BYTES = 8 * 2**20


class Hdf5Stream:
    """A file that readers may follow; every frame that was flushed stays readable.

    Parameters
    ----------
    path : Path
        Must not exist: what was recorded is never overwritten.
    rows, columns : int
        Size of a frame.

    Raises
    ------
    OSError
        The file exists, or cannot be made.
    """

    def __init__(self, path: Path, rows: int, columns: int) -> None:
        self.path = path
        self.captured = 0
        if path.exists():
            raise FileExistsError(
                f"{path} exists already; nothing was overwritten; choose another file name"
            )
        self._frame_bytes = rows * columns * 2
        self._require_room(1)
        self._file = h5py.File(path, "w-", libver="latest")
        self._frames = self._file.create_dataset(
            FRAMES,
            (0, rows, columns),
            np.uint16,
            chunks=(1, rows, columns),
            maxshape=(None, rows, columns),
        )
        self._unique_ids = self._column(UNIQUE_IDS, np.int64)
        self._stamps = self._column(STAMPS, np.float64)
        self._file.swmr_mode = True

    def _column(self, name: str, dtype: type) -> h5py.Dataset:
        return self._file.create_dataset(name, (0,), dtype, chunks=(1024,), maxshape=(None,))

    def _require_room(self, frames: int) -> None:
        """Refuse before the disk is full: a file whose index cannot be flushed is not readable."""
        free = shutil.disk_usage(self.path.parent).free
        wanted = frames * self._frame_bytes + _ROOM_BYTES
        if free < wanted:
            raise OSError(
                f"the disk of {self.path.parent} has {free / 2**20:.0f} MB left, "
                f"{wanted / 2**20:.0f} MB are needed; {self.captured} frames are in "
                f"{self.path.name} and readable; "
                "make room and repeat"
            )

    def append(
        self,
        images: Sequence[NDArray[np.uint16]],
        unique_ids: Sequence[int],
        stamps_s: Sequence[float],
    ) -> None:
        """Write some frames and flush them.

        Raises
        ------
        OSError
            The disk is full or failing; what was flushed before stays readable.
        """
        self._require_room(len(images))
        first, last = self.captured, self.captured + len(images)
        self._frames.resize(last, 0)
        for number, image in enumerate(images, first):
            self._frames.id.write_direct_chunk((number, 0, 0), image)
        self._frames.flush()
        # The columns grow after the frames: their length tells readers how many frames are whole.
        for column, values in ((self._stamps, stamps_s), (self._unique_ids, unique_ids)):
            column.resize(last, 0)
            column[first:last] = values
            column.flush()
        self.captured = last

    def close(self) -> None:
        """Flush and close."""
        self._file.close()

    def __enter__(self) -> Hdf5Stream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
