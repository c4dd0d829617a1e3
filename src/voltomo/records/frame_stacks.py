"""Frames of a scan as one stack of an exported file: copied, or referred to where they are."""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import h5py
import numpy as np
from numpy.typing import NDArray

from voltomo.model.names import run_name
from voltomo.model.sentence import SentenceError
from voltomo.records.delivered import read_frames, relative_to, runs_of
from voltomo.records.scan import Scan
from voltomo.records.scan_record import FrameSource

Ints = NDArray[np.int64]

PutFrames = Callable[[h5py.Group, str, Scan, Ints, Path], h5py.Dataset]
"""Makes a data set of this name, from these handles, in a file of this folder."""

Tell = Callable[[str], object]
"""Takes a sentence for people."""

_BYTES_BESIDE_A_FRAME = 200
_BYTES_BESIDE = 1_000_000


def to_log(words: str) -> None:
    """To the log of the process."""
    logging.getLogger(__name__).warning("%s", words)


class NothingToExport(SentenceError):
    """The run has no frames to export."""


class NoRoom(SentenceError):
    """The disk has no room for a copy of the frames; nothing was written."""


def demand_room(folder: Path, scan: Scan, frames: int) -> None:
    """Refuse a copy of the frames that would not fit on the disk.

    Raises
    ------
    NoRoom
        It would not.
    """
    height, width = scan.delivered.shape
    need = frames * (height * width * 2 + _BYTES_BESIDE_A_FRAME) + _BYTES_BESIDE
    free = shutil.disk_usage(folder).free
    if need > free:
        raise NoRoom(
            f"scan {run_name(scan.record.uid)}: expected {need / 1e9:.2f} GB of room in {folder} "
            f"for a copy of its frames, saw {free / 1e9:.2f} GB; nothing was written, and the "
            "files of frames are as they were; make room, or say 'voltomo export --link' for a "
            "file that refers to them where they are"
        )


@contextlib.contextmanager
def file_in_place(
    path: Path, scan: Scan, frames: int, *, link: bool
) -> Iterator[tuple[Path, PutFrames]]:
    """Write a file beside its place, where it goes in one step once it is whole.

    Yields
    ------
    Path, PutFrames
        What to write, and how its frames get there.

    Raises
    ------
    NoRoom
        A copy of so many frames does not fit on the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not link:
        demand_room(path.parent, scan, frames)
    part = path.with_name(path.name + ".part")
    try:
        yield part, link_frames if link else copy_frames
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def made_or_left(path: Path, make: Callable[[], Path], tell: Tell = to_log) -> list[Path]:
    """Make one file of many; where that cannot be, an older one stays, and the rest goes on.

    Parameters
    ----------
    path : Path
        Of the file.
    make : callable
        Makes it, in one step.
    tell : callable
        Is told which file was not made, and why; not of a run without frames that never had one.

    Returns
    -------
    list of Path
        The file, or nothing.
    """
    try:
        return [make()]
    except (NothingToExport, NoRoom) as error:
        if path.exists():
            tell(f"{path.name} was left as it was: {error}")
        elif isinstance(error, NoRoom):
            tell(f"{path.name} was not made: {error}")
        return []


def copy_frames(
    group: h5py.Group, name: str, scan: Scan, handles: Ints, _folder: Path
) -> h5py.Dataset:
    """Copy frames, integers as they were recorded; shape (n, rows, columns)."""
    height, width = scan.delivered.shape
    data = group.create_dataset(
        name, (handles.size, height, width), np.uint16, chunks=(1, height, width)
    )
    for position, frames in read_frames(scan.sources, handles):
        data[position : position + len(frames)] = frames
    return data


def link_frames(
    group: h5py.Group, name: str, scan: Scan, handles: Ints, folder: Path
) -> h5py.Dataset:
    """Refer to frames where they are, by a virtual data set; shape (n, rows, columns)."""
    height, width = scan.delivered.shape
    layout = h5py.VirtualLayout((handles.size, height, width), np.uint16)
    sources = scan.sources
    counts = [_count(source) for source in sources]
    for position, number, first, last in runs_of(handles):
        source = h5py.VirtualSource(
            relative_to(sources[number].path, folder),
            sources[number].dataset,
            (counts[number], height, width),
        )
        layout[position : position + last - first] = source[first:last]
    return group.create_virtual_dataset(name, layout)


def _count(source: FrameSource) -> int:
    with h5py.File(source.path, "r") as file:
        return int(cast("h5py.Dataset", file[source.dataset]).shape[0])


def is_linked(path: Path, dataset: str) -> bool:
    """Whether an exported file is there and refers to the files of frames."""
    try:
        with h5py.File(path, "r") as file:
            return bool(cast("h5py.Dataset", file[dataset]).is_virtual)
    except (OSError, KeyError):
        return False
