"""Checksummed, synced JSON lines: the one implementation of run log and exposure log.

What `AppendLog.append` returned from is on disk; what it failed at has left no trace. A torn last
line (a crash in mid-write) is set aside in ``<name>.torn`` when the next writer opens the log;
damage elsewhere is refused. How lines look, and how they are read, is in
`voltomo.runtime.log_reader`.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import zlib
from pathlib import Path
from typing import Any, cast

from voltomo.model.clock import Clock, SystemClock
from voltomo.model.sentence import SentenceError
from voltomo.runtime.log_reader import (
    START,
    Entry,
    LogDamaged,
    LogPosition,
    LogReader,
    read_log,
    tail,
)

__all__ = [
    "AppendLog",
    "Entry",
    "LogDamaged",
    "LogInUse",
    "LogNotWritten",
    "LogPosition",
    "LogReader",
    "read_log",
    "tail",
]


class LogInUse(SentenceError):
    """Another process writes this log."""


class LogNotWritten(SentenceError, OSError):
    """An entry could not be written; the log is as whole as it was before."""


def _plain(value: Any) -> Any:
    """JSON form of numpy scalars and arrays, for the encoder's default."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(cast("tuple[Any, ...]", value))
    raise TypeError(f"{type(value).__name__} has no JSON form")


class AppendLog:
    """The one writer of a log.

    Parameters
    ----------
    path : Path
        Created with its folder if it does not exist.
    start : LogPosition
        Lines before it were checked earlier and are not checked again.
    clock : Clock, optional
        Stamps every entry twice, by UTC and by time that never steps; the machine's own if not
        given.

    Raises
    ------
    LogInUse
        Another process has the log open for writing.
    LogDamaged
        An entry before the last does not fit its checksum.
    LogNotWritten
        A torn last line could not be set aside.
    """

    def __init__(
        self, path: Path, start: LogPosition = START, *, clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: what failed to be written must not come after all with the next entry.
        self._file = self.path.open("ab", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise LogInUse(
                f"{self.path} is written by another process; end that one first"
            ) from error
        self._guard = threading.Lock()
        self._refusal = ""
        try:
            reader = LogReader(self.path, start)
            reader.skip()
            self._before, self._at = reader.before, reader.position
            self._set_torn_line_aside()
        except BaseException:
            self._file.close()
            raise

    @property
    def position(self) -> LogPosition:
        """Behind the last entry."""
        return self._at

    @property
    def before(self) -> LogPosition:
        """Before the last entry; the same as `position` where none was read or written."""
        return self._before

    def _set_torn_line_aside(self) -> None:
        good = self._at.offset
        size = self.path.stat().st_size
        if size == good:
            return
        with self.path.open("rb") as file:
            file.seek(good)
            torn = file.read()
        try:
            with self.path.with_suffix(self.path.suffix + ".torn").open("ab") as aside:
                aside.write(torn + b"\n")
                aside.flush()
                os.fsync(aside.fileno())
            os.ftruncate(self._file.fileno(), good)
        except OSError as error:
            raise LogNotWritten(
                f"{self.path}: its last line is torn and cannot be set aside ({error}); nothing "
                "was changed; make room on the disk and start again"
            ) from error
        self._write("torn", {"bytes": size - good, "set_aside": True}, None)

    def append(
        self,
        kind: str,
        data: Any,
        *,
        utc_s: float | None = None,
        monotonic_s: float | None = None,
    ) -> int:
        """Write one entry and sync it to disk.

        Parameters
        ----------
        kind : str
            What the entry is.
        data : Any
            JSON-able; numpy arrays and paths are converted.
        utc_s, monotonic_s : float, optional
            When it happened, by either clock; now if not given.

        Returns
        -------
        int
            The entry's number.

        Raises
        ------
        LogNotWritten
            The disk is full or failing. Nothing of the entry is left in the log, and the next
            one may be tried; where what is left cannot be cut off, all are refused until it can.
        """
        with self._guard:
            return self._write(kind, data, utc_s, monotonic_s)

    def _write(
        self, kind: str, data: Any, utc_s: float | None, monotonic_s: float | None = None
    ) -> int:
        if self._refusal:
            # It may go by now, after room was made say.
            self._take_back()
        record = {
            "n": self._at.number,
            "t": self._clock.utc_s() if utc_s is None else utc_s,
            "m": round(self._clock.now_s() if monotonic_s is None else monotonic_s, 6),
            "kind": kind,
            "data": data,
        }
        body = json.dumps(record, separators=(",", ":"), default=_plain).encode()
        crc = zlib.crc32(body, self._at.crc)
        line = b"%08x %s\n" % (crc, body)
        before = self._at
        try:
            self._put(line)
            after = LogPosition(before.offset + len(line), crc, before.number + 1)
            self._before, self._at = before, after
        except OSError as error:
            self._take_back()
            raise LogNotWritten(
                f"{self.path}: entry {self._at.number} could not be written ({error}); the log is "
                "whole without it; make room on the disk, or see what fails there, before "
                "anything is started again"
            ) from error
        except BaseException:
            # A signal, say: what is not booked must not stay in the file.
            self._take_back()
            raise
        return before.number

    def _put(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            rest = rest[self._file.write(rest) :]
        os.fsync(self._file.fileno())

    def _take_back(self) -> None:
        """Cut off what a failed write has left; refuse to go on where that fails, too."""
        # Holds until the opposite is proven, also where a signal interrupts what follows.
        self._refusal = (
            f"{self.path}: an entry could not be written, and what it left behind could not be "
            "taken back; nothing more is written, so that the log stays whole; end this process, "
            "make room on the disk, or see what fails there, and start it again"
        )
        try:
            os.ftruncate(self._file.fileno(), self._at.offset)
            os.fsync(self._file.fileno())
        except OSError as error:
            raise LogNotWritten(f"{self._refusal} ({error})") from error
        self._refusal = ""

    def close(self) -> None:
        """Let another process write."""
        self._file.close()

    def __enter__(self) -> AppendLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
