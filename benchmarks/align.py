"""How well a beamline is aligned from a random start: ``python -m benchmarks.align --n 20``.

Each seed is a virtual beamline of its own: another sample, axis off the middle by up to 6 % of the
field, camera rolled by up to 1°, axis pitched by up to 0.5°, focus off by up to 0.35 mm (three
pixels of blur), sample mounted up to 12 µm from the axis, first exposure 5 to 100 ms. ``voltomo
align --apply`` runs on it, and what it says is held against the world's own record. Errors are
those of what was reported at the end; ``centring_percent``, ``roll_left_deg``, ``pitch_left_deg``
and ``focus_left_mm`` are what is truly left of axis, roll, pitch and focus.
``--kept FILE`` keeps the cases, so that many seeds can be run a few at a time.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from voltomo.cli.up import make_supervisor
from voltomo.model.alignment import Alignment
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.records.alignments import alignments_in
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.world import World

LIMITS = {"axis_px": 0.2, "roll_deg": 0.02, "centring_percent": 1.0}
"""What must hold for every seed."""

_PATIENCE_S = 150.0


def random_start(seed: int) -> tuple[BeamlineFile, ScanFile]:
    """A beamline that nobody has aligned, and the scan that is wanted on it."""
    random = np.random.default_rng((seed, 0xA11))
    errors = {
        "axis_zero_mm": float(random.uniform(-0.04, 0.04)),
        "roll_zero_deg": float(random.uniform(-1, 1)),
        "tilt_zero_deg": float(random.uniform(-0.5, 0.5)),
        "focus_zero_mm": float(random.uniform(-0.35, 0.35)),
        "mount_x_um": float(random.uniform(-12, 12)),
        "mount_y_um": float(random.uniform(-12, 12)),
    }
    exposure_s = round(float(np.exp(random.uniform(np.log(0.005), np.log(0.1)))), 4)
    file = load_beamline("virtual").model_copy(
        update={"axis_column": None, "twin": {"seed": seed, "errors": errors}}
    )
    scan = ScanFile(
        sample=file.samples[0].name, projections=200, exposure_s=exposure_s,
        period_s=exposure_s + 0.02,
    )  # fmt: skip
    return file, scan


def errors_of(found: Alignment, file: BeamlineFile, world: World) -> dict[str, float]:
    """What was said against what is so; quantities that were not determined are left out."""
    now_s, errors = world.now_s(), file.twin["errors"]

    def at(channel: str) -> float:
        return float(world.channel(channel).value(now_s))

    roll_deg = at("camera_roll") + errors["roll_zero_deg"]
    pitch_deg = at("tilt") + errors["tilt_zero_deg"]
    middle = (file.columns - 1) / 2
    across = (at("sample_x") + errors["axis_zero_mm"]) * 1e3 / file.pixel_um
    axis = middle + across / math.cos(math.radians(roll_deg))
    said = {quantity.name: quantity.value for quantity in found.quantities}
    true = {
        "axis_px": ("axis", axis),
        "roll_deg": ("roll", roll_deg),
        "pitch_deg": ("pitch", pitch_deg),
        "focus_mm": ("focus", errors["focus_zero_mm"]),
        "pixel_um": ("pixel size", file.pixel_um),
    }
    off = {
        key: abs(value - truth)
        for key, (name, truth) in true.items()
        if (value := said.get(name)) is not None
    }
    return off | {
        "centring_percent": 100 * abs(axis - middle) / file.columns,
        "roll_left_deg": abs(roll_deg),
        "pitch_left_deg": abs(pitch_deg),
        "focus_left_mm": abs(at("focus") - errors["focus_zero_mm"]),
    }


def case(seed: int) -> dict[str, Any]:
    """Start a beamline, align it, and compare; a failure is a case with its words."""
    file, scan = random_start(seed)
    with tempfile.TemporaryDirectory() as place:
        folder = RunFolder(Path(place) / "run")
        with make_supervisor(folder, file):
            written = folder.root / "scan.yml"
            written.write_text(yaml.safe_dump(scan.model_dump(mode="json")))
            begun_s = time.monotonic()
            words = ["align", str(written), "--apply", "--run-folder", str(folder.root)]
            done = subprocess.run(
                [sys.executable, "-m", "voltomo.cli.main", *words],
                check=False, capture_output=True, text=True, timeout=_PATIENCE_S,
            )  # fmt: skip
            seconds = time.monotonic() - begun_s
            known = alignments_in(folder.run_log)
            if not known:
                return {"seed": seed, "failed": (done.stderr or done.stdout)[-500:]}
            found = known[-1]
            made = errors_of(found, file, World.open(folder.world))
    start_deg = {name: round(value, 4) for name, value in file.twin["errors"].items()}
    made_in = {
        "seed": seed,
        "start": {**start_deg, "exposure_s": scan.exposure_s},
        "errors": {name: round(value, 5) for name, value in made.items()},
        "frames": found.radiographs,
        "dose_of_scan": found.dose_Gy / found.scan_dose_Gy if found.scan_dose_Gy else None,
        "seconds": round(seconds, 1),
        "not_determined": [q.name for q in found.quantities if q.value is None],
    }
    beyond = [name for name, limit in LIMITS.items() if made.get(name, math.inf) > limit]
    return made_in | ({"failed": f"beyond the limit: {', '.join(beyond)}"} if beyond else {})


def summary(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """Median and worst of every error, frames, dose and failures."""
    good = [one for one in cases if "errors" in one]
    names = dict.fromkeys(name for one in good for name in one["errors"])
    spread = {
        name: _spread([one["errors"][name] for one in good if name in one["errors"]])
        for name in names
    }
    doses = [one["dose_of_scan"] for one in good if one["dose_of_scan"] is not None]
    return {
        "seeds": len(cases),
        "errors": spread,
        "limits": LIMITS,
        "frames": _spread([one["frames"] for one in good]),
        "dose_of_one_scan": _spread(doses),
        "seconds": _spread([one["seconds"] for one in good]),
        "failures": [{"seed": c["seed"], "why": c["failed"]} for c in cases if "failed" in c],
    }


def _spread(values: list[float]) -> dict[str, float | int]:
    if not values:
        return {"n": 0}
    return {
        "p50": round(float(np.median(values)), 5),
        "max": round(float(max(values)), 5),
        "n": len(values),
    }


def _kept_in(path: Path | None) -> list[dict[str, Any]]:
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def _keep(path: Path | None, made: dict[str, Any]) -> None:
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps(made) + "\n")


def main() -> None:
    """Align from some seeds and print; the summary comes last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kept", type=Path)
    asked = parser.parse_args()
    cases = _kept_in(asked.kept)
    done = {one["seed"] for one in cases}
    for seed in range(asked.seed, asked.seed + asked.n):
        if seed in done:
            continue
        made = case(seed)
        cases.append(made)
        sys.stdout.write(json.dumps(made) + "\n")
        sys.stdout.flush()
        _keep(asked.kept, made)
    sys.stdout.write(json.dumps(summary(cases)) + "\n")


if __name__ == "__main__":
    main()
