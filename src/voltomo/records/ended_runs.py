"""Runs of a log that have ended, as they end, and the documents of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voltomo.runtime.log_reader import START, LogPosition, LogReader

_STARTS_AND_STOPS = (b'"name":"start"', b'"name":"stop"')

Documents = list[tuple[str, dict[str, Any]]]
"""Documents with their names, in the order in which they were logged."""


@dataclass(frozen=True)
class EndedRun:
    """A run that has its stop document: its uid, that of the stop, and where the run begins."""

    uid: str
    stop_uid: str
    begins: LogPosition


class EndedRuns:
    """Follows a run log; every other line is checked, not decoded.

    Parameters
    ----------
    path : Path
        The log; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._reader = LogReader(path, START)
        self._begun: dict[str, LogPosition] = {}

    @property
    def position(self) -> LogPosition:
        """Behind the last line that was read."""
        return self._reader.position

    def poll(self) -> list[EndedRun]:
        """Runs whose stop was logged since the last call, in that order.

        Raises
        ------
        LogDamaged
            A whole line does not fit its checksum.
        """
        ended: list[EndedRun] = []
        for entry in self._reader.entries(_STARTS_AND_STOPS):
            if entry.kind != "document":
                continue
            name, doc = entry.data["name"], entry.data["doc"]
            if name == "start":
                self._begun[str(doc["uid"])] = self._reader.before
            elif name == "stop" and (begins := self._begun.pop(str(doc["run_start"]), None)):
                ended.append(EndedRun(str(doc["run_start"]), str(doc["uid"]), begins))
        return ended


def documents_of(path: Path, run: EndedRun) -> Documents:
    """All documents of a run, as they were logged.

    Raises
    ------
    LogDamaged
        A whole line does not fit its checksum.
    """
    words = {run.uid.encode()}
    documents: Documents = []
    for entry in LogReader(path, run.begins).entries(words):
        if entry.kind != "document":
            continue
        name, doc = str(entry.data["name"]), entry.data["doc"]
        if name == "start" and doc["uid"] != run.uid:
            # It names the run, as one that takes its flats does.
            continue
        documents.append((name, doc))
        if name == "descriptor":
            # Events name their descriptor, not their run.
            words.add(str(doc["uid"]).encode())
        elif name == "stop" and doc["run_start"] == run.uid:
            break
    return documents
