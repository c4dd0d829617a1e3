"""Where a run's exposure log lies: with the beamline, so that every run knows earlier doses."""

from __future__ import annotations

from pathlib import Path

from voltomo.model.sentence import SentenceError
from voltomo.runtime.run_folder import RunFolder

__all__ = ["LedgerRefused", "place_exposure_log"]


class LedgerRefused(SentenceError):
    """Doses that are known would be forgotten."""


def place_exposure_log(folder: RunFolder, ledger: Path | None) -> None:
    """Let a run folder's exposure log be that of a ledger, by a link.

    Parameters
    ----------
    folder : RunFolder
        Of the run; its supervisor's lock is held.
    ledger : Path or None
        Folder of the exposure log; None leaves it in the run folder.

    Raises
    ------
    LedgerRefused
        The run folder has an exposure log elsewhere; nothing was moved.
    """
    link = folder.root / "exposure.log"
    wanted = link if ledger is None else ledger / "exposure.log"
    if link.is_symlink():
        if link.readlink() != wanted:
            raise LedgerRefused(
                f"the doses of {folder.root} are kept in {link.readlink()}, and the beamline file "
                f"would have them in {wanted}; nothing was started; set 'ledger' back, or take "
                "another run folder"
            )
        return
    if ledger is None:
        return
    ledger.mkdir(parents=True, exist_ok=True)
    if link.exists() and link.stat().st_size > 0:
        raise LedgerRefused(
            f"{folder.root} has an exposure log of its own, and what it knows of the samples would "
            f"be forgotten in favour of {wanted}; nothing was started; move it to that place if "
            "there is none yet, or take another run folder"
        )
    link.unlink(missing_ok=True)
    link.symlink_to(wanted)
