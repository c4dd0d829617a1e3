"""How long a sweep's beam is open: as the plan has it, and as it would be from move to file."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from voltomo.cli.cell_answer import filed_utc_s, in_field_s
from voltomo.cli.up import make_supervisor
from voltomo.profiles.beamline_file import load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.truth import open_intervals
from voltomo.twin.world import World

SCAN = ScanFile(
    sample="demo cell",
    projections=90,
    exposure_s=0.02,
    period_s=0.022,
    darks=5,
    flats_before=5,
    flats_after=0,
)
_PATIENCE_S = 120.0


@dataclass(frozen=True)
class SweepTiming:
    """Seconds of one sweep of the real plan.

    Attributes
    ----------
    managed_s : float
        Beam on the sample, as the shutter really stood.
    wasteful_s : float
        From the first move of a stage for this sweep to the close of its file, while the sample
        is in the beam.
    """

    managed_s: float
    wasteful_s: float


def measure(root: Path) -> SweepTiming:
    """Run the sweep on a virtual beamline of its own and read its world and log."""
    folder, file = RunFolder(root), load_beamline("virtual")
    path = root / "scan.yml"
    with make_supervisor(folder, file):
        path.write_text(yaml.safe_dump(SCAN.model_dump(mode="json")))
        words = ["scan", path, "--quiet", "--run-folder", root]
        done = subprocess.run(
            [sys.executable, "-m", "voltomo.cli.main", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stdout + done.stderr)
        return timing_of(folder)


def timing_of(folder: RunFolder) -> SweepTiming:
    """Timing of the last sweep of the folder's last scan."""
    world = World.open(folder.world)
    now_s = world.now_s()
    spans = open_intervals(world, 0.0, now_s)
    x = world.channel("sample_x")
    inside = [(a, b) for a, b in spans if abs(float(x.at((a + b) / 2))) < 2.5]
    opened_s, closed_s = inside[-1]
    closed_before_s = max((b for _, b in spans if b < opened_s), default=0.0)
    times = np.arange(closed_before_s, opened_s, 0.002)
    moving = np.zeros(times.shape, dtype=bool)
    for name in ("sample_x", "rotation"):
        moving |= np.abs(world.channel(name).velocity(times)) > 1e-6
    moved_s = float(times[np.flatnonzero(moving)[0]]) if moving.any() else opened_s
    filed_s = now_s - (time.time() - filed_utc_s(folder))
    return SweepTiming(closed_s - opened_s, in_field_s(world, moved_s, filed_s, 2.5))
