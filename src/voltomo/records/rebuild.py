"""All that can be thrown away and made again from the logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voltomo.model.names import run_name
from voltomo.records.dxchange import DXchangeProjection
from voltomo.records.frame_stacks import Tell, to_log
from voltomo.records.nxtomo import More, NXtomoProjection, nothing_more
from voltomo.records.projection import Projection
from voltomo.records.report import Enclosure, write_report
from voltomo.records.scan import Scan, StoredScans, assemble
from voltomo.records.scan_record import fold_scans
from voltomo.runtime.log_reader import Entry, LogReader
from voltomo.runtime.run_folder import RunFolder

Enclose = Callable[[Scan, Path | None], Enclosure]


def link_only(_: Scan, nxtomo: Path | None) -> Enclosure:
    """Only the exported file."""
    return Enclosure(nxtomo=nxtomo)


@dataclass(frozen=True)
class ReportProjection:
    """Folds the run log into a report for each scan, and one of them all.

    Slices and verdicts of the live path are no projection: they are shown as they were kept.

    Parameters
    ----------
    folder : RunFolder
        Where frames lie and where exports go.
    enclose : callable, optional
        What the report shows of a scan beyond its record, given its exported file if there is
        one; that file alone if not given.
    """

    folder: RunFolder
    enclose: Enclose = link_only
    name: str = "report"

    def fold(self, log: Iterable[Entry]) -> list[Path]:
        """Write ``<run>.report.html`` for each scan and ``report.html``, with links to files."""
        exposures = LogReader(self.folder.exposure_log).entries()
        exported = NXtomoProjection(self.folder)
        enclosures: dict[str, Enclosure] = {}
        scans: list[Scan] = []
        made: list[Path] = []
        for record in fold_scans(log, exposures):
            found = record.with_files_found(self.folder.frames)
            scan = assemble(found, StoredScans(self.folder))
            path = exported.path_of(record.uid)
            enclosures[record.uid] = self.enclose(scan, path if path.exists() else None)
            made.append(write_report(scan, self.path_of(record.uid), enclosures))
            scans.append(scan)
        made.append(write_report(scans, self.folder.exports / "report.html", enclosures))
        return made

    def path_of(self, uid: str) -> Path:
        """Where the report of a scan goes."""
        return self.folder.exports / f"{run_name(uid)}.report.html"


def projections(
    folder: RunFolder,
    enclose: Enclose = link_only,
    more: More = nothing_more,
    tell: Tell = to_log,
) -> tuple[Projection[Any], ...]:
    """Every projection of a run log, in the order in which they build on each other."""
    return (
        NXtomoProjection(folder, more, tell),
        DXchangeProjection(folder, tell),
        ReportProjection(folder, enclose),
    )
