"""Runs of dead sessions get their stop, once."""

import pytest

from tests.records.synthetic import SyntheticRun
from voltomo.records.closing import close_abandoned, open_run_log
from voltomo.records.run_entries import last_scan, scans_in
from voltomo.records.scan import read_scan
from voltomo.runtime.append_log import AppendLog, LogDamaged, read_log
from voltomo.runtime.log_checkpoint import checkpoint
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


def test_a_session_reads_what_was_written_since_the_last_one(tmp_path):
    folder = RunFolder(tmp_path)
    old = SyntheticRun(folder).write()
    opened = open_run_log(folder.run_log)
    opened.log.close()
    assert (opened.closed, opened.scans) == ([], 1)
    since = checkpoint(folder.run_log)
    assert since.offset == folder.run_log.stat().st_size
    dead = SyntheticRun(folder, stop=None).write()
    # What lies before the checkpoint is not read again: a change there does not show here.
    content = folder.run_log.read_bytes()
    folder.run_log.write_bytes(content.replace(b'"source":"twin"', b'"source":"tvin"', 1))
    opened = open_run_log(folder.run_log)
    opened.log.close()
    assert (opened.closed, opened.scans) == ([dead.uid], 2)
    new = SyntheticRun(RunFolder(tmp_path / "other")).write()
    with AppendLog(folder.run_log, checkpoint(folder.run_log)) as further:
        for entry in read_log(RunFolder(tmp_path / "other").run_log):
            further.append(entry.kind, entry.data)
    assert last_scan(folder.run_log) == new.uid
    assert read_scan(folder, new.uid).record.outcome == "success"
    with pytest.raises(LogDamaged):
        read_scan(folder, old.uid)
    with pytest.raises(LogDamaged):
        list(scans_in(folder.run_log))


def test_a_run_is_found_on_either_side_of_the_checkpoint(tmp_path):
    folder = RunFolder(tmp_path)
    runs = [SyntheticRun(folder).write(), SyntheticRun(folder, lost=(31,)).write()]
    assert last_scan(folder.run_log) == runs[1].uid
    log = open_run_log(folder.run_log).log
    log.append_entry("note", {"text": f"look at {runs[0].uid} again"})
    log.close()
    assert last_scan(folder.run_log) == runs[1].uid
    runs.append(SyntheticRun(folder, missed=(40,)).write())
    assert last_scan(folder.run_log) == runs[2].uid
    missing = [read_scan(folder, run.uid).scan_rows.missing.tolist() for run in runs]
    assert missing == [[], [31], [40]]
