"""What a sweep costs beside its frames: ``python -m benchmarks.overhead --seconds 1 10 100``.

Sweeps of so many seconds on the virtual beamline. ``start_to_first_frame_s`` runs from the call of
the plan to the first trigger of the sweep, priming, darks and flats included. The rest is of the
sweep alone: ``beam_open_s`` is the time that the beam was open on the sample, ``beam_useful_s`` the
exposures of its valid frames; the camera's dead time between them is not useful, so that the
exposure is as long as the period lets it be (0.98 of it).
``wasted_fraction`` is the part of the sweep's dose that no valid frame received,
``wasted_fraction_by_time`` the part of its open time in which none was exposed.
``aim_fraction`` is 3 %, or two travels of the shutter and a frame where that is more.
``events_per_s`` is how many events a plain RunEngine with the run log subscribed takes in a
second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from voltomo.cli.export import find_run
from voltomo.cli.up import make_supervisor
from voltomo.profiles.beamline_file import load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.records.run_log import RunLog
from voltomo.records.scan import Scan, read_scan
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.settings import TwinSettings

_RATE = 25.0
_EXPOSED = 0.98
_AIM = 0.03


def sweep_costs(scan: Scan, called_utc_s: float) -> dict[str, Any]:
    """Times and waste of the one sweep of a scan."""
    record = scan.record
    number = next(at for at, block in enumerate(record.blocks) if block.kind == "sweep")
    block = record.blocks[number]
    rows = scan.table.of_blocks([number])
    to_utc_s = record.latches.utc_minus_trigger_s
    first_utc_s = float(rows.time_s.min()) + to_utc_s
    openings = [o for o in record.openings if o.purpose == block.name]
    open_s = sum(opening.open_s for opening in openings)
    dose_Gy = sum(opening.dose_central_Gy for opening in openings)
    useful_s = int(rows.valid.sum()) * record.spec.exposure_s
    useful_Gy = float(rows.dose_Gy[rows.valid].sum())
    return {
        "start_to_first_frame_s": round(first_utc_s - called_utc_s, 2),
        "beam_open_s": round(open_s, 3),
        "beam_useful_s": round(useful_s, 3),
        "wasted_fraction": round(1 - useful_Gy / dose_Gy, 4) if dose_Gy else None,
        "wasted_fraction_by_time": round(1 - useful_s / open_s, 4) if open_s else None,
    }


def events_per_s(folder: Path, points: int = 500) -> float:
    """Events a second of a RunEngine that writes the run log."""
    from bluesky import RunEngine
    from bluesky.plans import count
    from ophyd.sim import SynSignal

    engine = RunEngine({})
    with RunLog(folder / "events.log") as log:
        engine.subscribe(log)
        # Its describe() is untyped, which the engine's protocol does not accept.
        detector: Any = SynSignal(func=lambda: 1.0, name="detector")
        before = time.perf_counter()
        engine(count([detector], points))
        return points / (time.perf_counter() - before)


def one_sweep(folder: RunFolder, seconds: float) -> dict[str, Any]:
    """Costs of a sweep of so many seconds, on the beamline that is up in this folder."""
    scan_file = ScanFile(
        sample="demo cell",
        projections=int(np.ceil(seconds * _RATE)),
        exposure_s=_EXPOSED / _RATE,
        period_s=1 / _RATE,
    )
    written = folder.root / "scan.yml"
    written.write_text(yaml.safe_dump(scan_file.model_dump(mode="json")))
    command = [sys.executable, "-m", "benchmarks.scan_only", str(folder.root)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"the scan failed: {done.stderr[-2000:]}")
    called_utc_s = json.loads(done.stdout.splitlines()[-1])["called_utc_s"]
    found = sweep_costs(read_scan(folder, find_run(folder, "last")), called_utc_s)
    travel_s = TwinSettings.load(folder).travel_s
    least = (2 * travel_s + scan_file.exposure_s) / seconds
    return {"seconds": seconds, **found, "aim_fraction": round(max(_AIM, least), 4)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, nargs="+", default=[10.0])
    asked = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place) / "run")
        with make_supervisor(folder, load_beamline("virtual")):
            sweeps = [one_sweep(folder, seconds) for seconds in asked]
        # The first one's figures stand alone, too: that is what has been compared from the start.
        result = sweeps[0] | {"sweeps": sweeps}
        result["events_per_s"] = round(events_per_s(Path(place)), 1)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
