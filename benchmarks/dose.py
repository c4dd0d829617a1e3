"""Guard, account and map, measured: ``python -m benchmarks.dose --seed 1``.

- ``guard``: for each cause, from its beginning to the guard's decision (``detect_ms``), from there
  to the shutter's readback less the blade's travel (``react_ms``), and from the cause to a closed
  blade by the world's own record (``closed_ms``), on real processes; null where nothing is to be
  closed. A limit is acted on early, so that its times count from the moment at which it has to be.
  ``n`` is how many tries were done within ``--minutes``.
- ``false_trips_30min_load``: leases lost and latches in ``load_minutes`` of scans with a busy
  process for every core.
- ``commits_per_s``: entries of the exposure log that are written and synced in a second.
- ``lease_cost_ms``: from the request of a lease to its answer, median.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.false_trips import false_trips
from benchmarks.guard_line import GuardLine, guard_line
from benchmarks.guard_times import bench_samples, measure, statistics
from voltomo.runtime.append_log import AppendLog

_COMMIT_s = 3.0
_LEASES = 20


def commits_per_s(folder: Path, seconds: float = _COMMIT_s) -> float:
    """Entries a second, each on the disk before the next; sized like an exposure."""
    entry = {"lease_id": "0" * 12, "flux": [[1e9 + k, 1e11] for k in range(10)], "dose_Gy": 1.0}
    begun_s, number = time.perf_counter(), 0
    with AppendLog(folder / "commits.log") as log:
        while time.perf_counter() - begun_s < seconds:
            log.append("exposure", entry)
            number += 1
    return number / (time.perf_counter() - begun_s)


def lease_cost_ms(line: GuardLine, number: int = _LEASES) -> float:
    """What a plan waits for a lease."""
    costs: list[float] = []
    for _ in range(number):
        request = {"sample": "bench", "seconds": 1.0, "gate": "trigger_window"}
        begun_s = time.perf_counter()
        answer = line.ask("request", request=request)
        costs.append(1e3 * (time.perf_counter() - begun_s))
        line.ask("settle", lease_id=answer["lease_id"])
    return float(np.median(costs))


def guard_settings(number: int) -> dict[str, Any]:
    """Settings of the guard that is timed."""
    return {
        "samples": bench_samples(number),
        "sample_out_beyond_mm": 4.0,
        "mounted_sample_pv": "VT:Changer:Sample",
    }


def of_processes(root: Path, number: int, minutes: float) -> dict[str, Any]:
    """What real processes show."""
    until_s = time.monotonic() + 60 * minutes
    with guard_line(root, guard_settings(number)) as line:
        cost_ms = lease_cost_ms(line)
        tries = measure(line, number, until_s)
        travel_s = line.settings.travel_s
    return {
        "guard": {str(cause): statistics(found, travel_s) for cause, found in tries.items()},
        "lease_cost_ms": round(cost_ms, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=200, help="tries of each cause")
    parser.add_argument("--minutes", type=float, default=120.0, help="for all tries together")
    parser.add_argument("--load-minutes", type=float, default=30.0)
    asked = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        if asked.load_minutes > 0:
            # First: libca of this process must not be at work yet.
            trips, minutes, failed = false_trips(root / "load", asked.load_minutes)
            result["false_trips_30min_load"] = len(trips)
            result["load_minutes"] = round(minutes, 1)
            result["scans_failed_under_load"] = failed
            sys.stderr.write("".join(f"tripped under load: {trip}\n" for trip in trips))
        result["commits_per_s"] = round(commits_per_s(root), 1)
        if asked.n > 0:
            result |= of_processes(root / "guard", asked.n, asked.minutes)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
