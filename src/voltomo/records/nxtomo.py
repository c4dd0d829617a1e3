"""NXtomo files: the projection of a scan that any tomography program opens.

Written with h5py, integers as they were recorded, in one step: a reader never sees half a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py

from voltomo.model.names import run_name
from voltomo.records.frame_stacks import (
    NothingToExport,
    PutFrames,
    Tell,
    file_in_place,
    is_linked,
    made_or_left,
    to_log,
)
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
from voltomo.records.scan_record import fold_scans
from voltomo.runtime.log_reader import Entry, LogReader
from voltomo.runtime.run_folder import RunFolder

_DATA = "entry/instrument/detector/data"

NEXUS_TOMO_VERSION = 1.5
"""Version of the layout that readers of NXtomo look for in the entry's attributes."""


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
    with file_in_place(path, scan, rows.handle.size, link=link) as (part, put):
        _write(part, scan, rows, put, more)
    return path


def _write(part: Path, scan: Scan, rows: NXtomoRows, put: PutFrames, more: More) -> None:
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
        data = put(detector, "data", scan, rows.handle, part.parent)
        data.attrs["interpretation"] = "image"
        write_sample(entry, scan, rows)
        write_control(entry, scan, rows)
        more(write_voltomo(entry, scan, rows), scan)
        write_links(entry)


def _end_utc_s(scan: Scan) -> float:
    """The run's end, so that the same scan always gives the same file."""
    stop = scan.record.stop
    return float((stop or scan.record.start)["time"])


@dataclass(frozen=True)
class NXtomoProjection:
    """Folds the run log into one NXtomo file for each scan that has frames.

    Parameters
    ----------
    folder : RunFolder
        Where frames lie and where exports go.
    more : callable, optional
        Adds to the group ``voltomo`` of each file.
    tell : callable, optional
        Is told which files were left as they were, and why.
    """

    folder: RunFolder
    more: More = nothing_more
    tell: Tell = to_log
    name: str = "nxtomo"

    def fold(self, log: Iterable[Entry]) -> list[Path]:
        """Write all files, linked where they were; returns them in the order of the scans."""
        exposures = LogReader(self.folder.exposure_log).entries()
        written: list[Path] = []
        for record in fold_scans(log, exposures):
            found = record.with_files_found(self.folder.frames)
            scan = assemble(found, StoredScans(self.folder))
            path = self.path_of(record.uid)
            link = is_linked(path, _DATA)
            make = partial(export_nxtomo, scan, path, link=link, more=self.more)
            written += made_or_left(path, make, self.tell)
        return written

    def path_of(self, uid: str) -> Path:
        """Where the file of a scan goes."""
        return self.folder.exports / f"{run_name(uid)}.nxs"
