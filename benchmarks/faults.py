"""Processes killed and stopped by the dozen: ``python -m benchmarks.faults --n 20 --minutes 15``.

An experiment of so many seconds runs on the virtual beamline, sweep by sweep. At a random moment
the plan's process, the guard, the shutter's controller, the camera or the writer gets SIGKILL, or
SIGSTOP and some seconds later SIGCONT. What is judged is the world's own record, not a readback:

- ``beam_left_open``: the shutter was open `CLOSED_WITHIN_s` after the end of whatever was to keep
  it open (the fault itself for plan, guard and controller; the session's end for the camera side);
- ``ledger_below_truth``: the sample received more than its account says;
- ``ledger_over_one_reservation``: the account says more than that, its uncertainty and one
  reservation at the declared upper bound of the flux;
- ``not_resumed``: a short scan afterwards did not succeed by itself;
- ``closed_s_max``: the longest time from a fault under an open beam until it was closed, for plan,
  guard and controller.

``runs`` is how many were done within ``minutes``. Further keys tell how often the beam was open at
the moment of the fault, and what was hit.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from voltomo.cli.supervisor import Supervisor
from voltomo.cli.up import make_supervisor
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.guard_settings import GuardSettings, read_guard_settings
from voltomo.dose.ledger import Ledger
from voltomo.dose.materials import material
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.append_log import LogReader
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.truth import fluence, open_intervals
from voltomo.twin.world import World

CLOSED_WITHIN_s = 1.0
SWEEP_s = 6.0
PERIOD_s = 0.05
READY_s = 40.0
SESSION_s = 60.0
RENEW_AFTER = 4
"""Of one service, restarts that a supervisor allows; then it is given up as it would be in use."""
TARGETS = ("plan", "guard", "shutter", "camera", "writer")
HOLDERS = ("plan", "guard", "shutter")
"""Without one of these nothing may keep the beam on."""


@dataclass(frozen=True)
class Fault:
    """What happens to whom, how long after the first beam, and for how long where it goes on."""

    target: str
    kill: bool
    after_s: float
    for_s: float

    def described(self) -> str:
        """Target and signal in words."""
        return f"{self.target} {'killed' if self.kill else 'stopped'}"


@dataclass(frozen=True)
class Seen:
    """What came of one run. Times are the world's; doses are of the run alone.

    ``ended_s`` is the end of what was to keep the beam on.
    """

    fault: Fault
    fault_s: float
    ended_s: float
    open_spans: Sequence[tuple[float, float]]
    truth_Gy: float
    ledger_Gy: float
    reservation_Gy: float
    resumed: bool

    @property
    def open_at_fault(self) -> bool:
        """Whether beam passed at the moment of the fault."""
        return any(begin <= self.fault_s < end for begin, end in self.open_spans)

    @property
    def closed_s(self) -> float | None:
        """From the fault until the beam was closed; None where it was, or went on rightly."""
        if self.fault.target not in HOLDERS or not self.open_at_fault:
            return None
        return next(end for begin, end in self.open_spans if end > self.fault_s) - self.fault_s

    @property
    def left_open(self) -> bool:
        """Whether the shutter was open later than it may."""
        return any(end > self.ended_s + CLOSED_WITHIN_s for _, end in self.open_spans)

    @property
    def below(self) -> bool:
        """Whether the account lies below the truth."""
        return self.ledger_Gy < self.truth_Gy * (1 - 1e-9)

    @property
    def over(self) -> bool:
        """Whether the account lies above the truth by more than it may."""
        margins_Gy = 0.05 * self.reservation_Gy * max(len(self.open_spans), 1)
        return self.ledger_Gy > 1.06 * self.truth_Gy + self.reservation_Gy + margins_Gy


def draw(number: int, seed: int, seconds: float) -> list[Fault]:
    """Faults of a seed; every target comes up equally often, in random order."""
    dice = random.Random(seed)
    targets = [TARGETS[k % len(TARGETS)] for k in range(number)]
    dice.shuffle(targets)
    return [
        Fault(target, dice.random() < 0.5, dice.uniform(0.0, seconds), dice.uniform(0.2, 6.0))
        for target in targets
    ]


def summary(runs: Sequence[Seen]) -> dict[str, Any]:
    """What is printed."""
    closed = [run.closed_s for run in runs if run.closed_s is not None]
    return {
        "runs": len(runs),
        "beam_left_open": sum(run.left_open for run in runs),
        "ledger_below_truth": sum(run.below for run in runs),
        "ledger_over_one_reservation": sum(run.over for run in runs),
        "not_resumed": sum(not run.resumed for run in runs),
        "closed_s_max": round(max(closed), 3) if closed else None,
        "beam_open_at_fault": sum(run.open_at_fault for run in runs),
        "hit": dict(
            Counter(
                f"{run.fault.target} {'killed' if run.fault.kill else 'stopped'}" for run in runs
            )
        ),
    }


def _beamline() -> BeamlineFile:
    file = load_beamline("virtual")
    sample = file.samples[0].model_copy(update={"beam_limit_s": 1e5, "dose_limit_Gy": 1e9})
    return file.model_copy(update={"samples": [sample]})


@dataclass
class Bench:
    """A virtual beamline, scans on it, and what is true of them."""

    root: Path
    file: BeamlineFile = field(default_factory=_beamline)
    supervisor: Supervisor | None = None
    hits: Counter[str] = field(default_factory=Counter[str])
    made: int = 0

    def start(self) -> None:
        """A beamline of its own, in a new run folder."""
        self.stop()
        self.made += 1
        self.folder = RunFolder(self.root / f"run-{self.made}")
        self.supervisor = make_supervisor(self.folder, self.file)
        self.supervisor.start()
        self.world = World.open(self.folder.world)
        self.settings = read_guard_settings(self.folder.settings)
        self.hits.clear()

    def stop(self) -> None:
        """End all of it."""
        if self.supervisor is not None:
            self.supervisor.stop()
            self.supervisor = None

    @property
    def services(self) -> Supervisor:
        """That keeps the processes."""
        if self.supervisor is None:
            raise RuntimeError("start() comes first")
        return self.supervisor

    def session(self, seconds: float) -> subprocess.Popen[str]:
        """A scan in a process of its own; several sweeps where there is time for them."""
        sweeps = max(round(seconds / (SWEEP_s + 2.0)), 1)
        projections = round(min(SWEEP_s, seconds) / PERIOD_s)
        scan = ScanFile(
            sample=self.file.samples[0].name, projections=projections, exposure_s=0.03,
            period_s=PERIOD_s, sweeps=sweeps, order="alternate", darks=5, flats_before=5,
            flats_after=0,
        )  # fmt: skip
        path = self.folder.root / "scan.yml"
        path.write_text(yaml.safe_dump(scan.model_dump(mode="json")))
        command = [sys.executable, "-m", "voltomo.cli.main", "scan", str(path), "--quiet"]
        return subprocess.Popen(
            [*command, "--run-folder", str(self.folder.root)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def dose_Gy(self) -> float:
        """What the ledger says."""
        ledger = Ledger()
        for entry in LogReader(self.folder.exposure_log).entries():
            ledger.add(entry.kind, entry.data)
        return ledger.account(self.file.samples[0].name).dose_Gy

    @property
    def per_fluence_Gy_cm2(self) -> float:
        """Dose of the sample for one photon per cm2."""
        made_of = material(self.file.samples[0].material)
        return dose_per_fluence_Gy_cm2(made_of, self.file.energy_keV)

    def truth_Gy(self, since_s: float) -> float:
        """What is true."""
        out_mm = self.settings.sample_out_beyond_mm
        passed = fluence(self.world, since_s, self.world.now_s(), out_mm)
        return passed * self.per_fluence_Gy_cm2

    def reservation_Gy(self) -> float:
        """The most that is reserved at a time, at the highest flux."""
        highest_Gy_s = self.settings.flux_upper_bound_per_cm2_s * self.per_fluence_Gy_cm2
        return most_reserved_s(self.settings) * highest_Gy_s

    def run(self, fault: Fault, seconds: float) -> Seen:
        """One experiment with one fault, and a short scan after it."""
        if self.supervisor is None or self.hits[fault.target] >= RENEW_AFTER:
            self.start()
        self.hits[fault.target] += 1
        begun_s, before_Gy = self.world.now_s(), self.dose_Gy()
        session = self.session(seconds)
        with _ended(session):
            self._wait_for_beam(session, begun_s)
            time.sleep(fault.after_s)
            pid = session.pid if fault.target == "plan" else self.services.pid(fault.target)
            fault_s = self.world.now_s()
            _hit(pid, fault)
            with contextlib.suppress(subprocess.TimeoutExpired):
                session.communicate(timeout=seconds + SESSION_s)
            ended_s = fault_s if fault.target in HOLDERS else self.world.now_s()
        time.sleep(CLOSED_WITHIN_s + 1.0)
        ready = all(self.services.wait_ready(name, READY_s) for name in self.services.states())
        now_s = self.world.now_s()
        spans = open_intervals(self.world, begun_s, now_s)
        truth_Gy, ledger_Gy = self.truth_Gy(begun_s), self.dose_Gy() - before_Gy
        resumed = ready and self._scans_again()
        if not resumed:
            self.stop()
        return Seen(
            fault, fault_s, ended_s, spans, truth_Gy, ledger_Gy, self.reservation_Gy(), resumed
        )

    def _wait_for_beam(self, session: subprocess.Popen[str], since_s: float) -> None:
        end_s = time.monotonic() + SESSION_s
        while session.poll() is None and time.monotonic() < end_s:
            if open_intervals(self.world, since_s, self.world.now_s()):
                return
            time.sleep(0.05)

    def _scans_again(self) -> bool:
        session = self.session(1.0)
        with _ended(session):
            said, _ = session.communicate(timeout=SESSION_s)
        if session.returncode != 0:
            sys.stderr.write(f"not resumed: {said}\n")
        return session.returncode == 0


def most_reserved_s(settings: GuardSettings) -> float:
    """Seconds of beam in the largest reservation: one, or what a dead guard may cost."""
    return max(1.0, settings.floor_s + 0.15)


@contextlib.contextmanager
def _ended(session: subprocess.Popen[str]) -> Iterator[None]:
    """A session that does not outlive the block, stopped or not."""
    try:
        yield
    finally:
        if session.poll() is None:
            session.kill()
            session.communicate()


def _hit(pid: int, fault: Fault) -> None:
    with contextlib.suppress(ProcessLookupError):
        if fault.kill:
            os.kill(pid, signal.SIGKILL)
            return
        os.kill(pid, signal.SIGSTOP)
        time.sleep(fault.for_s)
        os.kill(pid, signal.SIGCONT)


def main() -> None:
    """Run, judge, print; each run that fell short is told on stderr."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=300.0)
    parser.add_argument("--seconds", type=float, default=60.0, help="of one experiment")
    asked = parser.parse_args()
    end_s = time.monotonic() + 60 * asked.minutes
    runs: list[Seen] = []
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place))
        try:
            for fault in draw(asked.n, asked.seed, asked.seconds):
                if time.monotonic() > end_s:
                    break
                runs.append(bench.run(fault, asked.seconds))
                seen = runs[-1]
                if seen.left_open or seen.below or seen.over or not seen.resumed:
                    sys.stderr.write(f"{seen}\n")
        finally:
            bench.stop()
    sys.stdout.write(json.dumps(summary(runs) | {"seconds": asked.seconds}) + "\n")


if __name__ == "__main__":
    main()
