"""What a report shows beyond the logs: the live slice, or one made from the files."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tests.records.synthetic import SyntheticRun, small_spec
from voltomo.cli.enclosures import enclosure, live_result, slice_from_files
from voltomo.model.names import run_name
from voltomo.records.scan import read_scan
from voltomo.runtime.run_folder import RunFolder

SWEEP = 12 + 6 + 6


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def test_without_a_live_slice_one_is_made_from_the_files(folder):
    run = SyntheticRun(folder, lost=(SWEEP + 3,), missed=(SWEEP + 9,)).write()
    scan = read_scan(folder, run.uid)
    image, caption = slice_from_files(scan)
    rows, columns, views = (
        run.spec.geometry.rows,
        run.spec.geometry.columns,
        run.spec.geometry.projections,
    )
    assert image is not None
    assert image.shape == (columns, columns)
    assert np.isfinite(image).all()
    assert caption == f"Slice at detector row {rows // 2}, from {views - 2} views in the files"


@pytest.mark.parametrize("announced", [True, False])
def test_a_scan_that_was_cut_short_has_a_slice_of_what_there_is(folder, announced):
    run = SyntheticRun(folder, last=SWEEP + 30, stop=None, announce_last_file=announced).write()
    image, caption = slice_from_files(read_scan(folder, run.uid))
    assert image is not None
    assert "from 30 views" in caption


def test_without_projections_there_is_no_slice(folder):
    run = SyntheticRun(folder, last=9, stop="abort").write()
    assert slice_from_files(read_scan(folder, run.uid)) == (None, "")


def test_the_live_slice_comes_first(folder):
    run = SyntheticRun(folder).write()
    base = folder.exports / run_name(run.uid)
    kept = np.eye(8, dtype=np.float32)
    np.savez(base.with_suffix(".slice.npz"), image=kept, row=5, frames=7, last_trigger=80)
    said = {"value": 8.541, "judgement": "good"}
    unknown = {"value": None, "judgement": "unknown"}
    live = {
        "frames_processed": 90,
        "latency_p50_ms": 57.4,
        "latency_p99_ms": 120.0,
        "verdicts": {"snr": said, "mean_transmission": unknown},
    }
    base.with_suffix(".live.json").write_text(json.dumps(live))
    made = enclosure(read_scan(folder, run.uid), None, live_result(folder, run.uid))
    assert made.slice_image is not None
    assert np.array_equal(made.slice_image, kept)
    assert made.slice_caption == "Live slice at detector row 5, from 7 views"
    assert made.facts["Live"].startswith("90 frames used, 57 ms from the end of an exposure")
    assert list(made.verdicts) == [
        ("signal to noise", "8.54", "good"),
        ("mean transmission", "–", "unknown"),
    ]


def test_a_scan_without_live_slice_says_why(folder):
    run = SyntheticRun(folder).write()
    live = {"frames_processed": 0, "latency_p50_ms": None, "reason": "the axis is tilted"}
    (folder.exports / f"{run_name(run.uid)}.live.json").write_text(json.dumps(live))
    made = enclosure(read_scan(folder, run.uid), None, live_result(folder, run.uid))
    assert made.facts == {
        "No live slice": "the axis is tilted",
        "Dose efficiency": "1.63e+06 counts a pixel for one gray",
        "Image-weighted dose": "210 mGy: of this scan's dose received when the light of its "
        "projections came, on average",
    }


def test_a_scan_about_a_tilted_axis_has_a_slice_too(folder):
    run = SyntheticRun(folder, spec=small_spec(tilt_deg=30.0)).write()
    scan = read_scan(folder, run.uid)
    image, caption = slice_from_files(scan)
    geometry = run.spec.geometry
    assert image is not None
    assert image.shape == (geometry.columns, geometry.columns)
    assert "from 60 views" in caption
    radiographs = geometry.model_copy(update={"step_deg": 0.0})
    spec = scan.record.spec.model_copy(update={"geometry": radiographs, "motion": "step"})
    still = replace(scan, record=replace(scan.record, spec=spec))
    assert slice_from_files(still) == (None, "")
