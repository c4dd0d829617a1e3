"""The summary has every key, and null where nothing is known."""

import json

import pytest
from pydantic import ValidationError

from voltomo.records.summary import LiveSummary, ScanSummary, Summary


def test_written_and_read_back(tmp_path):
    scan = ScanSummary(
        uid="u", kind="tomography", source="replay", triggers=10, frames=9, missing=1,
        dose_Gy=0.0, nxtomo="scan.nxs", live=LiveSummary(frames_in=9, frames_processed=9),
    )  # fmt: skip
    path = Summary(scans=(scan,)).write(tmp_path / "summary.json")
    said = json.loads(path.read_text())["scans"][0]
    assert set(said) == {
        "uid", "kind", "source", "triggers", "frames", "missing", "dropped_on_purpose",
        "angle_rms_fraction_of_step", "truth_correlation", "offline_correlation", "dose_Gy",
        "dose_truth_Gy", "wasted_fraction", "nxtomo", "live",
    }  # fmt: skip
    assert said["truth_correlation"] is None
    assert set(said["live"]) == {
        "frames_in", "frames_processed", "latency_p50_ms", "latency_p99_ms"
    }  # fmt: skip
    assert Summary.model_validate_json(path.read_text()).scans == (scan,)


def test_nan_is_refused():
    with pytest.raises(ValidationError):
        LiveSummary(frames_in=0, frames_processed=0, latency_p50_ms=float("nan"))
