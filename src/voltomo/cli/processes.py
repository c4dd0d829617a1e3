"""Processes by identity: a pid alone may have been given to somebody else since."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

_POLL_S = 0.02
_KILLED_S = 2.0


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


def identity_in(path: Path) -> ProcessIdentity | None:
    """Process that a state file names, None where it names none."""
    try:
        return ProcessIdentity.model_validate(json.loads(path.read_text()))
    except (FileNotFoundError, ValidationError, ValueError):
        return None


def end(identity: ProcessIdentity, patience_s: float) -> bool:
    """Ask a process to end, then make it, with its group if it leads one.

    Parameters
    ----------
    identity : ProcessIdentity
        The process.
    patience_s : float
        How long it may take to end by itself.

    Returns
    -------
    bool
        True if it ended by itself, False if it had to be killed.
    """
    if _signal(identity, signal.SIGTERM) and not _gone_within(identity, patience_s):
        _signal(identity, signal.SIGKILL)
        _gone_within(identity, _KILLED_S)
        return False
    return True


def kill(identity: ProcessIdentity) -> None:
    """End a process at once, with its group if it leads one; not waited for."""
    _signal(identity, signal.SIGKILL)


def _signal(identity: ProcessIdentity, number: signal.Signals) -> bool:
    """Send a signal to this very process; False where it has ended."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(identity.pid)
        try:
            # The handle stands for one process whatever becomes of its number: no race from here.
            if not identity.alive:
                return False
            if number == signal.SIGKILL and os.getpgid(identity.pid) == identity.pid:
                os.killpg(identity.pid, number)
            else:
                signal.pidfd_send_signal(handle, number)
            return True
        finally:
            os.close(handle)
    return False


def _gone_within(identity: ProcessIdentity, patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while identity.alive:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
