"""The exposure log as a guard opens it: by one guard alone, whole, and folded."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from voltomo.dose.ledger import Ledger
from voltomo.dose.log_witness import keep_witness
from voltomo.dose.mended_log import mend_exposure_log
from voltomo.runtime.append_log import AppendLog, Entry, LogReader
from voltomo.runtime.locks import FileLock

__all__ = ["ExposureLog", "open_exposure_log"]


@dataclass
class ExposureLog:
    """An exposure log that this process writes, its fold so far, and its last entry."""

    log: AppendLog
    ledger: Ledger
    last: Entry | None
    lock: FileLock
    boot_id: str = ""

    def close(self) -> None:
        """Let another guard have it."""
        self.log.close()
        self.lock.release()


def open_exposure_log(path: Path, purpose: str) -> ExposureLog:
    """Open it for writing; one that was damaged is mended first.

    Parameters
    ----------
    path : Path
        The log; made with its folder if it is not there.
    purpose : str
        Who writes it, for whoever finds it taken.

    Raises
    ------
    Held, LogInUse
        Another guard has it, and is named.
    OSError, LogDamaged
        It can be neither read nor set aside.
    """
    lock = FileLock(path.with_name(path.name + ".lock"), purpose).acquire()
    try:
        mend_exposure_log(path, time.time())
        log = AppendLog(path)
    except BaseException:
        lock.release()
        raise
    made = ExposureLog(log, Ledger(), None, lock)
    for entry in LogReader(path).entries():
        made.ledger.add(entry.kind, entry.data)
        if entry.kind == "start":
            made.boot_id = str(entry.data.get("boot_id", ""))
        made.last = entry
    keep_witness(log, made.ledger)
    return made
