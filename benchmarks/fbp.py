"""Whole slices of tomography against other libraries: ``python -m benchmarks.fbp --seed S``.

16 slices of 1024² from 900 angles over half a turn: exact sinograms of seeded phantoms, once as
they are and once counted by 1e4 photons a pixel. All use their unwindowed ramp, one thread, and
are scored in one disc. ``ms_per_slice`` is CPU time, the median of interleaved rounds; what takes
long makes fewer slices in a round, but all of them are scored. ``setup_ms`` is what is computed
once for a scan, without imports and compilation. ``rel_rmse`` is the error after the best scale
and offset; ``slope`` is the scale, 1 where contrasts are right.

The ramp is the same, but methods that interpolate linearly between columns soften noise and
edges with it. ``matched_rel_rmse_noisy`` therefore gives the noisy error of `voltomo` once it
has been softened to the resolution of each other method. Peers come by ``make setup-bench``;
what is not there is "absent". Takes some twenty minutes with all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bandwidth import updates_and_bandwidth
from benchmarks.fbp_methods import METHODS
from benchmarks.fbp_process import Absent, Failed, MethodProcess
from benchmarks.fbp_score import Pose, Transfer, error_and_slope, pose_of
from benchmarks.phantoms import counted, phantom

_COUNTS = 1e4
_ROUND_S = 3.0
_PATIENCE_S = 1800.0


@dataclass(frozen=True)
class Data:
    """Phantoms and their sinograms, also as files in `folder`."""

    folder: Path
    angles_deg: NDArray[np.float64]
    truths: NDArray[np.float32]

    @classmethod
    def make(cls, folder: Path, seed: int, slices: int, size: int, views: int) -> Data:
        """Draw and project; the slices differ, and another seed gives others."""
        angles_deg = np.arange(views) * 180.0 / views
        random = np.random.default_rng(seed)
        seeds = random.integers(0, 2**31, slices)
        axes = ((size - 1) / 2, size / 2)
        made = [phantom(int(one), size, angles_deg, axes) for one in seeds]
        for whole in (False, True):
            clean = np.stack([sinograms[int(whole)] for _, sinograms in made])
            noisy = np.stack([counted(one, _COUNTS, random) for one in clean])
            np.save(sinograms_of(folder, "clean", whole), clean)
            np.save(sinograms_of(folder, "noisy", whole), noisy)
        return cls(folder, angles_deg, np.stack([truth for truth, _ in made]))


def sinograms_of(folder: Path, kind: str, whole_axis: bool) -> Path:
    """Where the "clean" or "noisy" sinograms lie."""
    return folder / f"{kind}{'-whole-axis' if whole_axis else ''}.npy"


@dataclass
class Contender:
    """One method in its process, and what was found of it."""

    process: MethodProcess
    setup_s: float
    folder: Path
    slices_a_round: int = 1
    cpu_s: list[float] = field(default_factory=list[float])

    def slices(self, kind: str) -> NDArray[np.float32]:
        """What it made of the "clean" or "noisy" sinograms."""
        return np.load(self.folder / f"{self.process.name}-{kind}.npy")

    def make_slices(self, slices: int) -> None:
        """Reconstruct everything, and see how many slices fit into a round."""
        name = self.process.name
        for kind in ("noisy", "clean"):
            source = sinograms_of(self.folder, kind, METHODS[name].whole_axis)
            target = self.folder / f"{name}-{kind}.npy"
            self.process.ask({"load": str(source)}, _PATIENCE_S)
            begin = time.monotonic()
            self.process.ask({"save": str(target)}, _PATIENCE_S)
            taken_s = time.monotonic() - begin
        self.slices_a_round = min(slices, max(1, round(_ROUND_S * slices / taken_s)))

    def time_round(self) -> None:
        """One round of slices, timed."""
        order = {"time": self.slices_a_round}
        self.cpu_s.append(self.process.ask(order, _PATIENCE_S)["cpu_s"] / self.slices_a_round)

    def ms_per_slice(self) -> float:
        """CPU time, the median of all rounds."""
        return 1e3 * float(np.median(self.cpu_s))


def start(name: str, data: Data) -> Contender | str | dict[str, str]:
    """Start and set up a method; "absent" where it cannot be had, or what failed."""
    try:
        process = MethodProcess(name)
        order = {"make": data.truths.shape[1], "angles_deg": data.angles_deg.tolist()}
        made = process.ask(order, _PATIENCE_S)
    except Absent as why:
        _say(f"{name} is absent: {why}")
        return "absent"
    except Failed as why:
        _say(f"{name} failed: {why}")
        return {"failed": str(why)}
    _say(f"{name}: compiled in {made['compile_s']:.1f} s")
    return Contender(process, made["setup_s"], data.folder)


def measure(contenders: dict[str, Contender], data: Data, rounds: int) -> dict[str, str]:
    """Let all make their slices, then time them in turn; return what failed."""
    failed: dict[str, str] = {}

    def attempt(name: str, what: Any, *arguments: Any) -> None:
        try:
            what(*arguments)
        except Failed as why:
            failed[name] = str(why)
            _say(f"{name} failed: {why}")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, contender in contenders.items():
            pool.submit(attempt, name, contender.make_slices, len(data.truths))
    for number in range(rounds):
        _say(f"round {number + 1} of {rounds}")
        for name, contender in contenders.items():
            if name not in failed:
                attempt(name, contender.time_round)
    return failed


def score(contender: Contender, data: Data) -> tuple[dict[str, Any], Pose]:
    """Errors over all slices, and the pose that was undone."""
    clean, noisy = contender.slices("clean"), contender.slices("noisy")
    pose = pose_of(clean[0], data.truths[0])
    _say(f"{contender.process.name}: {pose}")
    pairs = list(zip(clean, noisy, data.truths, strict=True))
    right = [error_and_slope(pose.of(one), truth) for one, _, truth in pairs]
    wrong = [error_and_slope(pose.of(one), truth) for _, one, truth in pairs]
    row = {
        "ms_per_slice": round(contender.ms_per_slice(), 2),
        "setup_ms": round(1e3 * contender.setup_s, 1),
        "rel_rmse": round(float(np.mean([error for error, _ in right])), 4),
        "rel_rmse_noisy": round(float(np.mean([error for error, _ in wrong])), 4),
        "slope": round(float(np.mean([slope for _, slope in right])), 4),
    }
    return row, pose


def matched(contenders: dict[str, Contender], poses: dict[str, Pose], data: Data) -> dict[str, Any]:
    """Noisy error of `voltomo`, softened to the resolution of each other method."""
    if "voltomo" not in poses:
        return {}
    transfer = Transfer(data.truths.shape[1])
    own = transfer.of(contenders["voltomo"].slices("clean"), data.truths)
    noisy = contenders["voltomo"].slices("noisy")
    found: dict[str, Any] = {}
    for name, pose in poses.items():
        if name == "voltomo":
            continue
        theirs = np.stack([pose.of(one) for one in contenders[name].slices("clean")[:4]])
        wanted = transfer.of(theirs, data.truths)
        errors = [
            error_and_slope(transfer.softened(one, own, wanted), truth)[0]
            for one, truth in zip(noisy, data.truths, strict=True)
        ]
        found[name] = round(float(np.mean(errors)), 4)
    return found


def compare(names: list[str], data: Data, rounds: int) -> dict[str, Any]:
    """All of the comparison, as printed."""
    started = {name: start(name, data) for name in names}
    contenders = {name: one for name, one in started.items() if isinstance(one, Contender)}
    tools: dict[str, Any] = {n: o for n, o in started.items() if not isinstance(o, Contender)}
    try:
        failed = measure(contenders, data, rounds)
    finally:
        for contender in contenders.values():
            contender.process.close()
    poses: dict[str, Pose] = {}
    for name, contender in contenders.items():
        if name in failed:
            tools[name] = {"failed": failed[name]}
        else:
            tools[name], poses[name] = score(contender, data)
    updates, fraction = updates_and_bandwidth(data.truths.shape[1], data.angles_deg.size)
    return {
        "tools": {name: tools[name] for name in names},
        "updates_per_s_core": float(f"{updates:.4g}"),
        "load_bandwidth_fraction": round(fraction, 3),
        "matched_rel_rmse_noisy": matched(contenders, poses, data),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slices", type=int, default=16)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--views", type=int, default=900)
    parser.add_argument("--tools", nargs="*", choices=METHODS, default=list(METHODS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        data = Data.make(Path(place), options.seed, options.slices, options.size, options.views)
        result = compare(options.tools, data, options.rounds)
    sys.stdout.write(json.dumps(result) + "\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
