"""``voltomo rebuild``: every artefact anew from the logs and the files of frames."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from voltomo.dose.ledger import LedgerProjection
from voltomo.runtime.locks import FileLock, Held
from voltomo.runtime.log_reader import Entry, LogReader
from voltomo.runtime.run_folder import RunFolder, write_json


@dataclass(frozen=True)
class LedgerFile:
    """Folds the exposure log into ``ledger.json``: what every sample has received so far.

    Parameters
    ----------
    folder : RunFolder
        Where exports go.
    """

    folder: RunFolder
    name: str = "ledger"

    def fold(self, log: Iterable[Entry]) -> Path:
        """Write the accounts of all samples by their names, open reservations counted as used."""
        accounts = LedgerProjection().fold(log)
        path = self.folder.exports / "ledger.json"
        write_json(path, {sample: asdict(account) for sample, account in accounts.items()})
        return path


def run_rebuild(run_folder: Path | None) -> None:
    """Fold every projection, one after the other, and say what was made."""
    from voltomo.cli.enclosures import enclosure, live_result
    from voltomo.cli.sample_summary import sample_dose, sample_group
    from voltomo.profiles.align_page import write_align_page
    from voltomo.records.alignments import alignments_in
    from voltomo.records.rebuild import projections
    from voltomo.records.report import Enclosure
    from voltomo.records.scan import Scan

    folder = RunFolder.locate(run_folder)
    if not folder.run_log.exists():
        raise FileNotFoundError(f"{folder.root} has no run log; nothing can be rebuilt from it")
    folder.create()

    def enclose(scan: Scan, nexus: Path | None) -> Enclosure:
        live = live_result(folder, scan.record.uid)
        return enclosure(scan, nexus, live, sample_dose(folder, scan))

    for projection in projections(folder, enclose, sample_group(folder), typer.echo):
        for path in projection.fold(LogReader(folder.run_log).entries()):
            typer.echo(f"{projection.name}: {path}")
    for found in alignments_in(folder.run_log):
        typer.echo(f"alignment: {write_align_page(folder, found)}")
    ledger = LedgerFile(folder)
    typer.echo(f"{ledger.name}: {ledger.fold(LogReader(folder.exposure_log).entries())}")
    _rebuild_catalogue(folder)


def _rebuild_catalogue(folder: RunFolder) -> None:
    """The catalogue anew, where there is one and nobody is at work in it."""
    from voltomo.records.catalogue_settings import EXTRA, installed
    from voltomo.records.catalogue_state import read_state

    if read_state(folder) is None:
        return
    if not installed():
        typer.echo(f"catalogue: left as it is; its libraries are not installed ({EXTRA})")
        return
    from voltomo.cli.catalogue import fill_now

    try:
        with FileLock(folder.catalogue_lock, "voltomo rebuild"):
            fill_now(folder, again=True)
    except Held as held:
        typer.echo(f"catalogue: left as it is; {held}")
