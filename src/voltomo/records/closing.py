"""Close the runs that a dead session left open: every start gets its stop."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from voltomo.runtime.append_log import AppendLog, Entry, read_log


@dataclass
class _OpenRun:
    start: dict[str, Any]
    last_utc_s: float
    streams: dict[str, str] = field(default_factory=dict[str, str])
    events: Counter[str] = field(default_factory=Counter[str])


def close_abandoned(run_log: AppendLog) -> list[str]:
    """Give every run without a stop document one, with the reason.

    Whoever holds the beamline may call it before the first run of its own. A second call finds
    nothing to do.

    Parameters
    ----------
    run_log : AppendLog
        The run log, open for writing.

    Returns
    -------
    list of str
        Uids of the runs that were closed, oldest first.
    """
    closed: list[str] = []
    for uid, run in _open_runs(read_log(run_log.path)).items():
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
