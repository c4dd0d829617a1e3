"""Advisory locks that say who holds them, and vanish with their holder."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from voltomo.model.sentence import SentenceError

# struct flock: type, whence, start, length, and the pid, which is 0 for a lock of an open file.
_FLOCK = "hhqqi4x"


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


def _open(path: Path, flags: int) -> IO[str]:
    """Open a lock's file itself, never what a link in its place points at."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    return os.fdopen(descriptor, "r" if flags == os.O_RDONLY else "r+")


def holder(path: Path) -> str | None:
    """Who holds a lock, None where nobody does; the lock is not taken for it.

    Parameters
    ----------
    path : Path
        The lock's file; it may not exist.
    """
    try:
        file = _open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with file:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        found = fcntl.fcntl(file, fcntl.F_OFD_GETLK, asked)
        if struct.unpack(_FLOCK, found)[0] == fcntl.F_UNLCK:
            return None
        return _describe(file.read())


class FileLock:
    """A lock on a file, held by this process until ``release`` or its end.

    Parameters
    ----------
    path : Path
        The lock's file.
    purpose : str
        What it is held for; shown to whoever finds it held.
    shared : bool
        Whether others may share it; then it only keeps out those who do not share.
    """

    def __init__(self, path: Path, purpose: str, *, shared: bool = False) -> None:
        self.path = Path(path)
        self.purpose = purpose
        self.shared = shared
        self._file: IO[str] | None = None

    def acquire(self) -> FileLock:
        """Take the lock at once.

        Raises
        ------
        Held
            Another process has it: who, where and since when.
        OSError
            The file cannot be used; a link in its place is refused.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = _open(self.path, os.O_RDWR | os.O_CREAT)
        kind = fcntl.F_RDLCK if self.shared else fcntl.F_WRLCK
        try:
            # Of the open file, not of the process: two holders in one process exclude each other.
            wanted = struct.pack(_FLOCK, kind, os.SEEK_SET, 0, 0, 0)
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, wanted)
        except BlockingIOError as error:
            owner = _describe(file.read())
            file.close()
            raise Held(
                f"{self.path} is held by {owner}; nothing was started; end that one first or wait "
                "for it"
            ) from error
        except BaseException:
            file.close()
            raise
        file.truncate()
        file.write(json.dumps(_ourselves(self.purpose)))
        file.flush()
        self._file = file
        return self

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            if not self.shared:
                self._file.seek(0)
                self._file.truncate()
            self._file.close()
            self._file = None

    def __enter__(self) -> FileLock:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()
