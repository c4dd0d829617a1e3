"""What a run log holds of one run, found without decoding the rest of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from pathlib import Path

from voltomo.model.stream_names import BASELINE, BASELINE_WITHOUT, TRIGGERS
from voltomo.runtime.log_checkpoint import checkpoint
from voltomo.runtime.log_reader import START, Entry, LogPosition, LogReader

_OF_SCANS = (b'"scan_spec":',)
_EVENTS_OF = (TRIGGERS, BASELINE, BASELINE_WITHOUT, "takes", "decisions")


def is_scan(entry: Entry) -> bool:
    """Whether an entry is the start document of a scan."""
    if entry.kind != "document" or entry.data["name"] != "start":
        return False
    return "scan_spec" in entry.data["doc"]


def scans_in(path: Path, start: LogPosition = START) -> Iterator[str]:
    """Uids of the scans of a run log from a position on, oldest first."""
    for entry in LogReader(path, start).entries(_OF_SCANS):
        if is_scan(entry):
            yield str(entry.data["doc"]["uid"])


def last_scan(path: Path) -> str | None:
    """Uid of the last scan, None where there is none."""
    for start in _starts(path):
        # Of many scans one name is kept at a time.
        last = deque(scans_in(path, start), maxlen=1)
        if last:
            return last[0]
    return None


def matching_scans(path: Path, uid: str) -> list[str]:
    """Uids of the scans that a uid, its first digits, or "last" names, oldest first."""
    if uid == "last" and (last := last_scan(path)) is not None:
        return [last]
    digits = uid.replace("-", "")
    return [known for known in scans_in(path) if known.replace("-", "").startswith(digits)]


def entries_of_run(path: Path, uid: str, begins: LogPosition | None = None) -> list[Entry]:
    """All entries that speak of a run; every other line is checked, not decoded.

    Parameters
    ----------
    path : Path
        The log.
    uid : str
        Of the run.
    begins : LogPosition, optional
        Where a run that has ended begins: the log is then read from there to the start of the next
        run after its end, not as a whole.

    Returns
    -------
    list of Entry
        Empty where the log does not know the run.
    """
    if begins is not None:
        return list(_until_next(path, uid, begins))
    for start in _starts(path):
        found = list(_from(path, uid, start))
        if any(is_scan(entry) for entry in found):
            return found
    return []


def _starts(path: Path) -> tuple[LogPosition, ...]:
    """The checkpoint, behind which the present session's runs lie, then the beginning."""
    kept = checkpoint(path)
    return (START,) if kept == START else (kept, START)


def _until_next(path: Path, uid: str, begins: LogPosition) -> Iterator[Entry]:
    """Entries of a run; what is settled after its end comes before the next run."""
    ended = False
    for entry in _from(path, uid, begins, {b'"name":"start"'}):
        document = entry.data["name"] if entry.kind == "document" else ""
        other = document == "start" and entry.data["doc"]["uid"] != uid
        if other and ended:
            return
        if not other:
            yield entry
        ended = ended or (document == "stop" and entry.data["doc"]["run_start"] == uid)


def _from(
    path: Path, uid: str, start: LogPosition, also: Collection[bytes] = ()
) -> Iterator[Entry]:
    words = {uid.encode(), *also}
    for entry in LogReader(path, start).entries(words):
        yield entry
        if entry.kind == "document" and entry.data["name"] == "descriptor":
            doc = entry.data["doc"]
            # Events name their descriptor, not their run.
            if doc.get("run_start") == uid and doc.get("name") in _EVENTS_OF:
                words.add(str(doc["uid"]).encode())
