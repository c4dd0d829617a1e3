"""Blocks of ports on loopback, one for each run folder, kept by a file lock.

Binding to port 0, closing and using the number again is a race; a locked block is not. A client
that outlives its run keeps the block from the next run, so that it never reaches a stranger.
"""

from __future__ import annotations

import os
import socket
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from voltomo.model.sentence import SentenceError
from voltomo.runtime.locks import FileLock, Held, holder

# Below the range from which the kernel gives ports to outgoing connections (32768 and up), which
# would now and then hold a port of ours just when a service is started again.
_FIRST = 21000
_SIZE = 40
_BLOCKS = 100


class NoPorts(SentenceError):
    """No block of ports is free, or a port in it is taken by a stranger."""


@dataclass(frozen=True)
class PortBlock:
    """``size`` ports from ``first`` on, held by this process."""

    first: int
    size: int
    lock: FileLock

    def port(self, offset: int) -> int:
        """The port at this place of the block."""
        if not 0 <= offset < self.size:
            raise ValueError(f"the block holds {self.size} ports; asked for number {offset}")
        return self.first + offset

    def release(self) -> None:
        """Let others use the block."""
        self.lock.release()


def _free(port: int) -> bool:
    """Whether nobody listens on the port, by TCP or UDP, on loopback."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def _is_private(folder: Path) -> bool:
    """Whether this is a folder, not a link to one, that nobody but this user can write to."""
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return False
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    return mine and stat.S_IMODE(found.st_mode) & 0o077 == 0


def lock_folder() -> Path:
    """Folder of the locks of this user's runs on this machine.

    In $XDG_RUNTIME_DIR where there is one, else in the folder for temporary files.

    Raises
    ------
    NoPorts
        Somebody else made it, or may write to it.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if runtime and _is_private(Path(runtime)):
        folder = Path(runtime) / "voltomo"
    else:
        folder = Path(tempfile.gettempdir()) / f"voltomo-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_private(folder):
        raise NoPorts(
            f"{folder} should be a folder that you own and that nobody else may use, and is not; "
            "nothing was started; have it removed, or set XDG_RUNTIME_DIR to a private folder"
        )
    return folder


def _clients(folder: Path, first: int) -> Path:
    return folder / f"{first}.clients.lock"


def hold_ports(first: int, purpose: str) -> FileLock:
    """Keep a block from the next run for as long as a client of this one lives.

    Parameters
    ----------
    first : int
        First port of the block.
    purpose : str
        Shown to whoever wants the block.
    """
    return FileLock(_clients(lock_folder(), first), purpose, shared=True).acquire()


def lock_ports(purpose: str, first: int | None = None) -> PortBlock:
    """Lock a block of free ports.

    Parameters
    ----------
    purpose : str
        Shown to whoever finds the block held.
    first : int, optional
        First port of the block wanted; any free block if not given.

    Raises
    ------
    NoPorts
        The wanted block is held, a port in it is taken, or no block is free.
    """
    if first is not None and not 1024 <= first <= 65536 - _SIZE:
        raise NoPorts(
            f"a block of {_SIZE} ports must begin between 1024 and {65536 - _SIZE}; got {first}; "
            "nothing was started"
        )
    folder = lock_folder()
    candidates = [first] if first is not None else [_FIRST + _SIZE * k for k in range(_BLOCKS)]
    reason = "every block is held by another run"
    for start in candidates:
        lock = FileLock(folder / f"{start}.lock", purpose)
        try:
            lock.acquire()
        except Held as error:
            reason = str(error)
            continue
        client = holder(_clients(folder, start))
        taken = [port for port in range(start, start + _SIZE) if not _free(port)]
        if client is None and not taken:
            return PortBlock(start, _SIZE, lock)
        lock.release()
        reason = (
            f"port {taken[0]} is taken by another program"
            if taken
            else f"the block is kept by {client}, which outlived its run"
        )
    raise NoPorts(
        f"no block of {_SIZE} ports on 127.0.0.1 could be had: {reason}; nothing was started; "
        "end the other run (voltomo status, voltomo down) or name another first port"
    )
