"""``voltomo export``: NXtomo file and report of a run, from the logs and the files of frames."""

from __future__ import annotations

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


def export_run(folder: RunFolder, uid: str, *, link: bool = False) -> list[Path]:
    """Write NXtomo and report into the run folder's exports; what cannot be made is said.

    Parameters
    ----------
    folder : RunFolder
        Of the run.
    uid : str
        Of the run.
    link : bool
        Let the NXtomo file refer to the files of frames instead of copying the frames.

    Raises
    ------
    NoRoom
        A copy of the frames does not fit on the disk; the report was written.
    """
    from voltomo.cli.enclosures import enclosure, live_result
    from voltomo.cli.sample_summary import sample_dose, sample_group
    from voltomo.records.nxtomo import NoRoom, NothingToExport, NXtomoProjection, export_nxtomo
    from voltomo.records.rebuild import ReportProjection
    from voltomo.records.report import write_report
    from voltomo.records.scan import read_scan

    scan = read_scan(folder, uid)
    made: list[Path] = []
    nexus: Path | None = NXtomoProjection(folder).path_of(uid)
    full: NoRoom | None = None
    try:
        made.append(export_nxtomo(scan, nexus, link=link, more=sample_group(folder)))
    except NothingToExport as nothing:
        nexus = None
        typer.echo(f"no NXtomo file: {nothing}")
    except NoRoom as error:
        nexus, full = None, error
    live, received = live_result(folder, uid), sample_dose(folder, scan)
    enclosed = {uid: enclosure(scan, nexus, live, received)}
    made.append(write_report(scan, ReportProjection(folder).path_of(uid), enclosed))
    if full is not None:
        raise full
    return made


def run_export(uid: str, run_folder: Path | None, *, link: bool) -> None:
    """Export one run and say where everything lies."""
    folder = RunFolder.locate(run_folder)
    for path in export_run(folder, find_run(folder, uid), link=link):
        typer.echo(f"written: {path}")
