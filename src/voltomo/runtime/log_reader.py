"""Reading a log: every line is checked, and only what is wanted is decoded.

A line is ``crc32 json``, where the checksum covers the JSON and the checksum of the line before:
a line that was edited, dropped or cut shows. Checking is fast (a second or two for a gigabyte),
decoding is not; so a reader may say which words it looks for.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from voltomo.model.sentence import SentenceError

_WAIT_S = 0.01
_BUFFER_BYTES = 1 << 20
_UNWRITTEN = bytes(16)
"""Zeros in a row: no JSON has them, a disk that was never written does."""
_NO_WORD = (b"\n\n",)
"""Is in no line."""


class LogDamaged(SentenceError):
    """A whole line of a log does not fit its checksum."""


@dataclass(frozen=True)
class Entry:
    """One entry: number from 0, UTC seconds when it was written, kind, and JSON data.

    ``monotonic_s`` is the machine's monotonic clock at the same moment, by which entries of
    different logs can be compared whatever happened to UTC; None in old logs.
    """

    number: int
    utc_s: float
    kind: str
    data: Any
    monotonic_s: float | None = None

    @property
    def utc_minus_monotonic_s(self) -> float | None:
        """What UTC was set to when the entry was written, None in old logs."""
        return None if self.monotonic_s is None else self.utc_s - self.monotonic_s


@dataclass(frozen=True)
class LogPosition:
    """A place between two lines: offset, checksum of the line before, number of the next entry."""

    offset: int = 0
    crc: int = 0
    number: int = 0


START = LogPosition()


class LogReader:
    """Reads a log while another process writes it.

    Parameters
    ----------
    path : Path
        The log; it may not exist yet.
    start : LogPosition
        Where to begin: the beginning, or a position that a reader was at before.
    """

    def __init__(self, path: Path, start: LogPosition = START) -> None:
        self._path = Path(path)
        self._before = self._at = start

    @property
    def position(self) -> LogPosition:
        """Behind the last line that was read."""
        return self._at

    @property
    def before(self) -> LogPosition:
        """Before the last line that was read."""
        return self._before

    def entries(self, words: Collection[bytes] = ()) -> Iterator[Entry]:
        """Entries that were completed since the last time, one by one.

        Parameters
        ----------
        words : collection of bytes
            Only entries whose line holds one of them are decoded and given; all if empty. It may
            grow while the entries are read.

        Raises
        ------
        LogDamaged
            A whole line does not fit its checksum.
        """
        if not self._path.exists():
            return
        with self._path.open("rb", buffering=_BUFFER_BYTES) as file:
            self._step_back(file)
            file.seek(self._at.offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                crc = checked(line, self._at.crc)
                if crc is None:
                    # A crash can leave the length of the last line without its content.
                    if _UNWRITTEN in line and not file.read(1):
                        return
                    raise damaged(self._path, self._at.number)
                number = self._at.number
                self._before = self._at
                self._at = LogPosition(self._at.offset + len(line), crc, number + 1)
                if not words or any(word in line for word in words):
                    yield self._decoded(line, number)

    def poll(self) -> list[Entry]:
        """Entries that were completed since the last call.

        Raises
        ------
        LogDamaged
            A whole line does not fit its checksum.
        """
        return list(self.entries())

    def skip(self) -> LogPosition:
        """Go to the end of the last whole line; everything on the way is checked.

        Raises
        ------
        LogDamaged
            A whole line does not fit its checksum.
        """
        for _ in self.entries(_NO_WORD):
            pass
        return self._at

    def _step_back(self, file: BinaryIO) -> None:
        """The last line may have been taken back by its writer, when it could not be synced."""
        if self._at == self._before:
            return
        file.seek(self._before.offset)
        if file.read(8) != b"%08x" % self._at.crc:
            self._at = self._before

    def _decoded(self, line: bytes, number: int) -> Entry:
        record = json.loads(line[9:])
        if record["n"] != number:
            raise damaged(self._path, number)
        return Entry(number, record["t"], record["kind"], record["data"], record.get("m"))


def checked(line: bytes, crc_before: int) -> int | None:
    """Checksum of a whole line that follows one with ``crc_before``; None where it does not fit."""
    if line[8:9] != b" ":
        return None
    crc = zlib.crc32(memoryview(line)[9:-1], crc_before)
    return crc if line[:8] == b"%08x" % crc else None


def damaged(path: Path, number: int) -> LogDamaged:
    """What a person is told of a line that does not fit."""
    return LogDamaged(
        f"{path}, entry {number}: expected a line that fits its checksum, saw one that does not: "
        "the log was edited, or the disk is failing; nothing was written to it; keep the file as "
        "it is and restore it from a copy; do not go on with an empty one, which would forget "
        "every dose and every run before"
    )


def find_last(
    path: Path, words: Collection[bytes], wanted: Callable[[Entry], bool], start: LogPosition
) -> LogPosition | None:
    """Where the last wanted entry begins, among those whose line holds one of the words."""
    reader = LogReader(path, start)
    found: LogPosition | None = None
    for entry in reader.entries(words):
        if wanted(entry):
            found = reader.before
    return found


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
        before = reader.position
        yield from reader.entries()
        if reader.position == before:
            if stopped():
                return
            time.sleep(_WAIT_S)
