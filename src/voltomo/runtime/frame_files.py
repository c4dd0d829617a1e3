"""Reading the files of frames: while they are written, afterwards, and after their writer's death.

The layout is areaDetector's: frames in `FRAMES`, the camera's numbers in `UNIQUE_IDS`, its stamps
(start of exposure, camera clock) in `STAMPS`.
"""

from __future__ import annotations

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from voltomo.model.frame_layout import FRAMES, STAMPS, UNIQUE_IDS
from voltomo.model.sentence import SentenceError


class FrameFileUnreadable(SentenceError):
    """A file of frames is missing, is no HDF5 file, or lacks a dataset."""


class FrameFile:
    """A file of frames, open for reading.

    Parameters
    ----------
    path : Path
        The file.
    swmr : bool
        Follow a file that is still written (or whose writer died); a closed file can be read
        either way.

    Raises
    ------
    FrameFileUnreadable
        With a sentence that says what is wrong.
    """

    def __init__(self, path: Path, swmr: bool = True) -> None:
        self.path = Path(path)
        try:
            self._file = h5py.File(self.path, "r", swmr=swmr, libver="latest")
        except FileNotFoundError as error:
            raise FrameFileUnreadable(f"there is no file of frames {self.path}") from error
        except (OSError, ValueError) as error:
            raise FrameFileUnreadable(
                f"{self.path} cannot be read as a file of frames ({error}); if its writer was "
                "killed, salvage it to a clean file"
            ) from error
        try:
            self._frames = self._dataset(FRAMES, 3)
            self._unique_ids = self._dataset(UNIQUE_IDS, 1)
            self._stamps = self._dataset(STAMPS, 1)
        except FrameFileUnreadable:
            self._file.close()
            raise

    def _dataset(self, name: str, dimensions: int) -> Any:
        dataset: Any = cast("Any", self._file).get(name)
        if not isinstance(dataset, h5py.Dataset) or dataset.ndim != dimensions:
            raise FrameFileUnreadable(
                f"{self.path} has no {dimensions}-dimensional dataset {name}; it is no file of "
                "frames, or its writer died before the first frame"
            )
        return dataset

    def __len__(self) -> int:
        """Frames that are whole: image, number and stamp."""
        return min(
            int(self._frames.shape[0]),
            int(self._unique_ids.shape[0]),
            int(self._stamps.shape[0]),
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Frames, rows, columns."""
        return len(self), int(self._frames.shape[1]), int(self._frames.shape[2])

    def refresh(self) -> int:
        """Look for new frames; returns how many there are."""
        for dataset in (self._unique_ids, self._stamps, self._frames):
            dataset.refresh()
        return len(self)

    @property
    def unique_id(self) -> NDArray[np.int64]:
        """The camera's numbers, shape (frames,)."""
        return np.asarray(self._unique_ids[: len(self)], dtype=np.int64)

    @property
    def time_s(self) -> NDArray[np.float64]:
        """The camera's stamps: start of exposure on its own clock, shape (frames,)."""
        return np.asarray(self._stamps[: len(self)], dtype=np.float64)

    def frames(self, start: int, stop: int) -> NDArray[np.uint16]:
        """Frames from ``start`` to ``stop`` (exclusive), shape (n, rows, columns).

        Raises
        ------
        IndexError
            The file does not hold them (yet).
        """
        if not 0 <= start <= stop <= len(self):
            raise IndexError(
                f"{self.path.name} holds {len(self)} frames; asked for {start} to {stop}"
            )
        return np.asarray(self._frames[start:stop], dtype=np.uint16)

    def rows(self, start: int, stop: int, row: int) -> NDArray[np.uint16]:
        """One row of frames from ``start`` to ``stop`` (exclusive), shape (n, columns).

        Reads a small part of what `frames` would.

        Raises
        ------
        IndexError
            The file does not hold them (yet).
        """
        count, rows, _ = self.shape
        if not 0 <= start <= stop <= count or not 0 <= row < rows:
            raise IndexError(
                f"{self.path.name} holds {count} frames of {rows} rows; asked for row {row} of "
                f"frames {start} to {stop}"
            )
        return np.asarray(self._frames[start:stop, row, :], dtype=np.uint16)

    def raw_chunk(self, number: int) -> bytes:
        """One frame's bytes as they lie in the file; OSError or ValueError where there is none."""
        place = self._frames.id.get_chunk_info_by_coord((number, 0, 0))
        # HDF5 gives zeros for what lies beyond the end of a file that was cut.
        if place.byte_offset is None or place.byte_offset + place.size > self.path.stat().st_size:
            raise ValueError(f"{self.path} lacks frame {number}")
        _, data = self._frames.id.read_direct_chunk((number, 0, 0))
        return cast("bytes", data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> FrameFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
