"""The guard on a troubled disk; file ``trouble`` of the run folder says what and for which kind.

``reserve slow 1.5``: the disk needs so many seconds for it. ``reserve bug``: an error that nobody
foresaw.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from voltomo.dose.guard_ioc import main
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.run_folder import RUN_FOLDER_VARIABLE

_append = AppendLog.append


def _with_trouble(
    self: AppendLog,
    kind: str,
    data: Any,
    *,
    utc_s: float | None = None,
    monotonic_s: float | None = None,
) -> int:
    path = Path(os.environ[RUN_FOLDER_VARIABLE]) / "trouble"
    words = path.read_text().split() if path.exists() else []
    if words[:2] == [kind, "slow"]:
        time.sleep(float(words[2]))
    elif words[:2] == [kind, "bug"]:
        raise ZeroDivisionError("made for a test")
    return _append(self, kind, data, utc_s=utc_s, monotonic_s=monotonic_s)


AppendLog.append = _with_trouble

if __name__ == "__main__":
    main()
