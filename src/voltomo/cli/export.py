"""``voltomo export``: a file and the report of a run, from the logs and the files of frames."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import typer

from voltomo.cli.errors import Refused
from voltomo.model.names import run_name
from voltomo.runtime.run_folder import RunFolder


def find_run(folder: RunFolder, uid: str) -> str:
    """Whole uid of a run given by its first letters, or the last run's.

    Raises
    ------
    Refused
        No such run, or more than one.
    """
    from voltomo.records.run_entries import matching_scans, scans_in

    found = matching_scans(folder.run_log, uid)
    if len(found) != 1:
        uids = list(scans_in(folder.run_log))
        known = ", ".join(run_name(run) for run in uids[-10:]) or "none"
        raise Refused(f"{uid!r} names {len(found)} runs in {folder.root}; the latest are: {known}")
    return found[0]


class FileFormat(StrEnum):
    """Layouts of exported files."""

    NXTOMO = "nxtomo"
    DXCHANGE = "dxchange"

    @property
    def words(self) -> str:
        """What people call it."""
        return "NXtomo" if self is FileFormat.NXTOMO else "DataExchange"


def export_run(
    folder: RunFolder, uid: str, *, link: bool = False, layout: FileFormat = FileFormat.NXTOMO
) -> list[Path]:
    """Write a file and the report of a scan into the exports; what cannot be made is said.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    uid : str
        Of the run.
    link : bool
        Let the file refer to the files of frames instead of copying the frames.
    layout : FileFormat
        Of the file; a report shows the NXtomo file, where there is one.

    Raises
    ------
    NoRoom
        A copy of the frames does not fit on the disk; the report was written.
    """
    from voltomo.cli.enclosures import enclosure, live_result
    from voltomo.cli.sample_summary import sample_dose, sample_group
    from voltomo.records.dxchange import DXchangeProjection, export_dxchange
    from voltomo.records.frame_stacks import NoRoom, NothingToExport
    from voltomo.records.nxtomo import NXtomoProjection, export_nxtomo
    from voltomo.records.rebuild import ReportProjection
    from voltomo.records.report import write_report
    from voltomo.records.scan import read_scan

    scan = read_scan(folder, uid)
    made: list[Path] = []
    nexus = NXtomoProjection(folder).path_of(uid)
    shown: Path | None = None
    full: NoRoom | None = None
    try:
        if layout is FileFormat.DXCHANGE:
            shown = nexus if nexus.exists() else None
            made.append(export_dxchange(scan, DXchangeProjection(folder).path_of(uid), link=link))
        else:
            shown = export_nxtomo(scan, nexus, link=link, more=sample_group(folder))
            made.append(shown)
    except NothingToExport as nothing:
        typer.echo(f"no {layout.words} file: {nothing}")
    except NoRoom as error:
        full = error
    live, received = live_result(folder, uid), sample_dose(folder, scan)
    enclosed = {uid: enclosure(scan, shown, live, received)}
    made.append(write_report(scan, ReportProjection(folder).path_of(uid), enclosed))
    if full is not None:
        raise full
    return made


def run_export(uid: str, run_folder: Path | None, *, link: bool, layout: str) -> None:
    """Export one run and say where everything lies.

    Raises
    ------
    Refused
        No layout of that name.
    """
    if layout not in list(FileFormat):
        raise Refused(
            f"expected the format {' or '.join(FileFormat)}, saw {layout!r}; nothing was written"
        )
    folder = RunFolder.locate(run_folder)
    found = find_run(folder, uid)
    for path in export_run(folder, found, link=link, layout=FileFormat(layout)):
        typer.echo(f"written: {path}")
