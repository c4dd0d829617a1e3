"""Runs of dead sessions get their stop, once."""

from tests.records.synthetic import SyntheticRun
from voltomo.records.closing import close_abandoned
from voltomo.records.scan import read_scan
from voltomo.runtime.append_log import AppendLog, read_log
from voltomo.runtime.run_folder import RunFolder


def test_only_open_runs_are_closed_and_only_once(tmp_path):
    folder = RunFolder(tmp_path)
    done = SyntheticRun(folder).write()
    dead = SyntheticRun(folder, stop=None, last=40).write()
    with AppendLog(folder.run_log) as log:
        assert close_abandoned(log) == [dead.uid]
        assert close_abandoned(log) == []
    stop, note = read_log(folder.run_log)[-2:]
    assert stop.data["name"] == "stop"
    assert stop.data["doc"]["exit_status"] == "fail"
    assert stop.data["doc"]["num_events"]["triggers"] >= 40
    assert stop.data["doc"]["num_events"]["baseline"] == 2
    assert note.kind == "closed_for"
    assert note.data == {"uid": dead.uid, "reason": stop.data["doc"]["reason"]}
    assert "ended without closing it" in note.data["reason"]
    assert read_scan(folder, dead.uid).record.outcome == "fail"
    assert read_scan(folder, done.uid).record.outcome == "success"


def test_nothing_to_close_in_a_new_log(tmp_path):
    with AppendLog(tmp_path / "run.log") as log:
        assert close_abandoned(log) == []
    assert read_log(tmp_path / "run.log") == []
