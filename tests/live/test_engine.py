"""The engine with real logs and files: in the end every slice is the same, whatever was lost."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from synthetic_scan import SyntheticScan, make_spec

from voltomo.live.callback import LiveReconstruction
from voltomo.live.engine import Engine, Progress
from voltomo.live.live_slice import SliceState
from voltomo.live.observer import latencies_s
from voltomo.live.settings import LiveSettings
from voltomo.runtime.append_log import AppendLog, read_log

PATIENCE_S = 20.0


def same(image: np.ndarray, whole: np.ndarray) -> None:
    """Sums may have been taken in another order."""
    np.testing.assert_allclose(image, whole, atol=1e-7)


class Watched:
    """An engine in a thread, and what it published."""

    def __init__(self, log: Path, settings: LiveSettings) -> None:
        self.slices: list[tuple[str, SliceState]] = []
        self.published_s: list[float] = []
        self.progress: list[Progress] = []
        self.engine = Engine(
            settings,
            log,
            self._take,
            self.progress.append,
        )
        self._thread = threading.Thread(target=self.engine.run)
        self._thread.start()

    def _take(self, uid: str, state: SliceState) -> None:
        self.slices.append((uid, state))
        self.published_s.append(time.monotonic())

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self._thread.is_alive()
            assert time.monotonic() < deadline, self.progress[-1:]
            time.sleep(0.01)

    def state(self) -> str:
        return self.progress[-1].state if self.progress else "Idle"

    def done(self) -> SliceState:
        self.until(lambda: self.state() == "Done")
        return self.slices[-1][1]

    def stop(self) -> None:
        self.engine.stop()
        self._thread.join()


@contextmanager
def watched(log: Path, **settings) -> Iterator[Watched]:
    made = Watched(log, LiveSettings.model_validate({"publish_s": 0.02} | settings))
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> SyntheticScan:
    return SyntheticScan(tmp_path_factory.mktemp("scan"))


@pytest.fixture(scope="module")
def whole(scan: SyntheticScan, tmp_path_factory) -> np.ndarray:
    """The final slice of a scan of which nothing was lost."""
    log = tmp_path_factory.mktemp("whole") / "run.log"
    with AppendLog(log) as writer:
        scan.log_all(writer)
    with watched(log) as live:
        return live.done().image


def stream(scan: SyntheticScan, live: Watched, indices: range, lost: set[int]) -> None:
    for index in indices:
        if index not in lost:
            live.engine.offer(scan.streamed(index))
    live.engine.latch(scan.chunk(max(0, indices[-1] - 100), indices[-1] + 1))


def streamed(live: Watched) -> int:
    return live.progress[-1].frames_streamed if live.progress else 0


@pytest.mark.parametrize(
    "lost",
    [
        set(),
        {20, 21, 50, 51, 52, 106},
        {3},
        set(range(12, 17)),
        set(range(10, 107)),
    ],
    ids=["nothing", "some views", "a priming frame", "all flats", "nearly all"],
)
def test_whatever_the_stream_lost_the_file_brings(tmp_path, scan, whole, lost) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer, watched(log) as live:
        live.engine.begin(scan.uid, scan.spec)
        scan.log_start(writer)
        for block in scan.spec.blocks():
            scan.log_file(writer, block, scan.write_file(block))
            stream(scan, live, range(block.first, block.last), lost)
            if not lost and block.first > 0:
                live.until(lambda last=block.last: streamed(live) == last)
            scan.log_latches(writer, block.first, block.last)
        live.until(lambda: live.progress[-1:] != [] and live.progress[-1].frames_processed > 100)
        scan.log_stop(writer)
        state = live.done()
        assert state.frames == scan.spec.geometry.projections
        same(state.image, whole)
        assert live.progress[-1].lost == 0
        if not lost:
            assert live.progress[-1].frames_streamed == scan.spec.triggers


def test_what_the_stream_lost_is_filled_while_the_scan_goes_on(tmp_path, scan) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer, watched(log) as live:
        scan.log_start(writer)
        live.until(lambda: live.state() == "Live")
        lost = set(range(30, 40))
        for block in scan.spec.blocks():
            scan.log_file(writer, block, scan.write_file(block))
            stream(scan, live, range(block.first, block.last), lost)
            scan.log_latches(writer, block.first, block.last)
        live.until(lambda: bool(live.slices) and live.slices[-1][1].frames == 90)
        assert live.state() == "Live"
        live.engine.move_to(0)
        live.until(lambda: live.slices[-1][1].row == 0 and live.slices[-1][1].frames == 90)


def test_frames_that_the_file_has_are_at_no_time_called_lost(tmp_path) -> None:
    scan = SyntheticScan(tmp_path, make_spec(projections=600), uid="long")
    log = tmp_path / "run.log"
    with AppendLog(log) as writer:
        scan.log_all(writer, stop=False)
        with watched(log) as live:
            live.until(
                lambda: live.progress[-1:] != [] and live.progress[-1].frames_processed > 600
            )
            assert {progress.lost for progress in live.progress} == {0}


def test_a_restart_in_mid_scan_completes(tmp_path, scan, whole) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer:
        scan.log_start(writer)
        sweep = scan.block("sweep_0")
        for block in scan.spec.blocks()[:3]:
            scan.log_file(writer, block, scan.write_file(block))
            scan.log_latches(writer, block.first, block.last)
        scan.log_file(writer, sweep, scan.write_file(sweep))
        with watched(log) as live:
            # Came up when the sweep was half over; latches only by monitor, with a hole.
            live.until(lambda: live.state() == "Live")
            for index in range(60, 90):
                live.engine.offer(scan.streamed(index))
            live.engine.latch(scan.chunk(50, 90), posted_utc_s=2.0)
            live.until(lambda: bool(live.slices) and live.slices[-1][1].frames == 30)
            scan.log_latches(writer, sweep.first, sweep.last)
            scan.log_stop(writer)
            same(live.done().image, whole)


def test_a_frame_that_nobody_has_is_lost_and_said_so(tmp_path, scan) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer:
        scan.log_all(writer, without={40, 41, 42})
    with watched(log, lost_fraction_max=0.01) as live:
        state = live.done()
        assert state.frames == 87
        assert live.progress[-1].lost == 3
        verdict = next(v for v in live.progress[-1].verdicts if v.metric == "lost_frames")
        assert (verdict.value, verdict.judgement) == (3.0, "bad")
    # The files of the whole scan again, for whoever comes next.
    scan.write_file(scan.block("sweep_0"))


def test_a_camera_that_falls_silent_is_noticed(tmp_path, scan) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer, watched(log, lost_fraction_max=0.01) as live:
        scan.log_start(writer)
        live.until(lambda: live.state() == "Live")
        stream(scan, live, range(20), set())
        live.engine.latch(scan.chunk(0, 107), posted_utc_s=2.0)
        live.until(lambda: live.progress[-1:] != [] and live.progress[-1].lost > 30)
        live.until(lambda: live.progress[-1].verdicts[0].judgement == "bad")


def test_a_full_queue_loses_nothing_in_the_end(tmp_path, scan, whole) -> None:
    log = tmp_path / "run.log"
    with AppendLog(log) as writer:
        scan.log_all(writer, stop=False)
        slices: list[SliceState] = []
        progress: list[Progress] = []
        engine = Engine(
            LiveSettings(queue_frames=8, publish_s=0.02),
            log,
            lambda _, state: slices.append(state),
            progress.append,
        )
        for index in range(scan.spec.triggers):
            engine.offer(scan.streamed(index))
        scan.log_stop(writer)
    thread = threading.Thread(target=engine.run)
    thread.start()
    deadline = time.monotonic() + PATIENCE_S
    while not progress or progress[-1].state != "Done":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    engine.stop()
    thread.join()
    same(slices[-1].image, whole)
    assert slices[-1].complete
    assert not any(state.complete for state in slices[:-1])


def test_views_that_found_no_room_are_counted_from_scan_to_scan(tmp_path, scan) -> None:
    progress: list[Progress] = []
    busy, free = threading.Event(), threading.Event()

    def look(said: Progress) -> None:
        progress.append(said)
        if busy.is_set():
            free.wait(PATIENCE_S)

    engine = Engine(LiveSettings(queue_frames=8), tmp_path / "run.log", lambda *_: None, look)
    for index in range(20):
        engine.offer(scan.streamed(index))
    engine.begin(scan.uid, scan.spec)
    thread = threading.Thread(target=engine.run)
    thread.start()

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, progress[-1:]
            time.sleep(0.01)

    # Those of before are none of this scan's.
    until(lambda: bool(progress) and progress[-1].state == "Live")
    assert (progress[-1].views_dropped, progress[-1].views_waiting) == (0, 0)
    # While the engine is busy with something, more come than it has room for.
    busy.set()
    told = len(progress)
    until(lambda: len(progress) > told)
    for index in range(20):
        engine.offer(scan.streamed(index))
    busy.clear()
    free.set()
    until(lambda: progress[-1].views_dropped > 0)
    assert progress[-1].views_dropped == 12
    engine.stop()
    thread.join()


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
        same(live.slices[-1][1].image, whole)


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
    [({"axis_column": 900.0}, "must lie on the detector row"), ({"tilt_deg": 30.0}, "tilt 0")],
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


def test_a_damaged_log_is_reported_and_the_stream_goes_on(tmp_path, scan, caplog) -> None:
    log = tmp_path / "run.log"
    log.write_bytes(b'00000000 {"n": 0}\n')
    with watched(log) as live:
        live.until(lambda: "followed no further" in caplog.text)
        live.engine.begin(scan.uid, scan.spec)
        for block in scan.spec.blocks():
            stream(scan, live, range(block.first, block.last), set())
        live.until(lambda: bool(live.slices) and live.slices[-1][1].frames == 90)


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
    same(states[-1].image, whole)
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
