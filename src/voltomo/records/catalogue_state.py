"""How far a catalogue is: written by whoever fills it, read by ``voltomo status``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from voltomo.records.ended_runs import EndedRuns
from voltomo.runtime.log_reader import START, LogDamaged, LogPosition, LogReader
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
    waiting : tuple of str
        Uids of the runs that have ended and are not in the catalogue yet.
    followed : LogPosition
        Up to where the run log was read for this; the beginning where it is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runs: tuple[str, ...] = ()
    set_aside: dict[str, str] = {}
    trouble: str = ""
    waiting: tuple[str, ...] = ()
    followed: LogPosition = START

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


def _ended(log: Path, state: CatalogueState) -> list[str]:
    """Runs that were waiting, and those that have ended since."""
    start = state.followed
    if log.exists() and log.stat().st_size >= start.offset > 0:
        # A log that was replaced does not fit, and is read from its beginning.
        with suppress(LogDamaged):
            return [*state.waiting, *_stops(log, start)]
    return [run.uid for run in EndedRuns(log).poll()]


def _stops(log: Path, start: LogPosition) -> Iterator[str]:
    for entry in LogReader(log, start).entries((b'"name":"stop"',)):
        if entry.kind == "document" and entry.data["name"] == "stop":
            yield str(entry.data["doc"]["run_start"])


def lag_sentence(folder: RunFolder) -> str | None:
    """How far the catalogue is behind the log, for people; None where there is no catalogue.

    The log itself is asked which runs have ended: a filler that has died does not hide its lag.
    """
    state = read_state(folder)
    if state is None:
        return None
    try:
        ended = _ended(folder.run_log, state)
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
