"""What the run log says, in whatever portions it comes."""

from pathlib import Path

from synthetic_scan import SyntheticScan

from voltomo.live.run_follower import FileOpened, RunFollower, RunStarted, RunStopped, opened_file
from voltomo.model.trigger_source import TriggerChunk
from voltomo.runtime.append_log import AppendLog


def test_a_scan_is_told_in_order(tmp_path: Path) -> None:
    scan = SyntheticScan(tmp_path)
    follower = RunFollower(tmp_path / "run.log")
    assert follower.poll() == []
    with AppendLog(tmp_path / "run.log") as log:
        scan.log_start(log)
        assert follower.poll() == [RunStarted(scan.uid, scan.spec, 1.0)]
        log.append("note", {"text": "the door was opened"})
        scan.log_file(log, scan.block("darks"), tmp_path / "a b.h5")
        scan.log_latches(log, 8, 12)
        scan.log_stop(log, "abort")
        opened, latched, stopped = follower.poll()
    assert opened == FileOpened("darks", tmp_path / "a b.h5")
    assert isinstance(latched, TriggerChunk)
    assert (latched.first, latched.last) == (8, 12)
    assert stopped == RunStopped(scan.uid, "abort")


def test_other_runs_are_passed_over(tmp_path: Path) -> None:
    scan = SyntheticScan(tmp_path)
    with AppendLog(tmp_path / "run.log") as log:
        for start in ({"uid": "count"}, {"uid": "old", "scan_spec": {"from": "long ago"}}):
            log.append("document", {"name": "start", "doc": start})
            scan.log_latches(log, 0, 3)
            scan.log_stop(log)
    assert RunFollower(tmp_path / "run.log").poll() == []


def test_latches_with_holes_become_chunks_without() -> None:
    data = {
        "trigger_index": [4, 5, 9, 10, 11],
        "trigger_angle_deg": [0.0, 1.0, 2.0, 3.0, 4.0],
        "trigger_time_s": [0.0, 0.1, 0.5, 0.6, 0.7],
    }
    chunks = RunFollower.latches(data)
    assert [(chunk.first, chunk.last) for chunk in chunks] == [(4, 6), (9, 12)]
    assert list(chunks[1].angle_deg) == [2.0, 3.0, 4.0]
    assert RunFollower.latches({key: [] for key in data}) == []


def test_only_files_of_frames_are_taken() -> None:
    resource = {"uri": "file://localhost/data/x%20y.h5", "parameters": {}, "data_key": "spectrum"}
    assert opened_file(resource) == []
    found = opened_file(resource | {"data_key": "camera_image"})
    assert found == [FileOpened("", Path("/data/x y.h5"))]
