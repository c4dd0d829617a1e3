"""Checksummed, synced JSON lines: the one implementation of run log and exposure log.

A line is ``crc32 json``, where the checksum covers the JSON and the checksum of the line before:
a line that was edited, dropped or cut shows. A torn last line (a crash in mid-write) is set aside
in ``<name>.torn`` when the next writer opens the log; damage elsewhere is refused. A line that the
disk did not take is cut off again, so that the log stays whole and goes on when there is room.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any, cast

from voltomo.model.sentence import SentenceError

_WAIT_S = 0.01


class LogDamaged(SentenceError):
    """A line in the middle of a log does not fit its checksum."""


class LogInUse(SentenceError):
    """Another process writes this log."""


@dataclass(frozen=True)
class Entry:
    """One entry: number from 0, UTC seconds when it was written, kind, and JSON data."""

    number: int
    utc_s: float
    kind: str
    data: Any


def _plain(value: Any) -> Any:
    """JSON form of numpy scalars and arrays, for the encoder's default."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(cast("tuple[Any, ...]", value))
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _decode(line: bytes, crc_before: int, number: int) -> tuple[Entry, int] | None:
    """Entry and checksum of a whole line, or None where it does not fit."""
    if not line.endswith(b"\n") or line[8:9] != b" ":
        return None
    body = line[9:-1]
    crc = zlib.crc32(body, crc_before)
    if line[:8] != b"%08x" % crc:
        return None
    record = json.loads(body)
    if record["n"] != number:
        return None
    return Entry(number, record["t"], record["kind"], record["data"]), crc


class LogReader:
    """Reads a log while another process writes it.

    Parameters
    ----------
    path : Path
        The log; it may not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._path = Path(path)
        self._offset = 0
        self._crc = 0
        self._number = 0

    def poll(self) -> list[Entry]:
        """Entries that were completed since the last call.

        Raises
        ------
        LogDamaged
            A whole line does not fit its checksum.
        """
        if not self._path.exists():
            return []
        entries: list[Entry] = []
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                decoded = _decode(line, self._crc, self._number)
                if decoded is None:
                    raise LogDamaged(
                        f"{self._path}, entry {self._number}: the checksum does not fit; the log "
                        "was edited or the disk is failing; keep the file and restore it from the "
                        "copy, or set it aside to start a new one"
                    )
                entry, self._crc = decoded
                entries.append(entry)
                self._number += 1
                self._offset += len(line)
        return entries

    @property
    def position(self) -> tuple[int, int, int]:
        """Offset, checksum and number that the next entry starts from."""
        return self._offset, self._crc, self._number


class AppendLog:
    """The one writer of a log.

    Parameters
    ----------
    path : Path
        Created with its folder if it does not exist.

    Raises
    ------
    LogInUse
        Another process has the log open for writing.
    LogDamaged
        An entry before the last does not fit its checksum.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # No buffer: what a full disk refused must not follow later, out of turn.
        self._file: RawIOBase = self.path.open("ab", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise LogInUse(
                f"{self.path} is written by another process; end that one first"
            ) from error
        self._guard = threading.Lock()
        try:
            reader = LogReader(self.path)
            reader.poll()
            self._size, self._crc, self._number = reader.position
            self._whole = True
            self._set_torn_line_aside(self._size)
        except BaseException:
            self._file.close()
            raise

    def _set_torn_line_aside(self, good: int) -> None:
        size = self.path.stat().st_size
        if size == good:
            return
        with self.path.open("rb") as file:
            file.seek(good)
            torn = file.read()
        with self.path.with_suffix(self.path.suffix + ".torn").open("ab") as aside:
            aside.write(torn + b"\n")
        os.ftruncate(self._file.fileno(), good)
        self._write("torn", {"bytes": size - good, "set_aside": True}, None)

    def append(self, kind: str, data: Any, *, utc_s: float | None = None) -> int:
        """Write one entry and sync it to disk.

        Parameters
        ----------
        kind : str
            What the entry is.
        data : Any
            JSON-able; numpy arrays and paths are converted.
        utc_s : float, optional
            When it happened; now if not given.

        Returns
        -------
        int
            The entry's number.

        Raises
        ------
        OSError
            The disk did not take it; the log is as it was before, and the same entry may be
            given again.
        """
        with self._guard:
            return self._write(kind, data, utc_s)

    def _write(self, kind: str, data: Any, utc_s: float | None) -> int:
        record = {
            "n": self._number,
            "t": time.time() if utc_s is None else utc_s,
            "kind": kind,
            "data": data,
        }
        body = json.dumps(record, separators=(",", ":"), default=_plain).encode()
        crc = zlib.crc32(body, self._crc)
        line = b"%08x %s\n" % (crc, body)
        if not self._whole:
            self._cut()
        self._whole = False
        try:
            self._put(line)
        except BaseException:
            # Where even this fails, the next write tries again before anything else.
            with contextlib.suppress(OSError):
                self._cut()
            raise
        self._whole = True
        self._size += len(line)
        self._crc = crc
        number, self._number = self._number, self._number + 1
        return number

    def _put(self, line: bytes) -> None:
        """Write all of a line, which a nearly full disk takes in parts, and sync it."""
        rest = memoryview(line)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]
        os.fsync(self._file.fileno())

    def _cut(self) -> None:
        """Take away what was written of a line that failed."""
        os.ftruncate(self._file.fileno(), self._size)
        self._whole = True

    def close(self) -> None:
        """Let another process write."""
        self._file.close()

    def __enter__(self) -> AppendLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_log(path: Path) -> list[Entry]:
    """All whole entries of a log; a torn last line is left out."""
    return LogReader(path).poll()


def tail(path: Path, stopped: Callable[[], bool]) -> Iterator[Entry]:
    """Entries from the first on, then new ones as they come, until ``stopped()``.

    Parameters
    ----------
    path : Path
        The log; it may not exist yet.
    stopped : callable
        Asked whenever there is nothing new; True ends the iteration.
    """
    reader = LogReader(path)
    while True:
        entries = reader.poll()
        yield from entries
        if not entries:
            if stopped():
                return
            time.sleep(_WAIT_S)
