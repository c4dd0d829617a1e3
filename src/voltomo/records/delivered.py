"""The frames of a run as its files hold them: one handle a frame across all files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from voltomo.model.frame_layout import file_of, frame_handles, place_of
from voltomo.model.frame_table import Frames
from voltomo.records.scan_record import FrameSource, ScanRecord
from voltomo.runtime.frame_files import FrameFile, FrameFileUnreadable
from voltomo.runtime.salvage import salvage

Ints = NDArray[np.int64]

RUN_OF_FRAMES = 32
"""Frames that are read at a time."""


@dataclass(frozen=True)
class Delivered:
    """All frames of a run, and the files that they lie in.

    Attributes
    ----------
    frames : Frames
        Stamps and numbers; ``source`` is the handle, see `file_of` and `place_of`.
    sources : tuple of FrameSource
        Files by their number, each one readable.
    shape : tuple of int
        Rows and columns; (0, 0) without frames.
    unreadable : tuple of str
        What could not be read, as sentences.
    """

    frames: Frames
    sources: tuple[FrameSource, ...]
    shape: tuple[int, int]
    unreadable: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows of a frame."""
        return self.shape[0]


def readable(path: Path) -> Path:
    """The file itself, or a clean copy beside it where its writer was killed.

    A file that is open for writing, or was when its writer died, cannot be opened by other
    programs; the copy ``<name>.salvaged.h5`` can. It is made again when the file has grown.

    Raises
    ------
    FrameFileUnreadable
        Nothing can be had from the file.
    """
    try:
        with h5py.File(path, "r"):
            return path
    except FileNotFoundError as error:
        raise FrameFileUnreadable(f"there is no file of frames {path}") from error
    except OSError:
        clean = path.with_suffix(".salvaged.h5")
        if not clean.exists() or clean.stat().st_mtime <= path.stat().st_mtime:
            salvage(path, clean)
        return clean


def deliver(record: ScanRecord) -> Delivered:
    """Read numbers and stamps of all frames of a run.

    A file that is missing or holds nothing is named in ``unreadable``, and the rest goes on.
    """
    sources: list[FrameSource] = []
    stamps: list[NDArray[np.float64]] = []
    numbers: list[Ints] = []
    handles: list[Ints] = []
    blocks: list[Ints] = []
    numbers_of = {block.name: at for at, block in enumerate(record.blocks)}
    unreadable: list[str] = []
    shape = (0, 0)
    for source in record.sources:
        try:
            path = readable(source.path)
            with FrameFile(path, swmr=False) as file:
                count, rows, columns = file.shape
                stamp, number = file.time_s, file.unique_id
        except (FrameFileUnreadable, OSError) as error:
            unreadable.append(str(error))
            continue
        if count and shape not in ((0, 0), (rows, columns)):
            unreadable.append(
                f"{path.name} holds frames of {rows} × {columns} pixels, the files before it "
                f"{shape[0]} × {shape[1]}; it was left out"
            )
            continue
        shape = (rows, columns) if count else shape
        stamps.append(stamp)
        numbers.append(number)
        handles.append(frame_handles(len(sources), count))
        blocks.append(np.full(count, numbers_of.get(source.block, -1), dtype=np.int64))
        sources.append(FrameSource(source.block, path, source.dataset))
    nothing = np.empty(0, np.int64)
    frames = Frames(
        np.concatenate([np.empty(0), *stamps]),
        np.concatenate([nothing, *numbers]),
        np.concatenate([nothing, *handles]),
        np.concatenate([nothing, *blocks]),
    )
    return Delivered(frames, tuple(sources), shape, tuple(unreadable))


def runs_of(handles: Ints) -> Iterator[tuple[int, int, int, int]]:
    """Neighbours in the same file, together.

    Yields
    ------
    position, file, first, last : int
        Position of the run in ``handles``; number of its file; places first … last (exclusive).
    """
    if not handles.size:
        return
    cuts = np.flatnonzero(np.diff(handles) != 1) + 1
    for start, stop in zip(
        np.concatenate([[0], cuts]), np.concatenate([cuts, [handles.size]]), strict=True
    ):
        first = int(place_of(handles[start : start + 1])[0])
        file = int(file_of(handles[start : start + 1])[0])
        yield int(start), file, first, first + int(stop - start)


def read_frames(
    sources: Sequence[FrameSource], handles: Ints
) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """Frames of these handles, in their order, a few at a time.

    Yields
    ------
    position : int
        Position in ``handles`` of the first frame.
    frames : array, shape (n, rows, columns), uint16
        At most `RUN_OF_FRAMES` frames.
    """
    with ExitStack() as open_files:
        files: dict[int, FrameFile] = {}
        for position, number, first, last in runs_of(handles):
            if number not in files:
                files[number] = open_files.enter_context(
                    FrameFile(sources[number].path, swmr=False)
                )
            for start in range(first, last, RUN_OF_FRAMES):
                stop = min(start + RUN_OF_FRAMES, last)
                yield position + start - first, files[number].frames(start, stop)


def relative_to(path: Path, folder: Path) -> str:
    """A path as seen from a folder, so that both can be moved together."""
    return os.path.relpath(path.resolve(), folder.resolve())
