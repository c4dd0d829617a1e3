"""The exposure log as the guard writes it: in order, and nothing left out when a disk was full."""

from __future__ import annotations

from collections import deque

from voltomo.dose.guard_words import Log
from voltomo.dose.ledger import Ledger
from voltomo.dose.log_witness import keep_witness
from voltomo.runtime.append_log import AppendLog

__all__ = ["GuardLog"]


class GuardLog:
    """Entries that could not be written wait, and go first when there is room again.

    Parameters
    ----------
    log : AppendLog
        Where they go, each synced before the next.
    """

    def __init__(self, log: AppendLog) -> None:
        self._log = log
        self._waiting: deque[tuple[Log, float]] = deque()
        self._witnessed = 0

    @property
    def behind(self) -> bool:
        """Whether entries wait."""
        return bool(self._waiting)

    def write(self, entry: Log, utc_s: float) -> str:
        """Write an entry after all that wait; why it could not be, or an empty string."""
        self._waiting.append((entry, utc_s))
        return self.catch_up()

    def catch_up(self) -> str:
        """Write what waits; why it could not be, or an empty string."""
        while self._waiting:
            entry, utc_s = self._waiting[0]
            try:
                self._log.append(entry.kind, entry.data, utc_s=utc_s)
            except (OSError, ValueError) as error:
                return str(error)
            self._waiting.popleft()
        return ""

    def keep_witness(self, ledger: Ledger) -> None:
        """Keep beside the log how far it goes; the ledger must be the fold of all that is known."""
        if not self.behind and self._log.position.number != self._witnessed:
            self._witnessed = self._log.position.number
            keep_witness(self._log, ledger)
