"""What the engine tells of scans: heights, other scans, latency, damage, the callback."""

import time

import numpy as np
import pytest
from engine_rig import assert_same, stream, watched
from synthetic_scan import SyntheticScan, make_spec

from voltomo.live.callback import LiveReconstruction
from voltomo.live.observer import latencies_s
from voltomo.live.slice_state import SliceState
from voltomo.runtime.append_log import AppendLog, read_log


def test_the_height_moves_after_the_end(tmp_path, scan, whole) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer:
        scan.log_all(writer)
    with watched(log) as live:
        assert live.done().row == 2
        live.engine.move_to(0)
        live.until(lambda: live.slices[-1][1].row == 0 and live.state() == "Done")
        assert live.slices[-1][1].frames == 90
        live.engine.move_to(2)
        live.until(lambda: live.slices[-1][1].row == 2 and live.slices[-1][1].frames == 90)
        live.until(lambda: live.state() == "Done")
        assert_same(live.slices[-1][1].image, whole)


def test_latches_of_an_earlier_scan_do_not_get_in(tmp_path, scan) -> None:
    log = tmp_path / "run.log"
    with watched(log) as live:
        live.engine.begin(scan.uid, scan.spec)
        live.engine.latch(scan.chunk(0, 100), posted_utc_s=time.time() - 60)
        live.until(lambda: live.state() == "Live")
        time.sleep(0.3)
        assert live.progress[-1].lost == 0


def test_a_log_that_still_speaks_of_the_scan_before_is_not_mixed_in(tmp_path, scan) -> None:
    log = tmp_path / "run.log"
    before = SyntheticScan(tmp_path, uid="the-one-before")
    with AppendLog(log) as writer, watched(log) as live:
        before.log_start(writer)
        live.until(lambda: live.state() == "Live")
        live.engine.begin(scan.uid, scan.spec)
        live.until(lambda: live.progress[-1].scan_uid == scan.uid)
        before.log_latches(writer, 0, 100)
        before.log_stop(writer)
        time.sleep(0.3)
        assert live.state() == "Live"
        assert live.progress[-1].lost == 0


def test_of_a_long_log_only_the_last_scan_is_shown(tmp_path, whole, scan) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer:
        SyntheticScan(tmp_path, uid="older").log_all(writer)
        scan.log_all(writer)
    with watched(log) as live:
        live.done()
        assert {uid for uid, _ in live.slices} == {scan.uid}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"axis_column": 900.0}, "must lie on the detector row"),
        ({"tilt_deg": 30.0}, "the axis is tilted or rolled"),
    ],
)
def test_a_scan_that_cannot_be_shown_says_why_and_does_not_end_the_engine(
    tmp_path, scan, caplog, changes, words
) -> None:
    log = tmp_path / "run.log"
    geometry = scan.spec.geometry.model_copy(update=changes)
    with watched(log) as live:
        live.engine.begin("odd", scan.spec.model_copy(update={"geometry": geometry}))
        live.until(lambda: live.state() == "No slice")
        assert "the scan odd has no live slice" in caplog.text
        said = live.progress[-1]
        assert said.scan_uid == "odd"
        assert words in said.reason
        assert list(said.verdicts) == []
        stream(scan, live, range(20), set())
        time.sleep(0.1)
        assert live.slices == []
        live.engine.begin(scan.uid, scan.spec)
        live.until(lambda: live.state() == "Live")
        assert live.progress[-1].reason == ""


def test_the_row_in_use_is_told(tmp_path, scan) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer:
        scan.log_all(writer)
    with watched(log, height_row=99) as live:
        live.done()
        assert live.progress[-1].row == 3
        live.engine.move_to(1)
        live.until(lambda: live.progress[-1].row == 1)


def test_latency_runs_from_the_end_of_the_exposure_on_this_clock(tmp_path, scan) -> None:
    """Edges happen now; their news take 20 ms, once; the frames come 200 ms after them."""
    log = tmp_path / "run.log"
    with watched(log) as live:
        live.engine.begin(scan.uid, scan.spec)
        live.until(lambda: live.state() == "Live")
        # This clock minus the trigger hardware's, which the worker does not know.
        ahead_s = time.monotonic() - float(scan.edge_s[0])
        posted = 0
        for index in range(60):
            while time.monotonic() - ahead_s < scan.edge_s[index] + 0.2:
                time.sleep(0.001)
                known = int(np.searchsorted(scan.edge_s, time.monotonic() - ahead_s - 0.02))
                if known > posted:
                    live.engine.latch(scan.chunk(max(0, known - 60), known))
                    posted = known
            live.engine.offer(scan.streamed(index))
        live.until(lambda: bool(live.slices) and live.slices[-1][1].frames == 60 - 17)
        live.until(lambda: live.progress[-1].frames_streamed == 60)
    receipts = [
        (float(state.last_trigger), at)
        for (_, state), at in zip(live.slices, live.published_s, strict=True)
    ]
    index = np.arange(17, 60)
    ends_s = scan.edge_s[index] + scan.spec.exposure_s + ahead_s
    true_ms = 1e3 * np.median(latencies_s(np.array(receipts), index, ends_s))
    told = live.progress[-1]
    # Too short by what the news take at best.
    assert true_ms - 60 < told.latency_p50_ms < true_ms - 15
    assert told.latency_p99_ms >= told.latency_p50_ms


def test_without_news_of_triggers_there_is_no_latency(tmp_path, scan) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer:
        scan.log_all(writer)
    with watched(log) as live:
        live.done()
        assert np.isnan(live.progress[-1].latency_p50_ms)


def test_a_damaged_log_is_reported_and_the_stream_goes_on(tmp_path, scan, whole, caplog) -> None:
    log = tmp_path / "run.log"
    log.write_bytes(b'00000000 {"n": 0}\n')
    with watched(log) as live:
        live.until(lambda: "followed no further" in caplog.text)
        live.engine.begin(scan.uid, scan.spec)
        for block in scan.spec.blocks():
            stream(scan, live, range(block.first, block.last), set())
        live.until(lambda: bool(live.slices) and live.slices[-1][1].frames == 90)
        assert caplog.text.count("followed no further") == 1
        assert live.state() == "Live"
        assert live.slices[-1][0] == scan.uid
        # Not the last slice: the log, which told of the end, is not read any more.
        assert not live.slices[-1][1].complete
        image = live.slices[-1][1].image
    assert np.corrcoef(image.ravel(), whole.ravel())[0, 1] > 0.99


def test_the_callback_in_a_notebook_gives_the_same_slice(tmp_path, scan, whole) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer:
        scan.log_all(writer)
    states: list[SliceState] = []
    callback = LiveReconstruction(on_slice=states.append)
    for entry in read_log(log):
        callback(entry.data["name"], entry.data["doc"])
        if entry.data["name"] == "event_page":
            callback("stream_datum", {})
    assert_same(states[-1].image, whole)
    assert len(states) > 1


def test_the_callback_never_stops_a_scan(tmp_path, scan, caplog) -> None:
    told: list[str] = []
    start = {"uid": "u", "scan_spec": scan.spec.model_dump(mode="json")}
    LiveReconstruction(told.append)("start", start)
    assert '"op": "start"' in told[0]

    def absent(_: str) -> None:
        raise TimeoutError("nobody answers")

    LiveReconstruction(absent)("start", start)
    assert "nobody answers" in caplog.text
    callback = LiveReconstruction()
    callback("start", start)
    callback("descriptor", {"uid": "t", "name": "triggers"})
    callback("event_page", {"descriptor": "t", "data": {}})
    callback("stop", {})
    callback("start", {"uid": "u", "scan_spec": {"nonsense": 1}})
    assert "does not follow this scan further" in caplog.text


def test_two_sweeps_end_with_the_second(tmp_path) -> None:
    scan = SyntheticScan(tmp_path, make_spec(sweeps=2, order="alternate"), uid="two")
    log = tmp_path / "run.log"
    with AppendLog(log) as writer:
        scan.log_all(writer)
    with watched(log) as live:
        state = live.done()
    assert (state.sweep, state.frames) == ("sweep_1", 90)
