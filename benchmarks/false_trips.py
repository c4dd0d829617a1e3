"""Whether the guard takes beam away for no reason: both cores loaded, a scan at work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.faults import Bench
from voltomo.runtime.append_log import Entry, LogReader

__all__ = ["false_trips"]

_BURN = "while True: pass"
_SCAN_s = 60.0


def tripped(entries: list[Entry]) -> list[str]:
    """What was lost or latched, in the guard's own words; scans here end by themselves."""
    return [entry.data["reason"] for entry in entries if entry.kind in ("lost", "latch")]


@contextmanager
def _load() -> Iterator[None]:
    """One process for each core that does nothing but use it."""
    burners = [subprocess.Popen([sys.executable, "-c", _BURN]) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def false_trips(root: Path, minutes: float) -> tuple[list[str], float, int]:
    """Scan after scan under load.

    Returns
    -------
    list of str
        Reasons for which beam was taken away.
    float
        Minutes that it took.
    int
        Scans that failed, whatever the reason.
    """
    bench, failed = Bench(root), 0
    begun_s = time.monotonic()
    try:
        bench.start()
        with _load():
            while (left_s := 60 * minutes - (time.monotonic() - begun_s)) > 10:
                session = bench.session(min(_SCAN_s, left_s))
                said, _ = session.communicate(timeout=10 * _SCAN_s)
                if session.returncode != 0:
                    failed += 1
                    sys.stderr.write(f"a scan under load failed: {said}\n")
        found = tripped(list(LogReader(bench.folder.exposure_log).entries()))
    finally:
        bench.stop()
    return found, (time.monotonic() - begun_s) / 60, failed
