"""The demo as a user meets it: two scans, their files, and every promise of their summary."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.virtual_beamline import stored

pytestmark = [pytest.mark.twin, pytest.mark.slow, pytest.mark.timeout(400)]

ANGLES, COUNTS = 400, 1e4
SCAN_KEYS = {
    "uid", "kind", "source", "triggers", "frames", "missing", "dropped_on_purpose",
    "angle_rms_fraction_of_step", "truth_correlation", "offline_correlation", "dose_Gy",
    "dose_truth_Gy", "wasted_fraction", "nxtomo", "live",
}  # fmt: skip
LIVE_KEYS = {"frames_in", "frames_processed", "latency_p50_ms", "latency_p99_ms"}


class Demo:
    """What a demo has said and left."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "voltomo.cli.main", "demo", "--output", str(folder)]
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.folder, self.said = folder, done.stdout
        self.twin, self.replay = json.loads((folder / "summary.json").read_text())["scans"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return Demo(tmp_path_factory.mktemp("demo") / "output")


def test_it_says_where_to_watch_and_where_everything_lies(demo: Demo) -> None:
    pages = re.findall(r"http://127\.0\.0\.1:\d+/", demo.said)
    assert len(pages) == 2
    for path in ("report.html", "summary.json", demo.twin["nxtomo"], demo.replay["nxtomo"]):
        assert str((demo.folder / path).resolve()) in demo.said
        assert (demo.folder / path).stat().st_size > 0
    page = (demo.folder / "report.html").read_text()
    for scan in (demo.twin, demo.replay):
        assert scan["uid"] in page
        assert set(scan) == SCAN_KEYS
        assert set(scan["live"]) == LIVE_KEYS


def test_the_scan_is_whole_but_for_what_was_dropped(demo: Demo) -> None:
    scan = demo.twin
    assert (scan["source"], scan["kind"]) == ("twin", "tomography")
    assert scan["missing"] == scan["dropped_on_purpose"] == 3
    assert scan["frames"] == scan["triggers"] - 3
    path = demo.folder / scan["nxtomo"]
    key = stored(path, "entry/instrument/detector/image_key")
    assert np.count_nonzero(key == 0) + 3 >= ANGLES
    assert np.array_equal(np.unique(key), [0, 1, 2])
    flats = stored(path, "entry/instrument/detector/data")[key == 1]
    assert np.median(flats) >= COUNTS
    missing = stored(path, "entry/voltomo/missing/trigger_index")
    assert missing.size == 3


def test_live_slice_angles_and_dose_are_held_against_the_truth(demo: Demo) -> None:
    scan = demo.twin
    assert scan["truth_correlation"] >= 0.9
    assert scan["offline_correlation"] >= 0.98
    assert scan["angle_rms_fraction_of_step"] <= 0.05
    assert scan["dose_truth_Gy"] <= scan["dose_Gy"] <= 1.05 * scan["dose_truth_Gy"]
    assert 0 <= scan["wasted_fraction"] < 0.5
    assert_live(scan)


def test_the_report_says_what_a_shutter_left_open_would_have_done(demo: Demo) -> None:
    page = (demo.folder / "report.html").read_text()
    assert "Virtual cell, as scanned" in page
    scanned, left_open = page.split("Shutter open from first move to last file")
    assert "no free gas" in scanned
    assert "% of it free gas" in left_open


def test_what_was_recorded_is_played_at_no_dose(demo: Demo) -> None:
    scan = demo.replay
    assert scan["source"] == "replay"
    assert scan["dropped_on_purpose"] is None
    assert scan["angle_rms_fraction_of_step"] is None
    assert scan["truth_correlation"] is None
    assert scan["dose_truth_Gy"] is None
    assert scan["dose_Gy"] == 0
    assert scan["offline_correlation"] >= 0.98
    # The first and the last trigger have no recorded projection: they are not fired again.
    assert scan["frames"] == scan["triggers"] - scan["missing"]
    assert scan["missing"] == 1
    assert_live(scan)


def assert_live(scan: dict[str, Any]) -> None:
    live = scan["live"]
    assert live["frames_processed"] >= scan["frames"]
    assert live["frames_in"] > 0
    assert 0 < live["latency_p50_ms"] <= live["latency_p99_ms"]
