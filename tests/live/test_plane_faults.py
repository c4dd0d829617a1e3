"""Planes when something goes wrong: takes again, bad flats, errors, views that are overwritten."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from engine_rig import PATIENCE_S
from planes_rig import Seen
from solid_scan import SolidScan, solid_spec

from voltomo.live import volume_request
from voltomo.live.engine_planes import EnginePlanes
from voltomo.live.latency import NewsOfTriggers
from voltomo.live.live_planes import LivePlanes, PlaneState
from voltomo.live.live_slice import LiveSlice
from voltomo.live.plane_thread import PlanesShown, PlaneThread
from voltomo.live.positions import Positions
from voltomo.live.settings import LiveSettings
from voltomo.live.volume_request import VolumeRequests
from voltomo.model.scan_spec import Block
from voltomo.runtime.append_log import AppendLog


def planes_of(scan: SolidScan) -> LivePlanes:
    return LivePlanes(scan.uid, scan.spec, Positions(), LiveSettings())


def feed(scan: SolidScan, planes: LivePlanes, indices) -> None:
    for index in indices:
        angle = scan.mid_angle_deg(planes.block_of(index), index)
        assert planes.use(index, scan.images[index], angle), index


def test_an_interlaced_sweep_that_is_taken_again_leaves_the_others(tmp_path: Path) -> None:
    spec = solid_spec(projections=20, sweeps=3, interlace="golden")
    scan = SolidScan(tmp_path, spec)
    planes, thread = planes_of(scan), PlaneThread(LiveSettings(), lambda *_: None)
    first, sweep = scan.block("sweep_0").first, scan.block("sweep_1")
    flats = range(first)
    try:
        feed(scan, planes, range(sweep.last))
        planes.again(sweep)
        missing = [i for i in range(sweep.last) if not planes.used[i] and planes.wants(i)]
        assert missing == list(range(first, sweep.last))
        feed(scan, planes, missing)
        assert planes.views == 40
        thread.begin(scan.uid, spec)
        for index in (*flats, *missing):
            angle = scan.mid_angle_deg(planes.block_of(index), index)
            thread.take(index, scan.images[index], angle, streamed=False)
        thread.again(sweep)
        deadline = time.monotonic() + PATIENCE_S
        while thread.waiting and time.monotonic() < deadline:
            time.sleep(0.01)
        assert thread.wanted(np.arange(sweep.last)) == missing
    finally:
        thread.stop()


def test_a_sweep_of_turns_that_is_taken_again_begins_with_its_first_turn(tmp_path: Path) -> None:
    scan = SolidScan(tmp_path, solid_spec(projections=20, turns=2))
    planes, sweep = planes_of(scan), scan.block("sweep_0")
    feed(scan, planes, range(sweep.last - 5))
    assert planes.views == 15
    planes.again(sweep)
    feed(scan, planes, range(sweep.first, sweep.first + 12))
    assert planes.views == 12


def test_flats_that_cannot_be_used_are_left_out_and_told_of(tmp_path: Path) -> None:
    scan = SolidScan(tmp_path, solid_spec(projections=20, sweeps=2, flats_every=1))
    planes = planes_of(scan)
    flats, again = scan.block("flats_before"), scan.block("flats_0")
    for block in (flats, again):
        for index in range(block.first, block.last):
            scan.images[index] = np.zeros_like(scan.images[index])
    first = scan.block("sweep_0").first
    feed(scan, planes, range(first))
    assert not planes.use(first, scan.images[first], 0.0)
    assert "flats_before" in planes.fault
    # Taken again they are good, and those that are bad later leave them in place.
    planes.again(flats)
    for index in range(flats.first, flats.last):
        scan.images[index] = np.full_like(scan.images[index], 40000)
    feed(scan, planes, range(scan.block("sweep_1").last))
    assert planes.views == 20
    assert "flats_0" in planes.fault
    assert planes.state("xz").sweep == "sweep_1"


def test_flats_come_again_with_darks_that_are_taken_again(tmp_path: Path) -> None:
    scan = SolidScan(tmp_path, solid_spec(projections=20))
    planes = planes_of(scan)
    darks, flats, first = scan.block("darks"), scan.block("flats_before"), 17
    assert scan.block("sweep_0").first == first
    feed(scan, planes, range(first + 5))
    planes.again(darks)
    missing = [index for index in range(first + 5) if not planes.used[index]]
    assert missing == [*range(darks.first, darks.last), *range(flats.first, flats.last)]
    feed(scan, planes, [*missing, *range(first + 5, first + 8)])
    assert planes.views == 8


def test_an_error_ends_the_planes_of_one_scan_and_says_so(tmp_path: Path) -> None:
    scan = SolidScan(tmp_path, solid_spec(projections=20))
    told: list[str] = []

    def show(_: str, state: PlaneState) -> None:
        told.append(state.name)
        if len(told) == 1:
            raise RuntimeError("no room on the network")

    def until(condition) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    thread = PlaneThread(LiveSettings(planes_every_s=0.02), show)
    try:
        for uid in ("one", "other"):
            thread.begin(uid, scan.spec)
            for index in range(scan.block("sweep_0").first + 3):
                thread.take(index, scan.images[index], 0.0, streamed=False)
            if uid == "one":
                until(lambda: not thread.follows)
                assert "no room on the network" in thread.reason
        until(lambda: thread.publications > 0)
        assert thread.alive
        assert thread.follows
        assert thread.reason == ""
    finally:
        thread.stop()


def test_a_volume_of_views_that_are_overwritten_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = SolidScan(tmp_path, solid_spec(projections=20, sweeps=2))
    planes, sweeps = planes_of(scan), [scan.block(f"sweep_{n}") for n in range(2)]
    feed(scan, planes, range(sweeps[0].last))
    requests = VolumeRequests(tmp_path, 100.0)

    def asked() -> dict[str, str]:
        requests.make(planes, 32)
        deadline = time.monotonic() + PATIENCE_S
        while '"working"' in requests.said and time.monotonic() < deadline:
            time.sleep(0.01)
        return json.loads(requests.said)

    def meanwhile(*given: object) -> np.ndarray:
        feed(scan, planes, [sweeps[1].first])
        return np.zeros((2, 2, 2), np.float32)

    def broken(*given: object) -> np.ndarray:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(volume_request, "binned_volume", meanwhile)
        assert "another sweep began meanwhile" in asked()["reason"]
        patch.setattr(volume_request, "binned_volume", broken)
        assert "could not be made" in asked()["reason"]
    assert not list(tmp_path.glob("*.npz"))
    assert asked()["state"] == "ready"


def test_a_scan_whose_flats_are_nowhere_comes_to_its_end(tmp_path: Path) -> None:
    scan = SolidScan(tmp_path, solid_spec(projections=40))
    flats = scan.block("flats_before")
    with AppendLog(tmp_path / "run.log") as log, Seen(tmp_path) as live:
        scan.log_all(log, without=set(range(flats.first, flats.last)))
        live.until(lambda: live.state() == "Done")
        assert live.planes["xz"].frames == 0


def test_interlaced_sweeps_are_judged_at_the_height_that_is_shown(tmp_path: Path) -> None:
    scan = SolidScan(tmp_path, solid_spec(projections=20, sweeps=2, interlace="golden"))

    def transmission() -> float | None:
        found = [v for v in live.progress[-1].verdicts if v.metric == "mean_transmission"]
        return found[-1].value if found else None

    with AppendLog(tmp_path / "run.log") as log, Seen(tmp_path, height_row=0) as live:
        scan.log_all(log)
        live.until(lambda: live.state() == "Done" and live.progress[-1].row == 0)
        outside = transmission()
        live.engine.move_to(20)
        live.until(lambda: live.state() == "Done" and live.progress[-1].row == 20)
        live.until(lambda: transmission() not in (None, outside))
        level = LiveSlice(scan.uid, scan.spec, 20)
        level.latch(scan.chunk(0, scan.spec.triggers))
        for index in range(scan.spec.triggers):
            level.use(index, scan.images[index])
        wanted = level.transmission()
        assert wanted is not None
        # Of the sweep that was taken last.
        assert transmission() == pytest.approx(wanted[0])
        live.until(lambda: live.planes["xy"].row == 20)


def test_what_is_shown_of_a_scan_without_a_slice_is_not_kept_for_ever(tmp_path: Path) -> None:
    planes = EnginePlanes(LiveSettings(), lambda *_: None)
    try:
        for _ in range(3):
            planes.thread.shown.put(PlanesShown("before", (), (5,), 0.0, False))
        assert planes.collect(None, NewsOfTriggers()) == []
        assert planes.thread.shown.empty()
    finally:
        planes.thread.stop()


class Whole:
    """Takes frames whole, and their angles."""

    def __init__(self) -> None:
        self.angles: dict[int, float] = {}

    def take(self, index: int, image: np.ndarray, angle_deg: float, *, streamed: bool) -> None:
        self.angles[index] = angle_deg

    def again(self, block: Block) -> None:
        pass


def test_whole_frames_have_the_angle_of_their_middle_row(tmp_path: Path) -> None:
    spec = solid_spec(projections=40).model_copy(update={"row_delay_us": 100.0})
    scan, whole = SolidScan(tmp_path, spec), Whole()
    live = LiveSlice(scan.uid, spec, 0, whole)
    live.latch(scan.chunk(0, spec.triggers))
    sweep = scan.block("sweep_0")
    live.use(sweep.first, scan.images[sweep.first])
    later_deg = 4.5 / 0.02 * (spec.exposure_s / 2 + 19.5 * 1e-4)
    assert whole.angles[sweep.first] == pytest.approx(scan.angle_deg[sweep.first] + later_deg)
    assert live.angle_mid_exposure_deg(sweep.first) < whole.angles[sweep.first]


def test_frames_that_waited_too_long_to_be_kept_whole_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("voltomo.live.live_slice.WAITING_BYTES", 0)
    scan, whole = SolidScan(tmp_path, solid_spec(projections=20)), Whole()
    live = LiveSlice(scan.uid, scan.spec, 0, whole)
    for index in range(scan.spec.triggers):
        live.frame(scan.images[index], float(scan.stamp_s[index]))
    live.latch(scan.chunk(0, scan.spec.triggers))
    live.process()
    # The first eight, which are the priming train, were kept whole.
    assert whole.angles == {}
    assert live.not_kept == 4 + 5 + 20
