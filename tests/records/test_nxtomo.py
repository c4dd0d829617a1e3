"""The exported file: valid, read by others, and true frame by frame."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.records.synthetic import (
    DOSE_PER_FLUENCE,
    FLUX,
    START_UTC_S,
    SyntheticRun,
    contents,
    small_spec,
)
from voltomo.model.names import run_name
from voltomo.model.scan_spec import ScanSpec
from voltomo.records.nxtomo import NothingToExport, NXtomoProjection, export_nxtomo
from voltomo.records.scan import read_scan
from voltomo.runtime.append_log import read_log
from voltomo.runtime.run_folder import RunFolder

SWEEP = 12 + 6 + 6


def validator_errors(path: Path) -> int:
    tool = Path(sys.executable).parent / "nxvalidate"
    said = subprocess.run([tool, "-e", path], capture_output=True, text=True, check=True)
    found = re.search(r"Total number of errors:\s*(\d+)", said.stdout + said.stderr)
    assert found, said
    if int(found[1]):
        pytest.fail(said.stdout + said.stderr)
    return int(found[1])


def exported(run: SyntheticRun, path: Path, link: bool = False) -> Path:
    return export_nxtomo(read_scan(run.folder, run.uid), path, link=link)


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "run")


@pytest.mark.parametrize("tilt_deg", [0.0, 30.0])
@pytest.mark.parametrize("link", [False, True])
def test_whole_scan_is_valid_and_true(folder, tmp_path, tilt_deg, link):
    run = SyntheticRun(folder, small_spec(tilt_deg), lost=(SWEEP + 3,), missed=(SWEEP + 30,))
    path = exported(run.write(), tmp_path / "out" / "scan.nxs", link)
    assert validator_errors(path) == 0
    entry = contents(path)
    key = entry["instrument/detector/image_key"]
    assert list(key) == [2] * 6 + [1] * 12 + [0] * 58
    index = entry["voltomo/frames/trigger_index"]
    data = entry["data/data"]
    assert np.issubdtype(data.dtype, np.integer)
    assert all(np.array_equal(data[at], run.truth[i]) for at, i in enumerate(index))
    angle = entry["sample/rotation_angle"][key == 0]
    mid = (index[key == 0] - SWEEP) * 3.0 + 3.0 * 0.5 * 0.02 / 0.025
    np.testing.assert_allclose(angle, mid, atol=1e-4)
    assert list(entry["voltomo/missing/trigger_index"]) == [SWEEP + 3, SWEEP + 30]
    assert list(entry["voltomo/missing/outcome"]) == ["lost_after_numbering", "missed_by_camera"]
    assert entry["voltomo/laminography_angle"] == tilt_deg
    assert entry["sample/transformations/tilt"] == tilt_deg
    assert entry["instrument/source/name"] == "voltomo virtual source"
    dose = entry["voltomo/frames/dose"]
    np.testing.assert_allclose(dose[key < 2], FLUX * 0.02 * DOSE_PER_FLUENCE, rtol=1e-6)
    np.testing.assert_allclose(dose[key == 2], 0)
    np.testing.assert_allclose(entry["instrument/beam/flux"][key < 2], FLUX)
    time = entry["voltomo/frames/time"]
    assert START_UTC_S < time.min() < time.max() < START_UTC_S + 10
    shift = entry["sample/x_translation"]
    np.testing.assert_allclose(shift[key == 1] - shift[key == 0][0], 5e-3)


def test_read_by_nxtomo(folder, tmp_path):
    from nxtomo.application.nxtomo import NXtomo

    path = exported(SyntheticRun(folder).write(), tmp_path / "scan.nxs")
    read: Any = NXtomo()
    read.load(str(path), "entry")
    assert read.instrument.detector.image_key_control.size == 78
    assert read.instrument.source.name == "voltomo virtual source"
    assert read.energy.to("keV").magnitude == pytest.approx(25.0)
    assert read.sample.rotation_angle.to("degree").magnitude[-1] == pytest.approx(178.2)
    assert read.control.data.to("mA").magnitude == pytest.approx(200.0)
    assert read.instrument.detector.x_pixel_size.to("um").magnitude == pytest.approx(2.5)
    assert read.instrument.detector.count_time.to("s").magnitude == pytest.approx(0.02)
    assert read.sample.name == "cell 3"


def test_same_scan_gives_the_same_file(folder, tmp_path):
    run = SyntheticRun(folder).write()
    first = exported(run, tmp_path / "a.nxs").read_bytes()
    assert exported(run, tmp_path / "b.nxs").read_bytes() == first
    projection = NXtomoProjection(folder)
    (path,) = projection.fold(read_log(folder.run_log))
    assert projection.fold(read_log(folder.run_log)) == [path]
    assert path.read_bytes() == first
    assert not list(folder.exports.glob("*.part"))


def test_ambiguous_frames_are_there_and_invalid(folder, tmp_path):
    run = SyntheticRun(folder, doubled=(SWEEP + 20,)).write()
    entry = contents(exported(run, tmp_path / "scan.nxs"))
    key = entry["instrument/detector/image_key"]
    angle = entry["sample/rotation_angle"]
    assert np.count_nonzero(key == 3) == 2
    np.testing.assert_allclose(angle[key == 3], 61.2, atol=0.5)
    assert list(entry["voltomo/frames/trigger_index"][key == 3]) == [-1, -1]
    assert list(entry["voltomo/missing/outcome"]) == ["ambiguous"]


def test_partial_run_whose_last_file_was_never_announced(folder, tmp_path):
    run = SyntheticRun(folder, last=SWEEP + 25, stop=None, announce_last_file=False).write()
    path = exported(run, tmp_path / "scan.nxs")
    assert validator_errors(path) == 0
    entry = contents(path)
    assert np.count_nonzero(entry["instrument/detector/image_key"] == 0) == 25
    assert entry["voltomo/exit_status"] == "open"
    assert entry["voltomo/missing/triggers_not_fired"] == 35 + 6


def test_two_sweeps_follow_each_other(folder, tmp_path):
    spec = small_spec(sweeps=2).model_copy(update={"order": "alternate"})
    path = exported(SyntheticRun(folder, spec).write(), tmp_path / "scan.nxs")
    assert validator_errors(path) == 0
    entry = contents(path)
    angle = entry["sample/rotation_angle"][18:]
    assert angle.size == 120
    assert np.all(np.diff(angle)[:59] > 0)
    assert np.all(np.diff(angle)[60:] < 0)


def test_replay_has_its_scale_and_no_dose(folder, tmp_path):
    run = SyntheticRun(folder, source="replay").write()
    ours = contents(exported(run, tmp_path / "scan.nxs"), "entry/voltomo")
    assert ours["counts_per_recorded_unit"] == 3.5
    assert ours["dose/total"] == 0
    assert ours["dose/stamp"] == "replay: no beam"
    assert "wasted_fraction" not in "".join(ours)


def test_run_that_ended_in_priming_has_nothing_to_export(folder, tmp_path):
    run = SyntheticRun(folder, last=9, stop="abort").write()
    with pytest.raises(NothingToExport, match="no frames to export"):
        exported(run, tmp_path / "scan.nxs")


_WRITER = """
import os, signal, sys, time
import h5py, numpy as np
source = h5py.File(sys.argv[1])
with h5py.File(sys.argv[2], "w", libver="latest") as file:
    copies = {}
    def copy(name, item):
        if isinstance(item, h5py.Dataset):
            copies[name] = file.create_dataset(name, (0, *item.shape[1:]), item.dtype,
                maxshape=(None, *item.shape[1:]), chunks=(1, *item.shape[1:]))
    source.visititems(copy)
    file.swmr_mode = True
    for name, dataset in copies.items():
        dataset.resize(source[name].shape[0], 0)
        dataset[:] = source[name][:]
        dataset.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.kill
def test_file_of_a_killed_writer_is_exported(folder, tmp_path):
    run = SyntheticRun(folder).write()
    whole = exported(run, tmp_path / "whole.nxs").read_bytes()
    path = folder.frames / f"{run_name(run.uid)}_sweep_0.h5"
    torn = path.with_suffix(".torn")
    ended = subprocess.run([sys.executable, "-c", _WRITER, path, torn], check=False)
    assert ended.returncode == -9
    torn.replace(path)
    with pytest.raises(OSError, match="open"):
        h5py.File(path, "r")
    assert exported(run, tmp_path / "salvaged.nxs").read_bytes() == whole
    linked = exported(run, tmp_path / "linked.nxs", link=True)
    copied = contents(tmp_path / "whole.nxs")
    assert np.array_equal(contents(linked)["data/data"], copied["data/data"])
    assert validator_errors(linked) == 0


@pytest.mark.parametrize(
    ("source", "kind"),
    [("twin", None), ("replay", None), ("beamline", "Synchrotron X-ray Source")],
)
def test_a_virtual_source_is_called_no_synchrotron(folder, tmp_path, source, kind):
    path = exported(SyntheticRun(folder, source=source).write(), tmp_path / "scan.nxs")
    assert validator_errors(path) == 0
    assert contents(path).get("instrument/source/type") == kind


def test_a_rolling_shutter_and_a_missing_wedge_are_in_the_file(folder, tmp_path):
    options = {"row_delay_us": 500.0, "blind_sectors": ((85.0, 95.0),)}
    spec = ScanSpec.model_validate(dict(small_spec()) | options)
    path = exported(SyntheticRun(folder, spec).write(), tmp_path / "scan.nxs")
    assert validator_errors(path) == 0
    entry = contents(path)
    assert entry["voltomo/missing_wedge"].tolist() == [[85.0, 95.0]]
    assert entry["voltomo/row_delay"] == 500e-6
    sweep = entry["instrument/detector/image_key"] == 0
    assert sweep.sum() == 60 - 4
    # 3 deg in 25 ms; eleven rows later than the first is the last.
    step = entry["voltomo/frames/row_rotation_angle_step"][sweep]
    np.testing.assert_allclose(step, 120 * 500e-6, rtol=1e-3)
    angles = entry["sample/rotation_angle"][sweep]
    assert angles[0] == pytest.approx(120 * (0.01 + 5.5 * 500e-6), abs=0.01)
