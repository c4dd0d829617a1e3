"""Close the runs that a dead session left open: every start gets its stop."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from voltomo.records.run_entries import scans_in
from voltomo.records.run_log import RunLog
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.log_checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from voltomo.runtime.log_reader import START, Entry, LogPosition, LogReader

_STARTS_AND_STOPS = (b'"name":"start"', b'"name":"stop"')


@dataclass(frozen=True)
class OpenedRunLog:
    """A run log, open for writing, and what was found in it.

    Attributes
    ----------
    log : RunLog
        For the session.
    closed : list of str
        Uids of the runs that were closed, oldest first.
    scans : int
        Scans that it holds.
    """

    log: RunLog
    closed: list[str]
    scans: int


def open_run_log(path: Path) -> OpenedRunLog:
    """Take a run log, and close what dead sessions left open.

    Only what was written since the last checkpoint is read; then the next one is made: everything
    before it is checked, and every run before it is closed.

    Raises
    ------
    LogInUse
        Another process writes this log.
    LogDamaged
        An entry of the log does not fit its checksum.
    LogNotWritten
        The disk is full or failing.
    """
    since = read_checkpoint(path)
    log = AppendLog(path, since.at)
    try:
        closed = close_abandoned(log, since.at)
        scans = since.counted + sum(1 for _ in scans_in(path, since.at))
        if log.before != log.position:
            write_checkpoint(path, Checkpoint(before=log.before, at=log.position, counted=scans))
    except BaseException:
        log.close()
        raise
    return OpenedRunLog(RunLog(log), closed, scans)


@dataclass
class _OpenRun:
    start: dict[str, Any]
    last_utc_s: float
    streams: dict[str, str] = field(default_factory=dict[str, str])
    events: Counter[str] = field(default_factory=Counter[str])


def close_abandoned(run_log: AppendLog, since: LogPosition = START) -> list[str]:
    """Give every run without a stop document one, with the reason.

    Whoever holds the beamline may call it before the first run of its own. A second call finds
    nothing to do.

    Parameters
    ----------
    run_log : AppendLog
        The run log, open for writing.
    since : LogPosition
        Runs that began before are known to be closed.

    Returns
    -------
    list of str
        Uids of the runs that were closed, oldest first.
    """
    closed: list[str] = []
    first = _first_open(run_log.path, since)
    if first is None:
        return closed
    for uid, run in _open_runs(LogReader(run_log.path, first).entries()).items():
        last = datetime.fromtimestamp(run.last_utc_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        reason = (
            "the session that ran this scan ended without closing it; "
            f"its last word was at {last}; "
            "the guard closes the beam when a session falls silent; what was recorded until then "
            "is kept and can be exported"
        )
        stop = {
            "uid": str(uuid.uuid4()),
            "time": time.time(),
            "run_start": uid,
            "exit_status": "fail",
            "reason": reason,
            "num_events": dict(run.events),
        }
        run_log.append("document", {"name": "stop", "doc": stop})
        run_log.append("closed_for", {"uid": uid, "reason": reason})
        closed.append(uid)
    return closed


def _first_open(path: Path, since: LogPosition) -> LogPosition | None:
    """Where the first run begins that has no stop; None where all have one."""
    began: dict[str, LogPosition] = {}
    reader = LogReader(path, since)
    for entry in reader.entries(_STARTS_AND_STOPS):
        if entry.kind != "document":
            continue
        name, doc = entry.data["name"], entry.data["doc"]
        if name == "start":
            began[doc["uid"]] = reader.before
        elif name == "stop":
            began.pop(doc["run_start"], None)
    return min(began.values(), key=lambda at: at.offset, default=None)


def _open_runs(entries: Iterable[Entry]) -> dict[str, _OpenRun]:
    """Runs that have a start and no stop, oldest first."""
    runs: dict[str, _OpenRun] = {}
    run_of_descriptor: dict[str, str] = {}
    for entry in entries:
        if entry.kind != "document":
            continue
        name, doc = entry.data["name"], entry.data["doc"]
        uid = doc["uid"] if name == "start" else doc.get("run_start")
        uid = uid or run_of_descriptor.get(doc.get("descriptor", ""))
        if name == "start":
            runs[doc["uid"]] = _OpenRun(doc, entry.utc_s)
        elif name == "stop":
            runs.pop(doc["run_start"], None)
        if uid not in runs:
            continue
        run = runs[uid]
        run.last_utc_s = max(run.last_utc_s, entry.utc_s)
        if name == "descriptor":
            run_of_descriptor[doc["uid"]] = uid
            run.streams[doc["uid"]] = doc.get("name", "primary")
        elif name in ("event", "event_page"):
            count = len(doc["seq_num"]) if name == "event_page" else 1
            run.events[run.streams[doc["descriptor"]]] += count
    return runs
