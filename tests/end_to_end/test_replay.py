"""Recorded projections through the same devices, plan, worker and export, at no dose."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.virtual_beamline import VirtualBeamline, scan_file
from voltomo.model.names import run_name
from voltomo.runtime.recorded_scan import EVEN_WITHIN, RecordedHead

pytestmark = [pytest.mark.twin, pytest.mark.slow, pytest.mark.timeout(240)]

REAL_DATA = Path(os.environ.get("VOLTOMO_REAL_DATA", ""))
RECORDINGS = sorted(REAL_DATA.glob("*.h5")) if os.environ.get("VOLTOMO_REAL_DATA") else []


def replay(recording: Path, output: Path, *options: str) -> dict[str, Any]:
    """Replay a file with the command line, and give the one scan of its summary."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "voltomo.cli.main", "replay", str(recording)),
            *("--output", str(output), *options),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (scan,) = json.loads((output / "summary.json").read_text())["scans"]
    return scan


def assert_replayed(scan: dict[str, Any], output: Path, recording: Path) -> None:
    assert scan["source"] == "replay"
    assert scan["dose_Gy"] == 0
    assert scan["missing"] == scan["triggers"] - scan["frames"]
    assert scan["offline_correlation"] >= 0.98
    assert scan["live"]["frames_processed"] >= scan["frames"]
    tool = Path(sys.executable).parent / "nxvalidate"
    said = subprocess.run(
        [tool, "-e", output / scan["nxtomo"]], capture_output=True, text=True, check=True
    )
    found = re.search(r"Total number of errors:\s*(\d+)", said.stdout + said.stderr)
    assert found
    assert int(found[1]) == 0, said.stdout
    was = RecordedHead.read(recording).angles_deg
    played = RecordedHead.read(output / scan["nxtomo"]).angles_deg
    step_deg = np.median(np.diff(was))
    assert played == pytest.approx(was, abs=EVEN_WITHIN * abs(step_deg))


def test_what_the_twin_recorded_can_be_played(beamline: VirtualBeamline, tmp_path: Path) -> None:
    recorded = beamline.scan(scan_file())
    nexus = beamline.folder.exports / f"{run_name(recorded.record.uid)}.nxs"
    scan = replay(nexus, tmp_path / "out", "--axis", str(beamline.file.axis_column))
    assert_replayed(scan, tmp_path / "out", nexus)
    assert scan["missing"] == 0


@pytest.mark.skipif(not RECORDINGS, reason="VOLTOMO_REAL_DATA names no folder of recordings")
@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda path: path.name)
def test_real_data_can_be_played(recording: Path, tmp_path: Path) -> None:
    scan = replay(recording, tmp_path / "out")
    assert_replayed(scan, tmp_path / "out", recording)
