"""Volumes at any tilt, and against mbirjax: ``python -m benchmarks.volume``.

Each volume is made in a process of its own, with one thread: n^3 voxels from n views of exact
projections of balls, over half a turn at tilt 0 and a whole one else. ``cpu_s`` is processor time
with all that belongs to it (filter, back-projection, copying the planes out), without the making of
the projections; ``gups_core`` counts as updates the voxels of the cylinder, which alone are made,
times the views. Up to the size of ``--slabs-from`` the volume is held and grows, and
``last_frame_to_volume_s`` is what remains after its last view; from there on it is made in slabs
within ``--free-mb``. ``peak_mb`` is what the process took beyond what it had before,
``promised_mb`` what was promised before it began. ``exponent`` is that of the processor time in n.
``laminography_gups_core`` is ``gups_core`` of the largest volume at a tilt that was held.
``mbirjax_ratio`` is mbirjax's processor time for ``direct_recon`` over ours, for one scan, each
compiled before and held to one processor; ``likeness`` is the correlation with the truth.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.volume_source import Balls

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / ".venv-bench" / "bin" / "python"
_LONGEST_S = 3000.0


def case(n: int, tilt_deg: float, free_mb: float) -> dict[str, Any]:
    """Measure one volume in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.volume_case", str(n), str(tilt_deg), str(free_mb)]
    done = subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=_LONGEST_S
    )
    made: dict[str, Any] = json.loads(done.stdout)
    sys.stderr.write(json.dumps(made) + "\n")
    return made


def exponent(sizes: list[dict[str, Any]], tilt_deg: float) -> float | None:
    """Slope of log processor time over log n, of the volumes at one tilt."""
    of_tilt = [made for made in sizes if made["tilt_deg"] == tilt_deg]
    if len(of_tilt) < 2:
        return None
    logs = np.log([[made["n"], made["cpu_s"]] for made in of_tilt])
    return round(float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0]), 2)


def against_mbirjax(n: int, tilt_deg: float, python: Path) -> dict[str, Any] | str:
    """The same scan by both; "absent" where the peers were not installed."""
    if not python.exists():
        return "absent"
    from voltomo.analysis.volume import VolumeReconstructor
    from voltomo.analysis.volume_plan import plan_volume
    from voltomo.analysis.warmup import warm_up
    from voltomo.model.geometry import Geometry

    warm_up()
    source = Balls(n, tilt_deg)
    projections = np.stack([source[view, slice(0, n)] for view in range(n)])
    truth = source.truth()
    inside = np.zeros(truth.shape, bool)
    inside[n // 4 : -n // 4, n // 4 : -n // 4, n // 4 : -n // 4] = True
    geometry = Geometry(
        rows=n, columns=n, pixel_um=1.0, tilt_deg=tilt_deg, step_deg=360 / n, projections=n
    )
    plan = plan_volume(geometry, grows=True)
    before = time.process_time()
    volume = VolumeReconstructor(geometry, plan)
    for projection, angle_deg in zip(projections, source.angles_deg, strict=True):
        volume.add(projection, float(angle_deg))
    own = volume.recon()
    cpu_s = time.process_time() - before
    with tempfile.TemporaryDirectory() as place:
        scan = Path(place) / "scan.npz"
        np.savez(
            scan, projections=projections, truth=truth, inside=inside,
            angles_rad=np.radians(source.angles_deg), tilt_rad=math.radians(tilt_deg),
        )  # fmt: skip
        done = subprocess.run(
            [str(python), str(ROOT / "benchmarks/volume_peer.py"), str(scan)],
            check=False, capture_output=True, text=True, timeout=_LONGEST_S, env=_one_thread(),
        )  # fmt: skip
    if done.returncode != 0:
        if "No module named 'mbirjax'" in done.stderr:
            return "absent"
        return f"failed: {done.stderr.strip().splitlines()[-1]}"
    peer = json.loads(done.stdout.splitlines()[-1])
    likeness = float(np.corrcoef(own[inside], truth[inside])[0, 1])
    return {
        "n": n,
        "cpu_s": round(cpu_s, 3),
        "mbirjax_cpu_s": round(peer["cpu_s"], 3),
        "likeness": round(likeness, 4),
        "mbirjax_likeness": round(peer["likeness"], 4),
    }


def _one_thread() -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **dict.fromkeys(names, "1")}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[256, 512, 1024])
    parser.add_argument("--tilts", type=float, nargs="*", default=[0.0, 30.0])
    parser.add_argument("--slabs-from", type=int, default=1024)
    parser.add_argument("--free-mb", type=float, default=2000.0)
    parser.add_argument("--peer-size", type=int, default=256)
    parser.add_argument("--peers", type=Path, default=PEERS, help="Python that has mbirjax")
    options = parser.parse_args()
    sizes = [
        case(n, tilt_deg, options.free_mb if n >= options.slabs_from else 0.0)
        for tilt_deg in options.tilts
        for n in options.sizes
    ]
    tilted = [made for made in sizes if made["tilt_deg"] > 0]
    held = [made for made in tilted if made["n"] < options.slabs_from] or tilted
    peer = against_mbirjax(options.peer_size, max(options.tilts), options.peers)
    result = {
        "sizes": sizes,
        "exponent": exponent(sizes, max(options.tilts)),
        "laminography_gups_core": held[-1]["gups_core"] if held else None,
        "mbirjax_ratio": peer
        if isinstance(peer, str)
        else round(peer["mbirjax_cpu_s"] / peer["cpu_s"], 1),
        "mbirjax": peer,
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
