"""Scans that are interrupted at random moments: ``python -m benchmarks.interruptions --n 30``.

Each scan on the virtual beamline is met by one dump of the ring, one kick of the beam as at a
top-up, or one pause, at a random moment from the opening of its session on. Two scans without
any come first: how much these differ is the noise. Of each interrupted scan it is told whether it
came to its end, whether all projections are there once, how much its normalised projections differ
from an undisturbed scan's in units of that noise (all, and the worst one), and whether the dose
account adds up to what the guard charged. ``--first`` goes on where an earlier call ended, so that
a long series can be taken in parts.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml
from numpy.typing import NDArray

from voltomo.cli.up import make_supervisor
from voltomo.profiles.beamline_file import load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.records.nxtomo import export_nxtomo
from voltomo.records.scan import read_scan
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.world import Fault, World

KINDS = ("dump", "top-up", "pause")
SPREAD = 1.1
"""Differences of all projections are noise up to here, as a part of it."""
WORST = 1.5
"""Those of a single one."""
_PERIOD_S = 0.04
_SCAN_S = 150.0
_KICK_UM = 200.0


@dataclass(frozen=True)
class Interruption:
    """What comes, how long after the session was started, for how long."""

    kind: str
    after_s: float
    for_s: float


@dataclass(frozen=True)
class Seen:
    """What became of one scan."""

    asked: Interruption
    exit: str
    whole: bool
    spread: float
    worst: float
    accounted: bool
    retaken: int

    @property
    def good(self) -> bool:
        """Whether nothing is wrong with it."""
        noise = self.spread <= SPREAD and self.worst <= WORST
        return self.exit == "success" and self.whole and self.accounted and noise


def draw(first: int, number: int, seed: int) -> list[Interruption]:
    """Interruptions of a seed; every kind comes up equally often."""
    found: list[Interruption] = []
    for k in range(first, first + number):
        dice = random.Random(f"{seed} {k}")
        found.append(
            Interruption(KINDS[k % len(KINDS)], dice.uniform(3.0, 16.0), dice.uniform(0.3, 2.0))
        )
    return found


class Bench:
    """A virtual beamline in a run folder, and scans on it."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.world = World.open(folder.world)
        scan = ScanFile(
            sample="demo cell", projections=60, exposure_s=0.02, period_s=_PERIOD_S, sweeps=2,
            order="alternate", darks=5, flats_before=10, flats_after=0,
        )  # fmt: skip
        (folder.root / "scan.yml").write_text(yaml.safe_dump(scan.model_dump(mode="json")))

    def scan(self, interruption: Interruption | None) -> dict[str, Any]:
        """One scan; what its session says of it."""
        command = [sys.executable, "-m", "benchmarks.resuming_scan", str(self.folder.root)]
        session = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        try:
            if interruption is not None:
                time.sleep(interruption.after_s)
                self._interrupt(session, interruption)
            said, wrong = session.communicate(timeout=_SCAN_S)
        finally:
            self.world.heal()
            if session.poll() is None:
                session.kill()
                session.communicate()
        lines = said.splitlines()
        if session.returncode != 0 or not lines:
            raise RuntimeError(f"the session ended with {session.returncode}: {wrong[-1500:]}")
        return json.loads(lines[-1])

    def _interrupt(self, session: subprocess.Popen[str], what: Interruption) -> None:
        now_s = self.world.now_s()
        if what.kind == "dump":
            self.world.inject(Fault("beam_dump", value=what.for_s, at_s=now_s))
        elif what.kind == "top-up":
            self.world.inject(Fault("beam_moved_x", value=_KICK_UM, at_s=now_s))
            time.sleep(what.for_s)
            self.world.heal()
        elif session.poll() is None:
            session.send_signal(signal.SIGINT)

    def projections(self, uid: str) -> NDArray[np.float64]:
        """Normalised projections of a scan in the order of angle and sweep, (n, rows, columns)."""
        path = self.folder.exports / f"{uid}.nxs"
        export_nxtomo(read_scan(self.folder, uid), path)
        with h5py.File(path, "r") as file:
            images: Any = file["entry/instrument/detector/data"]
            keys = np.asarray(file["entry/instrument/detector/image_key"])
            angles = np.asarray(file["entry/sample/rotation_angle"])
            frames = np.asarray(images[...], dtype=np.float64)
        dark = frames[keys == 2].mean(axis=0)
        flat = frames[keys == 1].mean(axis=0) - dark
        order = np.argsort(np.round(angles[keys == 0], 4), kind="stable")
        return (frames[keys == 0][order] - dark) / np.maximum(flat, 1.0)


def judge(bench: Bench, asked: Interruption, plain: NDArray[np.float64], noise: float) -> Seen:
    """Take one interrupted scan and look at it."""
    said = bench.scan(asked)
    scan = read_scan(bench.folder, said["uid"])
    found = bench.projections(said["uid"])
    whole = found.shape == plain.shape and scan.table.missing.size == 0
    spread = worst = float("inf")
    if whole:
        away = np.sqrt(np.mean((found - plain) ** 2, axis=(1, 2))) / noise
        spread, worst = float(np.sqrt(np.mean(away**2))), float(away.max())
    charged = sum(opening.dose_central_Gy for opening in scan.record.openings)
    by_cause = sum(scan.dose.by_cause.values())
    retaken = sum(take.outcome == "interrupted" for take in scan.record.takes)
    accounted = abs(by_cause - charged) <= 1e-6 * max(charged, 1.0)
    return Seen(asked, said["exit"], whole, spread, worst, accounted, retaken)


def summary(seen: list[Seen]) -> dict[str, Any]:
    """What is printed."""
    return {
        "scans": len(seen),
        "good": sum(one.good for one in seen),
        "by_kind": dict(Counter(one.asked.kind for one in seen)),
        "not_to_the_end": sum(one.exit != "success" for one in seen),
        "not_whole": sum(not one.whole for one in seen),
        "not_accounted": sum(not one.accounted for one in seen),
        "takes_again": sum(one.retaken for one in seen),
        "spread_over_noise_max": round(max((one.spread for one in seen), default=0.0), 3),
        "worst_over_noise_max": round(max((one.worst for one in seen), default=0.0), 3),
    }


def main() -> None:
    """Run, judge, print; each scan that fell short is told on stderr."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=30)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    seen: list[Seen] = []
    file = load_beamline("virtual")
    rich = file.samples[0].model_copy(update={"beam_limit_s": 1e5, "dose_limit_Gy": 1e9})
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place) / "run")
        with make_supervisor(folder, file.model_copy(update={"samples": [rich]})):
            bench = Bench(folder)
            plain, other = (bench.projections(bench.scan(None)["uid"]) for _ in range(2))
            noise = float(np.sqrt(np.mean((plain - other) ** 2)))
            for interruption in draw(asked.first, asked.n, asked.seed):
                seen.append(judge(bench, interruption, plain, noise))
                if not seen[-1].good:
                    sys.stderr.write(f"{seen[-1]}\n")
    sys.stdout.write(json.dumps(summary(seen)) + "\n")


if __name__ == "__main__":
    main()
