"""A session that scans ``scan.yml`` of a run folder and prints what the live path made of it."""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

from ophyd import EpicsSignalRO

from voltomo.cli.scan import perform
from voltomo.profiles.beamline_file import running_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.profiles.session import open_session
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.yaml_file import load_yaml

_PATIENCE_S = 60.0
_CONNECT_S = 10.0


def _planes(prefix: str) -> dict[str, float | None]:
    """What the worker says of its planes; None where that is no number."""
    said: dict[str, float | None] = {}
    for name, pv in (
        ("planes_views", "PlanesViews"),
        ("planes_latency_p99_ms", "PlanesLatencyP99"),
    ):
        signal = EpicsSignalRO(prefix + pv, name=name)
        signal.wait_for_connection(timeout=_CONNECT_S)
        value = float(signal.get())
        said[name] = value if math.isfinite(value) else None
    return said


def main() -> None:
    """Scan, wait for the worker, print its figures as JSON last."""
    folder = RunFolder(Path(sys.argv[1]))
    beamline = running_beamline(folder)
    spec = load_yaml(folder.root / "scan.yml", ScanFile).spec(beamline)
    with open_session(folder, beamline) as session:
        called_utc_s = time.time()
        done = perform(session, spec)
        deadline = time.monotonic() + _PATIENCE_S
        while session.live.state_of(done.uid) != "Done" and time.monotonic() < deadline:
            time.sleep(0.2)
        live = session.live.progress() | _planes(session.live.prefix)
    if done.exit_status != "success":
        raise SystemExit(done.error)
    made = {"uid": done.uid, "called_utc_s": called_utc_s, **live}
    sys.stdout.write(json.dumps(made) + "\n")


if __name__ == "__main__":
    main()
