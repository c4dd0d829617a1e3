"""Advisory locks that say who holds them, and vanish with their holder."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from voltomo.model.sentence import SentenceError


class Held(SentenceError):
    """Somebody else holds the lock; the message names them."""


def _ourselves(purpose: str) -> dict[str, object]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # In a container a user may have a number and no name.
        user = str(os.getuid())
    return {
        "pid": os.getpid(),
        "user": user,
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "purpose": purpose,
    }


def _describe(text: str) -> str:
    """The holder as the lock's file names it; it may be in the middle of writing itself down."""
    try:
        holder = json.loads(text)
        return (
            f"'{holder['purpose']}', process {holder['pid']} of {holder['user']} on "
            f"{holder['host']}, since {holder['since']}"
        )
    except (ValueError, KeyError, TypeError):
        return "a process that has not said its name"


class FileLock:
    """A lock on a file, held by this process until ``release`` or its end.

    Parameters
    ----------
    path : Path
        The lock's file.
    purpose : str
        What it is held for; shown to whoever finds it held.
    """

    def __init__(self, path: Path, purpose: str) -> None:
        self.path = Path(path)
        self.purpose = purpose
        self._file: IO[str] | None = None

    def acquire(self) -> FileLock:
        """Take the lock at once.

        Raises
        ------
        Held
            Another process has it: who, where and since when.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            owner = _describe(file.read())
            file.close()
            raise Held(
                f"{self.path} is held by {owner}; nothing was started; end that one first or wait "
                "for it"
            ) from error
        file.seek(0)
        file.truncate()
        file.write(json.dumps(_ourselves(self.purpose)))
        file.flush()
        self._file = file
        return self

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.seek(0)
            self._file.truncate()
            self._file.close()
            self._file = None

    def __enter__(self) -> FileLock:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()
