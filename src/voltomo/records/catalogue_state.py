"""How far a catalogue is: written by whoever fills it, read by ``voltomo status``."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from voltomo.records.ended_runs import EndedRuns
from voltomo.runtime.log_reader import LogDamaged
from voltomo.runtime.run_folder import RunFolder, write_json


class CatalogueState(BaseModel):
    """What the filler has done.

    Parameters
    ----------
    runs : tuple of str
        Uids of the runs that are in the catalogue.
    set_aside : dict
        By uid, why a run could not be catalogued; it is tried again by ``voltomo catalogue fill``.
    trouble : str
        Why nothing can be catalogued at present; what waits is tried again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: tuple[str, ...] = ()
    set_aside: dict[str, str] = {}
    trouble: str = ""

    def write(self, folder: RunFolder) -> None:
        """Replace what was written before, in one step."""
        folder.catalogue.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_json(_path(folder), self.model_dump(mode="json"))


def _path(folder: RunFolder) -> Path:
    return folder.catalogue / "state.json"


def read_state(folder: RunFolder) -> CatalogueState | None:
    """What the filler has written; None where none has been at work."""
    try:
        return CatalogueState.model_validate_json(_path(folder).read_text())
    except (OSError, ValidationError, ValueError):
        return None


def lag_sentence(folder: RunFolder) -> str | None:
    """How far the catalogue is behind the log, for people; None where there is no catalogue.

    The log itself is asked which runs have ended: a filler that has died does not hide its lag.
    """
    state = read_state(folder)
    if state is None:
        return None
    try:
        ended = [run.uid for run in EndedRuns(folder.run_log).poll()]
    except LogDamaged:
        return "catalogue: the run log is damaged, and is followed no further"
    known = set(state.runs) | set(state.set_aside)
    waiting = sum(uid not in known for uid in ended)
    words = [f"{len(state.runs)} runs", "up to date" if not waiting else f"{waiting} wait"]
    if state.set_aside:
        words.append(f"{len(state.set_aside)} set aside (voltomo catalogue fill says why)")
    if state.trouble:
        words.append(state.trouble)
    return "catalogue: " + ", ".join(words)
