"""``voltomo rebuild``: every artefact anew from the logs and the files of frames."""

from __future__ import annotations

from pathlib import Path

import typer

from voltomo.runtime.append_log import read_log
from voltomo.runtime.run_folder import RunFolder


def run_rebuild(run_folder: Path | None) -> None:
    """Fold every projection, one after the other, and say what was made."""
    from voltomo.cli.enclosures import enclosure, live_result
    from voltomo.records.rebuild import projections
    from voltomo.records.report import Enclosure
    from voltomo.records.scan import Scan

    folder = RunFolder.locate(run_folder)
    if not folder.run_log.exists():
        raise FileNotFoundError(f"{folder.root} has no run log; nothing can be rebuilt from it")
    entries = read_log(folder.run_log)

    def enclose(scan: Scan, nexus: Path | None) -> Enclosure:
        return enclosure(scan, nexus, live_result(folder, scan.record.uid))

    for projection in projections(folder, enclose):
        made = projection.fold(entries)
        paths = made if isinstance(made, list) else [made]
        for path in paths:
            typer.echo(f"{projection.name}: {path}")
