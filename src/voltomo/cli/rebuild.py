"""``voltomo rebuild``: every artefact anew from the logs and the files of frames."""

from __future__ import annotations

from pathlib import Path

import typer

from voltomo.runtime.append_log import read_log
from voltomo.runtime.run_folder import RunFolder


def run_rebuild(run_folder: Path | None) -> None:
    """Fold every projection, one after the other, and say what was made."""
    from voltomo.records.rebuild import projections

    folder = RunFolder.locate(run_folder)
    if not folder.run_log.exists():
        raise FileNotFoundError(f"{folder.root} has no run log; nothing can be rebuilt from it")
    entries = read_log(folder.run_log)
    for projection in projections(folder):
        made = projection.fold(entries)
        paths = made if isinstance(made, list) else [made]
        for path in paths:
            typer.echo(f"{projection.name}: {path}")
