"""What the run log says of the run that goes on: start, latches, files, stop."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from pydantic import ValidationError

from voltomo.model.scan_spec import ScanSpec
from voltomo.model.trigger_source import TriggerChunk
from voltomo.runtime.log_checkpoint import checkpoint
from voltomo.runtime.log_reader import START, Entry, LogDamaged, LogReader, find_last

_FRAMES_KEY = "camera_image"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunStarted:
    """A tomography began, at this time of the wall clock.

    ``source`` is "twin", "replay" or "beamline"; ``assumed`` names what a replayed recording did
    not say ("pixel size", "energy"). ``software_guard_only``: the shutter does not close by
    itself when the guard falls silent.
    """

    uid: str
    spec: ScanSpec
    utc_s: float
    source: str = "beamline"
    assumed: tuple[str, ...] = ()
    software_guard_only: bool = False


@dataclass(frozen=True)
class FileOpened:
    """Frames of a block go to this file."""

    block: str
    path: Path


@dataclass(frozen=True)
class RunStopped:
    """The run has ended, with this status, for this reason if it gave one."""

    uid: str
    exit_status: str
    reason: str = ""


def opened_file(resource: dict[str, Any]) -> list[FileOpened]:
    """The file of frames that a ``stream_resource`` document names; none for other data."""
    if resource.get("data_key", _FRAMES_KEY) != _FRAMES_KEY:
        return []
    path = Path(unquote(urlparse(resource["uri"]).path))
    return [FileOpened(str(resource["parameters"].get("block", "")), path)]


def _is_scan(entry: Entry) -> bool:
    return entry.kind == "document" and "scan_spec" in entry.data["doc"]


RunEvent = RunStarted | FileOpened | TriggerChunk | RunStopped


class RunFollower:
    """Turns new entries of a run log into events; runs without a scan spec are passed over.

    Parameters
    ----------
    path : Path
        The run log; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader: LogReader | None = None
        self._damaged = False
        self._uid: str | None = None
        self._descriptors: dict[str, str] = {}

    def poll(self) -> list[RunEvent]:
        """Events since the last call; at the first call those of the last scan in the log.

        A damaged log is reported once and followed no further.
        """
        if self._damaged or not self._path.exists():
            return []
        try:
            if self._reader is None:
                self._reader = self._at_last_scan()
            entries = self._reader.poll()
        except LogDamaged:
            log.exception("the run log is followed no further")
            self._damaged = True
            return []
        events: list[RunEvent] = []
        for entry in entries:
            if entry.kind != "document":
                continue
            events += self._document(entry.data["name"], entry.data["doc"])
        return events

    def _at_last_scan(self) -> LogReader:
        """A reader before the start of the last scan: what came before is checked, not decoded."""
        since = checkpoint(self._path)
        for start in dict.fromkeys((since, START)):
            found = find_last(self._path, (b'"scan_spec":',), _is_scan, start)
            if found is not None:
                return LogReader(self._path, found)
        return LogReader(self._path, since)

    def _document(self, name: str, doc: dict[str, Any]) -> list[RunEvent]:
        if name == "start":
            return self._start(doc)
        if self._uid is None:
            return []
        if name == "descriptor":
            self._descriptors[doc["uid"]] = doc["name"]
        elif name == "stream_resource":
            return list(opened_file(doc))
        elif name == "event_page" and self._descriptors.get(doc["descriptor"]) == "triggers":
            return list(self.latches(doc["data"]))
        elif name == "event" and self._descriptors.get(doc["descriptor"]) == "triggers":
            columns = {key: [value] for key, value in doc["data"].items()}
            return list(self.latches(columns))
        elif name == "stop":
            uid, self._uid = self._uid, None
            return [RunStopped(uid, doc["exit_status"], str(doc.get("reason") or ""))]
        return []

    def _start(self, doc: dict[str, Any]) -> list[RunEvent]:
        try:
            spec = ScanSpec.model_validate(doc.get("scan_spec"))
        except ValidationError:
            self._uid = None
            return []
        self._uid = str(doc["uid"])
        self._descriptors = {}
        replayed: dict[str, Any] = dict(doc.get("replay") or {})
        return [
            RunStarted(
                self._uid,
                spec,
                float(doc.get("time", 0.0)),
                str(doc.get("source", "beamline")),
                tuple(map(str, replayed.get("assumed", ()))),
                bool(dict(doc.get("beamline") or {}).get("software_guard_only", False)),
            )
        ]

    @staticmethod
    def latches(data: dict[str, list[float]]) -> list[TriggerChunk]:
        """Chunks of consecutive indices from the columns of an event page."""
        chunks: list[TriggerChunk] = []
        index = [int(value) for value in data["trigger_index"]]
        start = 0
        for place in range(1, len(index) + 1):
            if place == len(index) or index[place] != index[place - 1] + 1:
                part = slice(start, place)
                chunks.append(
                    TriggerChunk(
                        index[start],
                        data["trigger_angle_deg"][part],
                        data["trigger_time_s"][part],
                    )
                )
                start = place
        return chunks
