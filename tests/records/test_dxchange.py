"""DataExchange files: the layout's own names, the frames of the NXtomo file, read by our reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.records.synthetic import SyntheticRun, contents, small_spec
from voltomo.cli.main import app
from voltomo.records.dxchange import DXchangeProjection, export_dxchange
from voltomo.records.frame_stacks import NothingToExport
from voltomo.records.nxtomo import export_nxtomo
from voltomo.records.scan import read_scan
from voltomo.runtime.log_reader import LogReader
from voltomo.runtime.recorded_rows import open_rows
from voltomo.runtime.recorded_scan import RecordedHead, RecordedScan
from voltomo.runtime.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> SyntheticRun:
    return SyntheticRun(RunFolder(tmp_path), lost=(30,), missed=(40,), doubled=(50,)).write()


def stacks(path: Path) -> dict[str, Any]:
    with h5py.File(path) as file:
        return {name: np.asarray(file[f"exchange/{name}"]) for name in
                ("data", "data_white", "data_dark", "theta")}  # fmt: skip


def test_both_files_hold_the_same_frames_at_the_same_angles(
    run: SyntheticRun, tmp_path: Path
) -> None:
    scan = read_scan(run.folder, run.uid)
    found = stacks(export_dxchange(scan, tmp_path / "scan.h5"))
    nexus = contents(export_nxtomo(scan, tmp_path / "scan.nxs"))
    key = nexus["instrument/detector/image_key"]
    data = nexus["instrument/detector/data"]
    for name, wanted in (("data", 0), ("data_white", 1), ("data_dark", 2)):
        assert np.array_equal(found[name], data[key == wanted])
    assert np.array_equal(found["theta"], nexus["sample/rotation_angle"][key == 0])
    assert found["theta"].max() == pytest.approx(180, abs=6)
    with h5py.File(tmp_path / "scan.h5") as file:
        assert file["exchange/theta"].attrs["units"] == "deg"
        assert file["implements"].asstr()[()].startswith("exchange:measurement")  # type: ignore[union-attr]
        missing = file["voltomo/missing/trigger_index"][()].tolist()  # type: ignore[index]
        frames = file["voltomo/frames/trigger_index"].shape[0]  # type: ignore[union-attr]
    assert {30, 40} <= set(missing)
    assert frames == sum(len(found[name]) for name in ("data", "data_white", "data_dark"))


def test_our_reader_plays_it_as_it_plays_the_nxtomo_file(run: SyntheticRun, tmp_path: Path) -> None:
    scan = read_scan(run.folder, run.uid)
    ours = RecordedScan.read(export_dxchange(scan, tmp_path / "scan.h5"))
    nexus = RecordedScan.read(export_nxtomo(scan, tmp_path / "scan.nxs"))
    for name in ("projections", "flats", "darks", "angles_deg"):
        assert np.array_equal(getattr(ours, name), getattr(nexus, name)), name
    for name in ("sample", "exposure_s", "energy_keV", "title"):
        assert getattr(ours, name) == getattr(nexus, name)
    assert ours.pixel_um == pytest.approx(nexus.pixel_um)


def test_a_laminography_keeps_its_tilt_and_its_axis(tmp_path: Path) -> None:
    spec = small_spec(tilt_deg=30.0)
    geometry = spec.geometry.model_copy(update={"axis_column": 21.75})
    spec = spec.model_copy(update={"geometry": geometry})
    run = SyntheticRun(RunFolder(tmp_path), spec).write()
    scan = read_scan(run.folder, run.uid)
    for path in (
        export_dxchange(scan, tmp_path / "scan.h5"),
        export_nxtomo(scan, tmp_path / "scan.nxs"),
    ):
        with open_rows(path) as recorded:
            assert recorded.tilt_deg == 30.0
            assert recorded.axis_column == pytest.approx(21.75)
        assert RecordedHead.read(path).axis_column == pytest.approx(21.75)


def test_rebuilding_makes_those_that_are_there_linked_as_they_were(run: SyntheticRun) -> None:
    projection = DXchangeProjection(run.folder)
    entries = LogReader(run.folder.run_log).entries
    assert projection.fold(entries()) == []
    made = projection.path_of(run.uid)
    export_dxchange(read_scan(run.folder, run.uid), made, link=True)
    before = contents(made, "exchange")
    assert projection.fold(LogReader(run.folder.run_log).entries()) == [made]
    after = contents(made, "exchange")
    assert all(np.array_equal(after[name], before[name]) for name in before)
    with h5py.File(made) as file:
        assert file["exchange/data"].is_virtual  # type: ignore[union-attr]


def test_an_unknown_layout_is_refused(run: SyntheticRun) -> None:
    words = ["export", "last", "--run-folder", str(run.folder.root), "--format", "tiff"]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code != 0
    assert "nxtomo or dxchange" in str(refused.exception)


def test_a_run_without_projections_has_none(tmp_path: Path) -> None:
    run = SyntheticRun(RunFolder(tmp_path), last=20).write()
    with pytest.raises(NothingToExport, match="no projections"):
        export_dxchange(read_scan(run.folder, run.uid), tmp_path / "scan.h5")
    assert not list(tmp_path.glob("scan.h5*"))
