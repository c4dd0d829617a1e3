"""All that can be thrown away and made again from the logs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voltomo.records.nxtomo import NXtomoProjection
from voltomo.records.projection import Projection
from voltomo.records.report import Enclosure, write_report
from voltomo.records.scan import Scan, assemble
from voltomo.records.scan_record import fold_scan, scan_uids
from voltomo.runtime.append_log import Entry, read_log
from voltomo.runtime.run_folder import RunFolder

Enclose = Callable[[Scan, Path | None], Enclosure]


def link_only(_: Scan, nxtomo: Path | None) -> Enclosure:
    """Only the exported file."""
    return Enclosure(nxtomo=nxtomo)


@dataclass(frozen=True)
class ReportProjection:
    """Folds the run log into one report of all its scans.

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

    def fold(self, log: Iterable[Entry]) -> Path:
        """Write ``report.html`` beside the exported files, and link to those that are there."""
        entries = list(log)
        exposures = read_log(self.folder.exposure_log)
        exported = NXtomoProjection(self.folder)
        enclosures: dict[str, Enclosure] = {}
        scans = []
        for uid in scan_uids(entries):
            record = fold_scan(uid, entries, exposures).with_files_found(self.folder.frames)
            scans.append(assemble(record))
            path = exported.path_of(uid)
            enclosures[uid] = self.enclose(scans[-1], path if path.exists() else None)
        return write_report(scans, self.folder.exports / "report.html", enclosures)


def projections(folder: RunFolder, enclose: Enclose = link_only) -> tuple[Projection[Any], ...]:
    """Every projection of a run folder, in the order in which they build on each other."""
    return NXtomoProjection(folder), ReportProjection(folder, enclose)
