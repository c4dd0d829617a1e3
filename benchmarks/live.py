"""How fast frames go from camera to file and to the live view: ``python -m benchmarks.live``.

1024² uint16 frames, made before the start, go through camera process, PVA, worker and the PVs of
the planes at 20, 50 and 100 frames/s, then at rising rates. Latency is from the end of an exposure
to an outside client's receipt of the first slice that holds its trigger, for kinds with planes of
the first oblique plane; ``worker_p50_ms`` and, of all planes, ``planes_p99_ms`` are what the worker
itself says, up to the publication. ``in_planes`` is how many views the planes hold at the end.

Kinds: ``tomography`` is the horizontal slice alone, ``three planes`` a tomography with both upright
planes and the oblique one beside it, ``laminography`` all four about an axis tilted by 30°.
``views_dropped`` found no room in the worker and were left to the file. A rate counts as reached
when every frame is in the file *and* was used from the stream in all planes, with p99 ≤ 250 ms; for
kinds with planes, whose images are published four times a second, with p99 ≤ 1 s.

The first rate beyond the highest that was reached is kept in the result: it shows what happens
above capacity. ``--twice`` adds a run at twice the highest. ``cpu_ms_per_frame`` is the CPU of each
process; ``stages_ms`` that of each stage of the planes, one after the other on one thread.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.live_stages import stages_ms
from benchmarks.processes import cpu_seconds
from voltomo.cli.export import find_run
from voltomo.cli.supervisor import Supervisor
from voltomo.cli.up import make_supervisor
from voltomo.live.observer import SliceObserver, latencies_s
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.records.scan import Scan, read_scan
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.world import World

_DEADLINE_MS = {"tomography": 250.0, "three planes": 1000.0, "laminography": 1000.0}
_TILT_DEG = 30.0
_CONNECT_S = 30.0
_SERVICES = ("motion", "beam", "shutter", "camera", "writer", "guard", "worker", "page")


def beamline(kind: str = "tomography") -> BeamlineFile:
    """The virtual beamline with frames of 1024² that were made at the start."""
    file = load_beamline("virtual")
    samples = [
        s.model_copy(update={"beam_limit_s": 1e5, "dose_limit_Gy": 1e9}) for s in file.samples
    ]
    return file.model_copy(
        update={
            "rows": 1024,
            "columns": 1024,
            "axis_column": 511.5,
            "samples": samples,
            "live": {"planes": kind != "tomography"},
            "twin": {**file.twin, "camera": {"prerendered": True}},
        }
    )


def scan_file(rate: float, seconds: float, kind: str = "tomography") -> ScanFile:
    """One sweep of so many seconds at a rate."""
    tilted = kind == "laminography"
    return ScanFile(
        kind="laminography" if tilted else "tomography",
        tilt_deg=_TILT_DEG if tilted else 0.0,
        range_deg=360.0 if tilted else 180.0,
        sample="demo cell",
        projections=round(rate * seconds),
        exposure_s=0.6 / rate,
        period_s=1.0 / rate,
        darks=12,
        flats_before=12,
        flats_after=0,
    )


@dataclass
class Watched:
    """CPU of each process over the scan."""

    supervisor: Supervisor
    before: dict[str, float]

    @classmethod
    def start(cls, supervisor: Supervisor) -> Watched:
        """Read all counters."""
        return cls(supervisor, {n: cpu_seconds(supervisor.pid(n)) for n in _SERVICES})

    def ms_per_frame(self, frames: int) -> dict[str, float]:
        """Milliseconds of CPU a frame since the start, by process."""
        return {
            name: round(1e3 * (cpu_seconds(self.supervisor.pid(name)) - since) / frames, 3)
            for name, since in self.before.items()
        }


def run_rate(
    supervisor: Supervisor, folder: RunFolder, rate: float, seconds: float, kind: str
) -> dict[str, Any]:
    """Scan once at a rate and measure."""
    written = folder.root / "scan.yml"
    written.write_text(yaml.safe_dump(scan_file(rate, seconds, kind).model_dump(mode="json")))
    known = len(World.open(folder.world).frames)
    watched = Watched.start(supervisor)
    flat = kind == "tomography"
    with SliceObserver(supervisor.addresses, "Slice" if flat else "Oblique") as observer:
        if not observer.wait_connected(_CONNECT_S):
            raise SystemExit("the worker's slices cannot be seen")
        command = [sys.executable, "-m", "benchmarks.scan_only", str(folder.root)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"the scan at {rate}/s failed: {done.stderr[-2000:]}")
        uid = find_run(folder, "last")
        live = json.loads(done.stdout.splitlines()[-1])
        receipts = observer.receipts(uid)
    scan = read_scan(folder, uid)
    sweep = next(at for at, block in enumerate(scan.record.blocks) if block.kind == "sweep")
    frames = int(np.count_nonzero(scan.table.block == sweep))
    cpu = watched.ms_per_frame(int(scan.table.index.size))
    latency = _latencies(folder, known, scan, sweep, receipts)
    return {
        "kind": kind,
        "rate": rate,
        "seconds": round(frames / rate, 1),
        "frames": frames,
        "file_lost": int(np.count_nonzero(~scan.table.valid)),
        "processed": int(live["frames_streamed"]) - (int(scan.table.index.size) - frames),
        "views_dropped": int(live["views_dropped"]),
        "in_planes": None if flat else int(live["planes_views"]),
        "latency_p50_ms": _percentile_ms(latency, 50),
        "latency_p99_ms": _percentile_ms(latency, 99),
        "worker_p50_ms": live["latency_p50_ms"],
        "planes_p99_ms": None if flat else live["planes_latency_p99_ms"],
        "cpu_ms_per_frame": cpu,
    }


def _latencies(
    folder: RunFolder, known: int, scan: Scan, sweep: int, receipts: np.ndarray
) -> np.ndarray:
    world = World.open(folder.world)
    block = scan.record.blocks[sweep]
    rows = world.frames.since(known)
    rows = rows[(rows["index"] >= block.first) & (rows["index"] < block.last)]
    offset = time.monotonic() - world.now_s()
    late = latencies_s(receipts, rows["index"], rows["end_s"] + offset)
    missing = rows.size - late.size
    return np.concatenate([late, np.full(missing, np.inf)]) if missing else late


def _percentile_ms(latency_s: np.ndarray, percent: float) -> float | None:
    """A percentile in milliseconds; None where so many were shown by no slice."""
    value = float(np.percentile(latency_s, percent, method="higher")) * 1e3
    return round(value, 1) if np.isfinite(value) else None


def reached(run: dict[str, Any]) -> bool:
    """Every frame in the file, processed and in the planes, in time."""
    if run["kind"] != "tomography" and (
        run["in_planes"] < run["frames"]
        or run["planes_p99_ms"] is None
        or run["planes_p99_ms"] > _DEADLINE_MS[run["kind"]]
    ):
        return False
    return (
        run["file_lost"] == 0
        and run["processed"] >= run["frames"]
        and run["views_dropped"] == 0
        and run["latency_p99_ms"] is not None
        and run["latency_p99_ms"] <= _DEADLINE_MS[run["kind"]]
    )


def run_kind(kind: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All rates of a kind, on a beamline of its own."""
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place) / "run")
        with make_supervisor(folder, beamline(kind)) as supervisor:

            def run(rate: float) -> dict[str, Any]:
                runs.append(_said(run_rate(supervisor, folder, rate, options.seconds, kind)))
                return runs[-1]

            for rate in options.rates:
                run(rate)
            rate = max((done["rate"] for done in runs if reached(done)), default=0.0)
            while rate and rate + 10 <= options.highest and reached(run(rate + 10)):
                rate += 10
            if options.twice and rate:
                run(2 * rate)
    return runs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rates", type=float, nargs="*", default=[20.0, 50.0, 100.0])
    parser.add_argument("--highest", type=float, default=200.0)
    parser.add_argument("--kinds", nargs="*", choices=list(_DEADLINE_MS), default=["tomography"])
    parser.add_argument("--twice", action="store_true", help="a run at twice the highest rate")
    options = parser.parse_args()
    runs = [run for kind in options.kinds for run in run_kind(kind, options)]
    best = {
        kind: max((r["rate"] for r in runs if r["kind"] == kind and reached(r)), default=0.0)
        for kind in options.kinds
    }
    stages = {kind: stages_ms(kind) for kind in options.kinds if kind != "tomography"}
    said = {"runs": runs, "max_rate": best, "stages_ms": stages}
    sys.stdout.write(json.dumps(said) + "\n")


def _said(run: dict[str, Any]) -> dict[str, Any]:
    sys.stderr.write(json.dumps(run) + "\n")
    return run


if __name__ == "__main__":
    main()
