"""Processes by identity: a pid alone may have been given to somebody else since."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

_POLL_S = 0.02


class ProcessIdentity(BaseModel):
    """A process: its number and the moment of its start, in clock ticks since boot."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity | None:
        """Identity of a process that runs now; None if there is none or it has ended."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] in "ZX" else cls(pid=pid, started=int(fields[19]))

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessIdentity.of(self.pid) == self


def end(identity: ProcessIdentity, patience_s: float) -> bool:
    """Ask a process to end, then make it.

    Parameters
    ----------
    identity : ProcessIdentity
        The process, which leads its own group.
    patience_s : float
        How long it may take to end by itself.

    Returns
    -------
    bool
        True if it ended by itself, False if it had to be killed.
    """
    if not identity.alive:
        return True
    os.kill(identity.pid, signal.SIGTERM)
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if not identity.alive:
            return True
        time.sleep(_POLL_S)
    if identity.alive:
        os.killpg(os.getpgid(identity.pid), signal.SIGKILL)
    return False
