"""The fold of the logs: pure, the same every time, and right about attempts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.records.synthetic import TRIGGER_MINUS_UTC_S, SyntheticRun, small_spec
from voltomo.model.names import run_name
from voltomo.records.ended_runs import EndedRuns
from voltomo.records.run_entries import entries_of_run, scans_in
from voltomo.records.scan import read_scan
from voltomo.records.scan_record import ScanRecord, fold_scan, fold_scans
from voltomo.runtime.append_log import AppendLog, Entry, read_log
from voltomo.runtime.log_reader import LogDamaged
from voltomo.runtime.run_folder import RunFolder

UID = "11111111-2222-3333-4444-555555555555"


def entries(documents: list[tuple[str, dict]]) -> list[Entry]:
    return [Entry(n, 0.0, "document", {"name": a, "doc": b}) for n, (a, b) in enumerate(documents)]


def start() -> list[tuple[str, dict]]:
    spec = small_spec().model_dump(mode="json")
    return [
        ("start", {"uid": UID, "time": 0.0, "scan_spec": spec}),
        ("descriptor", {"uid": "t", "run_start": UID, "name": "triggers", "data_keys": {}}),
    ]


def page(first: int, count: int, time_s: float) -> tuple[str, dict]:
    index = np.arange(first, first + count)
    data = {
        "trigger_index": index.tolist(),
        "trigger_angle_deg": index.astype(float).tolist(),
        "trigger_time_s": (time_s + 0.025 * index).tolist(),
    }
    return "event_page", {"descriptor": "t", "time": [time_s + 10] * count, "data": data}


def same(a: ScanRecord, b: ScanRecord) -> bool:
    arrays = ("index", "time_s", "angle_deg", "utc_s")
    return (a.uid, a.start, a.stop, a.sources, a.baseline, a.openings, a.charges) == (
        (b.uid, b.start, b.stop, b.sources, b.baseline, b.openings, b.charges)
    ) and all(np.array_equal(getattr(a.latches, n), getattr(b.latches, n)) for n in arrays)


def test_whole_run_from_its_logs(tmp_path):
    folder = RunFolder(tmp_path)
    SyntheticRun(folder).write()
    run = SyntheticRun(folder).write()
    log, ledger = read_log(folder.run_log), read_log(folder.exposure_log)
    assert list(scans_in(folder.run_log))[1:] == [run.uid]
    record = fold_scan(run.uid, log, ledger)
    both = list(fold_scans(log, ledger))
    assert len(both) == 2
    assert same(record, both[1])
    assert same(record, fold_scan(run.uid, log, ledger))
    assert list(record.latches.index) == list(range(90))
    assert record.latches.utc_minus_trigger_s == pytest.approx(-TRIGGER_MINUS_UTC_S, abs=0.01)
    assert [source.block for source in record.sources] == [b.name for b in run.spec.blocks()]
    assert [charge.purpose for charge in record.charges] == [
        "flats_before",
        "sweep_0",
        "flats_after",
    ]
    assert len(record.openings) == 3
    assert record.source == "twin"
    assert record.outcome == "success"


def test_settlements_that_only_the_guard_has_heard_of_are_there(tmp_path):
    folder = RunFolder(tmp_path)
    run = SyntheticRun(folder).write()
    log = [entry for entry in read_log(folder.run_log) if entry.kind != "settlement"]
    opening = next(e for e in read_log(folder.exposure_log) if e.data["purpose"] == "sweep_0")
    with AppendLog(folder.exposure_log) as ledger:
        ledger.append("settle", {**opening.data, "reason": "its holder is dead"})
    record = fold_scan(run.uid, log, read_log(folder.exposure_log))
    assert [(charge.purpose, charge.reason) for charge in record.charges] == [
        ("sweep_0", "its holder is dead")
    ]


def test_unknown_run_is_refused(tmp_path):
    with pytest.raises(KeyError, match="holds no scan"):
        fold_scan("nobody", [], [])


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(range(6)), repeats=st.integers(1, 3))
def test_pages_in_any_order_and_any_number_give_the_same_record(order, repeats):
    pages = [page(first, 20, 0.0) for first in (0, 10, 20, 40, 60, 70)]
    shuffled = [pages[at] for at in order] * repeats
    record = fold_scan(UID, entries(start() + shuffled))
    assert same(record, fold_scan(UID, entries(start() + pages)))
    assert list(record.latches.index) == list(range(90))


@settings(max_examples=60, deadline=None)
@given(first=st.integers(0, 80), count=st.integers(1, 90))
def test_the_latest_attempt_wins_and_leaves_nothing_of_the_older_one_behind(first, count):
    count = min(count, 90 - first)
    record = fold_scan(UID, entries([*start(), page(0, 90, 0.0), page(first, count, 100.0)]))
    assert list(record.latches.index) == list(range(first + count))
    assert np.all(np.diff(record.latches.time_s) > 0)
    assert np.all((record.latches.time_s > 50) == (record.latches.index >= first))


def test_events_count_as_pages_do():
    _, doc = page(5, 1, 0.0)
    event = {"descriptor": "t", "time": 10.0, "data": {k: v[0] for k, v in doc["data"].items()}}
    a = fold_scan(UID, entries([*start(), ("event", event)]))
    assert same(a, fold_scan(UID, entries([*start(), ("event_page", doc)])))


def test_file_names_with_blanks_and_without_a_block_are_understood():
    resource = {
        "run_start": UID,
        "uri": f"file://localhost/data/my%20run/{run_name(UID)}_sweep_0.h5",
    }
    record = fold_scan(UID, entries([*start(), ("stream_resource", resource)]))
    assert record.sources[0].path == Path(f"/data/my run/{run_name(UID)}_sweep_0.h5")
    assert record.sources[0].block == "sweep_0"


def test_a_run_that_has_ended_is_read_without_what_is_before_and_behind(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    runs = [SyntheticRun(folder).write() for _ in range(3)]
    run, begins = runs[1], EndedRuns(folder.run_log).poll()[1].begins
    whole = entries_of_run(folder.run_log, run.uid)
    scan = read_scan(folder, run.uid)
    size = folder.run_log.stat().st_size
    with folder.run_log.open("r+b") as log:
        # Whoever read these lines would find that they do not fit their checksums.
        for place in (0, size - 20):
            log.seek(place)
            log.write(b"spoilt")
    assert entries_of_run(folder.run_log, run.uid, begins) == whole
    assert any(entry.kind == "settlement" for entry in whole)
    again = read_scan(folder, run.uid, begins=begins)
    assert again.dose.dose_Gy == scan.dose.dose_Gy > 0
    assert np.array_equal(again.table.source, scan.table.source)
    with pytest.raises(LogDamaged):
        read_scan(folder, run.uid)
