"""A log that was edited, cut or hit by a failing disk: what of it fits, and what is left besides.

Every line's checksum covers the line before, as that one states its own; so lines behind a damage
can be told to be whole, too, one by one.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voltomo.runtime.append_log import AppendLog, LogInUse
from voltomo.runtime.log_reader import Entry, checked

__all__ = ["Damage", "examine", "replace_log"]


@dataclass
class Damage:
    """What a damaged log holds.

    Attributes
    ----------
    good_bytes : int
        Length of the part before the damage.
    good : list of Entry
        Entries of that part.
    rest : list of Entry
        Readable entries behind it, in their order.
    unsure : set of int
        Numbers of those among the rest that do not fit their checksum: edited, or behind one that
        was taken out.
    unreadable : int
        Lines of which nothing can be made.
    missing : list of int
        Numbers that no readable line has.
    """

    good_bytes: int = 0
    good: list[Entry] = field(default_factory=list[Entry])
    rest: list[Entry] = field(default_factory=list[Entry])
    unsure: set[int] = field(default_factory=set[int])
    unreadable: int = 0
    missing: list[int] = field(default_factory=list[int])

    @property
    def found(self) -> bool:
        """Whether there is any damage."""
        return bool(self.rest or self.unreadable)


def examine(path: Path) -> Damage:
    """Look through a log to its end, damaged or not; a torn last line is left out."""
    found = Damage()
    crc: int | None = 0
    with Path(path).open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            fits = crc is not None and checked(line, crc) is not None
            crc, entry = _stated(line), _entry(line)
            if entry is None:
                found.unreadable += 1
            elif fits and not found.found and entry.number == len(found.good):
                found.good.append(entry)
                found.good_bytes += len(line)
            else:
                found.rest.append(entry)
                if not fits:
                    found.unsure.add(entry.number)
    numbers = {entry.number for entry in (*found.good, *found.rest)}
    found.missing = sorted(set(range(max(numbers, default=-1) + 1)) - numbers)
    return found


def replace_log(path: Path, aside: Path, good_bytes: int, entries: Iterable[Entry]) -> None:
    """Set a log aside and put another in its place, in one step: its good part and entries.

    Parameters
    ----------
    path : Path
        The log; nobody may write it meanwhile.
    aside : Path
        Where the log goes as it is; nothing may be there.
    good_bytes : int
        Length of the part that is kept as it is.
    entries : iterable of Entry
        What follows; numbers are given anew, times are kept.

    Raises
    ------
    LogInUse
        Another process writes the log; nothing was changed.
    OSError
        The disk is full or failing; the log is as it was.
    """
    made = path.with_name(path.name + ".mending")
    with path.open("rb") as old:
        try:
            fcntl.flock(old, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LogInUse(f"{path} is written by another process; end that one first") from error
        if aside.exists():
            raise FileExistsError(f"{aside} is there already")
        shutil.copyfile(path, aside)
        _sync(aside)
        made.write_bytes(old.read(good_bytes))
        with AppendLog(made) as log:
            for entry in entries:
                log.append(entry.kind, entry.data, utc_s=entry.utc_s, monotonic_s=entry.monotonic_s)
        made.replace(path)
        _sync(path.parent)


def _stated(line: bytes) -> int | None:
    """The checksum that a line gives itself."""
    try:
        return int(line[:8], 16) if line[8:9] == b" " else None
    except ValueError:
        return None


def _entry(line: bytes) -> Entry | None:
    """What a line says, if it says anything."""
    try:
        record: dict[str, Any] = json.loads(line[9:])
        stamp = record.get("m")
        return Entry(
            int(record["n"]),
            float(record["t"]),
            str(record["kind"]),
            record["data"],
            None if stamp is None else float(stamp),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
