"""The guard on a disk that is slow for entries of one kind: file ``slow`` of the run folder."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from voltomo.dose.guard_ioc import main
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.run_folder import RUN_FOLDER_VARIABLE


def _slowly(self: AppendLog, kind: str, data: Any, *, utc_s: float | None = None) -> int:
    path = Path(os.environ[RUN_FOLDER_VARIABLE]) / "slow"
    slow, seconds = path.read_text().split() if path.exists() else ("", "0")
    if kind == slow:
        time.sleep(float(seconds))
    return _append(self, kind, data, utc_s=utc_s)


_append = AppendLog.append
AppendLog.append = _slowly

if __name__ == "__main__":
    main()
