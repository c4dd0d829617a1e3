"""Artefacts can be thrown away: folding the same log gives the same ones again."""

import json
import shutil

import numpy as np
from typer.testing import CliRunner

from tests.records.synthetic import SyntheticRun
from voltomo.cli.main import app
from voltomo.model.names import run_name
from voltomo.records import frame_stacks
from voltomo.records.dxchange import DXchangeProjection, export_dxchange
from voltomo.records.nxtomo import NXtomoProjection, export_nxtomo
from voltomo.records.rebuild import projections
from voltomo.records.scan import read_scan
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.log_reader import LogReader
from voltomo.runtime.run_folder import RunFolder


def rebuild(folder: RunFolder) -> dict[str, bytes]:
    for projection in projections(folder):
        projection.fold(LogReader(folder.run_log).entries())
    return {path.name: path.read_bytes() for path in folder.exports.iterdir()}


def test_rebuilt_artefacts_are_the_same(tmp_path):
    folder = RunFolder(tmp_path)
    whole = SyntheticRun(folder, lost=(30,)).write()
    aborted = SyntheticRun(folder, last=9, stop="abort").write()
    first = rebuild(folder)
    reports = {f"{run_name(run.uid)}.report.html" for run in (whole, aborted)}
    assert set(first) == {f"{run_name(whole.uid)}.nxs", "report.html", *reports}
    assert rebuild(folder) == first
    shutil.rmtree(folder.exports)
    folder.create()
    assert rebuild(folder) == first


def test_a_file_that_cannot_be_made_anew_is_left_and_the_rest_goes_on(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    lost, whole = SyntheticRun(folder).write(), SyntheticRun(folder).write()
    for run in (lost, whole):
        scan, made = read_scan(folder, run.uid), DXchangeProjection(folder).path_of(run.uid)
        export_dxchange(scan, made)
        export_nxtomo(scan, NXtomoProjection(folder).path_of(run.uid))
    before = {p: p.read_bytes() for p in folder.exports.glob(f"{run_name(lost.uid)}.*[s5]")}
    assert len(before) == 2
    for path in folder.frames.glob(f"*{lost.uid[:8]}*.h5"):
        path.unlink()
    done = CliRunner().invoke(app, ["rebuild", "--run-folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    for path, content in before.items():
        assert f"{path.name} was left as it was: scan {run_name(lost.uid)} has no" in done.output
        assert path.read_bytes() == content
    assert f"nxtomo: {folder.exports / run_name(whole.uid)}.nxs" in done.output
    kept = (folder.exports / f"{run_name(whole.uid)}.nxs").read_bytes()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(frame_stacks.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    said: list[str] = []
    for projection in projections(folder, tell=said.append)[:2]:
        assert projection.fold(LogReader(folder.run_log).entries()) == []
    for kind in ("nxs", "dxchange.h5"):
        start = f"{run_name(whole.uid)}.{kind} was left as it was: scan"
        assert any(line.startswith(start) and "make room" in line for line in said)
    assert (folder.exports / f"{run_name(whole.uid)}.nxs").read_bytes() == kept


def test_empty_run_folder(tmp_path):
    folder = RunFolder(tmp_path).create()
    assert set(rebuild(folder)) == {"report.html"}


def test_slices_and_verdicts_of_the_live_path_are_kept(tmp_path):
    folder = RunFolder(tmp_path)
    run = SyntheticRun(folder).write()
    verdict = {"value": 0.87, "judgement": "good"}
    live = {"verdicts": {"mean_transmission": verdict}, "frames_processed": 60}
    live |= {"latency_p50_ms": 20.0, "latency_p99_ms": 31.0}
    (folder.exports / f"{run_name(run.uid)}.live.json").write_text(json.dumps(live))
    np.savez(folder.exports / f"{run_name(run.uid)}.slice.npz", image=np.eye(48), row=6,
             frames=60)  # fmt: skip
    done = CliRunner().invoke(app, ["rebuild", "--run-folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    for name in (f"{run_name(run.uid)}.report.html", "report.html"):
        page = (folder.exports / name).read_text()
        assert "Live slice at detector row 6, from 60 views" in page
        assert "0.87" in page


def test_the_command_makes_all_of_it_with_the_ledger(tmp_path):
    folder = RunFolder(tmp_path)
    run = SyntheticRun(folder).write()
    (lease, *_) = LogReader(folder.exposure_log).poll()
    with AppendLog(folder.exposure_log) as log:
        request = {"sample": "cell 4", "purpose": "sweep_0"}
        log.append("reserve", {"lease_id": "x", "request": request, "reserved_Gy": 5.0,
                               "reserved_s": 0.5})  # fmt: skip
    done = CliRunner().invoke(app, ["rebuild", "--run-folder", str(tmp_path)])
    assert done.exit_code == 0, done.output
    made = {line.partition(": ")[0] for line in done.output.splitlines()}
    assert made == {"nxtomo", "report", "ledger"}
    ledger = json.loads((folder.exports / "ledger.json").read_text())
    charged = [e.data["dose_Gy"] for e in LogReader(folder.exposure_log).entries([b"exposure"])]
    assert ledger[run.spec.sample]["dose_Gy"] == sum(charged)
    assert lease.data["sample"] == run.spec.sample
    assert ledger["cell 4"]["dose_Gy"] == 5.0
