"""One virtual beamline for all tests of a run, and sessions on it in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml
from numpy.typing import NDArray

from voltomo.cli.supervisor import Supervisor
from voltomo.cli.up import make_supervisor
from voltomo.model.names import run_name
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.records.run_entries import last_scan
from voltomo.records.scan import Scan, read_scan
from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.world import World

PERIOD_S = 0.036
CLOSED_WITHIN_S = 1.0
"""Whatever ends a scan: the beam is off so long after, at the latest."""


def stored(path: Path, name: str) -> NDArray[Any]:
    """A data set of an HDF5 file, whole."""
    with h5py.File(path, "r") as file:
        found = file[name]
        assert isinstance(found, h5py.Dataset)
        return np.asarray(found[...])


def command(*words: str | Path, **options: Any) -> subprocess.Popen[str]:
    """The command line in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "voltomo.cli.main", *map(str, words)],
        **({"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True} | options),
    )


def refusal(process: subprocess.Popen[str], patience_s: float = 60) -> str:
    """The sentence with which a command ends that cannot be carried out; nothing else was said."""
    said, sentence = process.communicate(timeout=patience_s)
    assert process.returncode == 2, said + sentence
    assert "Traceback" not in sentence, sentence
    assert not said, said
    return sentence.strip()


def refused(*words: str | Path, **options: Any) -> str:
    """The sentence with which the command line refuses."""
    return refusal(command(*words, stderr=subprocess.PIPE, **options))


def all_refused(*commands: Sequence[str | Path], **options: Any) -> list[str]:
    """The sentences with which commands refuse that run at the same time."""
    started = [command(*words, stderr=subprocess.PIPE, **options) for words in commands]
    return [refusal(process) for process in started]


def beamline_file() -> BeamlineFile:
    """The shipped virtual beamline with a budget that no test run uses up."""
    file = load_beamline("virtual")
    rich = file.samples[0].model_copy(update={"beam_limit_s": 1e5, "dose_limit_Gy": 1e9})
    poor = rich.model_copy(update={"name": "poor cell", "dose_limit_Gy": 10.0})
    spent = poor.model_copy(update={"name": "spent cell"})
    # The one test of the catalogue fills it itself; the others have no use for it.
    update = {"samples": [rich, poor, spent], "catalogue": {"enabled": False}}
    return file.model_copy(update=update)


def scan_file(**options: Any) -> ScanFile:
    """A short scan."""
    values: dict[str, Any] = {
        "sample": "demo cell",
        "projections": 120,
        "exposure_s": 0.02,
        "period_s": PERIOD_S,
        "darks": 10,
        "flats_before": 10,
        "flats_after": 0,
    }
    return ScanFile.model_validate(values | options)


@dataclass
class VirtualBeamline:
    """What tests ask of the running beamline."""

    folder: RunFolder
    file: BeamlineFile
    supervisor: Supervisor
    scans: int = field(default=0)

    @classmethod
    def make(cls, root: Path, first_port: int | None = None) -> VirtualBeamline:
        """A beamline that is not started yet."""
        folder, file = RunFolder(root), beamline_file()
        return cls(folder, file, make_supervisor(folder, file, first_port))

    @property
    def world(self) -> World:
        """What really happens."""
        return World.open(self.folder.world)

    def start_scan(self, scan: ScanFile, **options: Any) -> subprocess.Popen[str]:
        """Begin a scan in a session process."""
        words = ("scan", self.written(scan), "--quiet", "--run-folder", self.folder.root)
        return command(*words, **({"stderr": subprocess.STDOUT} | options))

    def written(self, scan: ScanFile) -> Path:
        """A scan file."""
        self.scans += 1
        path = self.folder.root / f"scan-{self.scans}.yml"
        path.write_text(yaml.safe_dump(scan.model_dump(mode="json")))
        return path

    def scan(self, scan: ScanFile) -> Scan:
        """Scan to the end; the session must succeed."""
        process = self.start_scan(scan)
        said, _ = process.communicate(timeout=110)
        assert process.returncode == 0, said
        return self.last_scan()

    def last_scan(self) -> Scan:
        """The last run with its frames."""
        uid = last_scan(self.folder.run_log)
        assert uid is not None, "no scan was begun"
        return read_scan(self.folder, uid)

    def live(self, scan: Scan) -> dict[str, Any]:
        """What the live path left of a scan."""
        path = self.folder.exports / f"{run_name(scan.record.uid)}.live.json"
        return json.loads(path.read_text())

    def closed_from(self, since_s: float, within_s: float = CLOSED_WITHIN_S) -> bool:
        """Whether the shutter was shut within this time of a moment, and stayed so."""
        times = np.arange(since_s + within_s, self.world.now_s(), 0.001)
        open_part = self.world.channel("shutter").at(times)
        return times.size > 0 and bool(np.all(open_part == 0))

    def wait_for_sweep(
        self,
        process: subprocess.Popen[str],
        views: int,
        known: int,
        scan: ScanFile | None = None,
    ) -> None:
        """Wait until so many views of a sweep were exposed; the session must live meanwhile."""
        blocks = (scan or scan_file()).spec(self.file).blocks()
        first = next(block for block in blocks if block.kind == "sweep").first
        self.wait(
            lambda: bool((self.world.frames.since(known)["index"] >= first + views).any()),
            60,
            process,
        )

    @staticmethod
    def wait(
        done: Callable[[], bool], patience_s: float, process: subprocess.Popen[str] | None = None
    ) -> None:
        """Poll until something is so."""
        deadline = time.monotonic() + patience_s
        while not done():
            if process is not None and process.poll() is not None:
                said = process.stdout.read() if process.stdout else ""
                raise AssertionError(f"the session ended too early: {said}")
            if time.monotonic() > deadline:
                raise AssertionError(f"nothing happened within {patience_s} s")
            time.sleep(0.01)
