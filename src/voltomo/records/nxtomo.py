"""NXtomo files: the projection of a scan that any tomography program opens.

Written with h5py, integers as they were recorded, in one step: a reader never sees half a file.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import h5py
import numpy as np

from voltomo.model.names import run_name
from voltomo.model.sentence import SentenceError
from voltomo.records.delivered import read_frames, relative_to, runs_of
from voltomo.records.nxtomo_fields import (
    iso_utc,
    write_control,
    write_entry,
    write_instrument,
    write_links,
    write_sample,
    write_voltomo,
)
from voltomo.records.nxtomo_groups import group
from voltomo.records.nxtomo_rows import NXtomoRows, nxtomo_rows
from voltomo.records.scan import Scan, StoredScans, assemble
from voltomo.records.scan_record import FrameSource, fold_scans
from voltomo.runtime.log_reader import Entry, LogReader
from voltomo.runtime.run_folder import RunFolder

NEXUS_TOMO_VERSION = 1.5
"""Version of the layout that readers of NXtomo look for in the entry's attributes."""


_BYTES_BESIDE_A_FRAME = 200
_BYTES_BESIDE = 1_000_000


class NothingToExport(SentenceError):
    """The run has no frames beyond priming."""


class NoRoom(SentenceError):
    """The disk has no room for a copy of the frames; nothing was written."""


More = Callable[[h5py.Group, Scan], None]
"""Adds to the group ``voltomo`` of a file what the logs of a run alone do not say."""


def nothing_more(_ours: h5py.Group, _scan: Scan) -> None:
    """Only the scan itself."""


def export_nxtomo(scan: Scan, path: Path, *, link: bool = False, more: More = nothing_more) -> Path:
    """Write a scan, whole or partial, as an NXtomo file.

    Parameters
    ----------
    scan : Scan
        See `voltomo.records.scan.read_scan`.
    path : Path
        The file; replaced in one step.
    link : bool
        True refers to the files of frames by a virtual dataset: small and quick, but the files
        must stay where they are, seen from this one. False copies the frames.
    more : callable, optional
        Adds to the group ``voltomo``.

    Raises
    ------
    NothingToExport
        There is no frame to export.
    NoRoom
        The frames do not fit on the disk a second time.
    """
    rows = nxtomo_rows(scan)
    if not rows.handle.size:
        why = "; ".join(scan.problems) or "it ended before the first dark"
        raise NothingToExport(f"scan {run_name(scan.record.uid)} has no frames to export: {why}")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not link:
        _demand_room(path.parent, scan, rows)
    part = path.with_name(path.name + ".part")
    try:
        _write(part, scan, rows, _link_frames if link else _copy_frames, more)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _demand_room(folder: Path, scan: Scan, rows: NXtomoRows) -> None:
    height, width = scan.delivered.shape
    need = rows.handle.size * (height * width * 2 + _BYTES_BESIDE_A_FRAME) + _BYTES_BESIDE
    free = shutil.disk_usage(folder).free
    if need > free:
        raise NoRoom(
            f"scan {run_name(scan.record.uid)}: expected {need / 1e9:.2f} GB of room in {folder} "
            f"for a copy of its frames, saw {free / 1e9:.2f} GB; nothing was written, and the "
            "files of frames are as they were; make room, or say 'voltomo export --link' for a "
            "file that refers to them where they are"
        )


def _write(
    part: Path,
    scan: Scan,
    rows: NXtomoRows,
    put_frames: Callable[[h5py.Group, Scan, NXtomoRows, Path], None],
    more: More,
) -> None:
    with h5py.File(part, "w", libver=("earliest", "v110")) as file:
        file.attrs["NX_class"] = "NXroot"
        file.attrs["default"] = "entry"
        file.attrs["creator"] = "voltomo"
        file.attrs["file_time"] = iso_utc(_end_utc_s(scan))
        entry = group(file, "entry", "NXentry")
        entry.attrs["version"] = NEXUS_TOMO_VERSION
        entry.attrs["NeXus_Coordinate_System"] = "McStas"
        write_entry(entry, scan)
        detector = write_instrument(entry, scan, rows)
        put_frames(detector, scan, rows, part.parent)
        write_sample(entry, scan, rows)
        write_control(entry, scan, rows)
        more(write_voltomo(entry, scan, rows), scan)
        write_links(entry)


def _end_utc_s(scan: Scan) -> float:
    """The run's end, so that the same scan always gives the same file."""
    stop = scan.record.stop
    return float((stop or scan.record.start)["time"])


def _copy_frames(detector: h5py.Group, scan: Scan, rows: NXtomoRows, _folder: Path) -> None:
    height, width = scan.delivered.shape
    data = detector.create_dataset(
        "data", (rows.handle.size, height, width), np.uint16, chunks=(1, height, width)
    )
    data.attrs["interpretation"] = "image"
    for position, frames in read_frames(scan.sources, rows.handle):
        data[position : position + len(frames)] = frames


def _link_frames(detector: h5py.Group, scan: Scan, rows: NXtomoRows, folder: Path) -> None:
    height, width = scan.delivered.shape
    layout = h5py.VirtualLayout((rows.handle.size, height, width), np.uint16)
    sources = scan.sources
    counts = [_count(source) for source in sources]
    for position, number, first, last in runs_of(rows.handle):
        source = h5py.VirtualSource(
            relative_to(sources[number].path, folder),
            sources[number].dataset,
            (counts[number], height, width),
        )
        layout[position : position + last - first] = source[first:last]
    detector.create_virtual_dataset("data", layout).attrs["interpretation"] = "image"


def _count(source: FrameSource) -> int:
    with h5py.File(source.path, "r") as file:
        return int(cast("h5py.Dataset", file[source.dataset]).shape[0])


def _is_linked(path: Path) -> bool:
    """Whether an exported file is there and refers to the files of frames."""
    try:
        with h5py.File(path, "r") as file:
            return bool(cast("h5py.Dataset", file["entry/instrument/detector/data"]).is_virtual)
    except (OSError, KeyError):
        return False


@dataclass(frozen=True)
class NXtomoProjection:
    """Folds the run log into one NXtomo file for each scan that has frames.

    Parameters
    ----------
    folder : RunFolder
        Where frames lie and where exports go.
    more : callable, optional
        Adds to the group ``voltomo`` of each file.
    """

    folder: RunFolder
    more: More = nothing_more
    name: str = "nxtomo"

    def fold(self, log: Iterable[Entry]) -> list[Path]:
        """Write all files, linked where they were; returns them in the order of the scans."""
        exposures = LogReader(self.folder.exposure_log).entries()
        written: list[Path] = []
        for record in fold_scans(log, exposures):
            found = record.with_files_found(self.folder.frames)
            scan = assemble(found, StoredScans(self.folder))
            path = self.path_of(record.uid)
            with contextlib.suppress(NothingToExport):
                written.append(export_nxtomo(scan, path, link=_is_linked(path), more=self.more))
        return written

    def path_of(self, uid: str) -> Path:
        """Where the file of a scan goes."""
        return self.folder.exports / f"{run_name(uid)}.nxs"
