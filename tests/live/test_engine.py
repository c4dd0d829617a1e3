"""The engine with real logs and files: in the end every slice is the same, whatever was lost."""

import threading
import time
from collections.abc import Callable

import pytest
from engine_rig import PATIENCE_S, assert_same, stream, streamed, watched
from synthetic_scan import SyntheticScan, make_spec

from voltomo.live.engine import Engine, Progress
from voltomo.live.settings import LiveSettings
from voltomo.live.slice_state import SliceState
from voltomo.runtime.append_log import AppendLog


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
        assert_same(state.image, whole)
        assert live.progress[-1].lost == 0
        if not lost:
            assert live.progress[-1].frames_streamed == scan.spec.triggers


def test_long_pauses_cost_no_frame(tmp_path) -> None:
    """The rate of the camera's clock is known too badly to tell one trigger from the next."""
    scan = SyntheticScan(tmp_path, pause_s=60.0, jitter_s=100e-6)
    log = tmp_path / "run.log"
    with AppendLog(log) as writer, watched(log) as live:
        live.engine.begin(scan.uid, scan.spec)
        scan.log_start(writer)
        for block in scan.spec.blocks():
            scan.log_file(writer, block, scan.write_file(block))
            stream(scan, live, range(block.first, block.last), set())
            scan.log_latches(writer, block.first, block.last)
        live.until(lambda: live.progress[-1:] != [] and live.progress[-1].frames_processed > 100)
        scan.log_stop(writer)
        assert live.done().frames == scan.spec.geometry.projections
        assert live.progress[-1].lost == 0


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
            assert_same(live.done().image, whole)


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
        live.until(lambda: live.progress[-1].verdicts[0].judgement != "good")
        assert live.progress[-1].verdicts[0].judgement == "bad"
        assert live.state() == "Live"


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
    assert_same(slices[-1].image, whole)
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
