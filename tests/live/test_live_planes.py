"""Planes of a scan that runs: both geometries, moved, interlaced, skipped, asked for as volume."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from engine_rig import PATIENCE_S
from planes_rig import Seen
from solid_scan import SolidScan, likeness, solid_spec, truth

from voltomo.analysis.plane import Plane
from voltomo.analysis.weights import angular_weights
from voltomo.live.live_planes import LivePlanes
from voltomo.live.live_slice import LiveSlice
from voltomo.live.plane_thread import PlaneThread
from voltomo.live.positions import Oblique, ObliqueRefused, Positions, parse_oblique
from voltomo.live.settings import LiveSettings
from voltomo.model.scan_spec import ScanSpec
from voltomo.runtime.append_log import AppendLog

TILTED = Oblique(centre=(0.0, 0.0, 1.0), normal=(0.3, -0.2, 1.0))
HERE = Positions(row=24, y=7.2, x=8.8, oblique=TILTED)


@pytest.fixture(scope="module", params=[0.0, 30.0], ids=["tomography", "laminography"])
def scan(request, tmp_path_factory) -> SolidScan:
    return SolidScan(tmp_path_factory.mktemp("solids"), solid_spec(request.param, projections=120))


def planes_of(scan: SolidScan, positions: Positions = HERE, **settings) -> LivePlanes:
    return LivePlanes(scan.uid, scan.spec, positions, LiveSettings.model_validate(settings))


def feed(scan: SolidScan, planes: LivePlanes, indices) -> None:
    for index in indices:
        angle = scan.mid_angle_deg(planes.block_of(index), index)
        assert planes.use(index, scan.images[index], angle), index


def alike(planes: LivePlanes, least: float) -> None:
    geometry = planes.spec.geometry
    for name in planes.names:
        state = planes.state(name)
        assert likeness(state.image, planes.positions.plane(name, geometry)) > least, name


def test_all_planes_show_the_solids(scan: SolidScan) -> None:
    planes = planes_of(scan)
    assert planes.names == (("xz", "yz", "oblique") if scan.spec.geometry.tilt_deg == 0 else
                            ("xy", "xz", "yz", "oblique"))  # fmt: skip
    sweep = scan.block("sweep_0")
    half = sweep.first + sweep.count // 2
    feed(scan, planes, range(half))
    assert planes.state("xz").frames == sweep.count // 2
    alike(planes, 0.2)
    feed(scan, planes, range(half, sweep.last))
    planes.finish()
    alike(planes, 0.8 if scan.spec.geometry.tilt_deg else 0.88)
    state = planes.state("xz")
    assert (state.complete, state.last_trigger, state.row) == (True, sweep.last - 1, -1)
    assert json.loads(state.position) == {"y": 7.2}
    # Attenuation per pixel, not only its shape; what tilt loses in contrast is not made up.
    inside = truth(planes.positions.plane("xz", scan.spec.geometry)) == 0.02
    low = 0.6 if scan.spec.geometry.tilt_deg else 0.93
    assert low < state.image[inside].mean() / 0.02 < 1.05


def test_a_plane_that_is_moved_is_drawn_from_what_is_kept(scan: SolidScan) -> None:
    planes = planes_of(scan)
    feed(scan, planes, range(scan.block("sweep_0").last - 30))
    before = planes.state("yz").image
    assert planes.move("yz", -9.3) > 0
    assert planes.state("yz").redraw_ms > 0
    feed(scan, planes, range(scan.block("sweep_0").last - 30, scan.block("sweep_0").last))
    planes.finish()
    there = planes_of(scan, HERE.moved("yz", -9.3))
    feed(scan, there, range(scan.block("sweep_0").last))
    there.finish()
    np.testing.assert_allclose(planes.state("yz").image, there.state("yz").image, atol=1e-5)
    assert np.abs(before - planes.state("yz").image).max() > 0.01
    # Beyond the field a plane stays at its edge.
    planes.move("yz", 1e6)
    assert json.loads(planes.state("yz").position) == {"x": 31.5}


def test_binned_views_still_show_a_plane_that_is_moved(scan: SolidScan) -> None:
    planes = planes_of(scan, buffer_MB=0.5)
    assert planes.binning == 2
    assert planes.memory_promise_bytes < 0.8e6
    feed(scan, planes, range(scan.block("sweep_0").last))
    planes.finish()
    for name, to in (("xz", 6.5), ("yz", 8.0), ("oblique", TILTED)):
        planes.move(name, to)
    alike(planes, 0.72)


@pytest.mark.parametrize("tilt_deg", [0.0, 30.0])
def test_interlaced_sweeps_are_right_at_any_moment(tmp_path: Path, tilt_deg: float) -> None:
    """After any number of views, those of the image have the weights of their own angles."""
    spec = solid_spec(tilt_deg, projections=40, sweeps=3, interlace="golden", order="alternate")
    scan = SolidScan(tmp_path, spec)
    planes = planes_of(scan)
    assert "xy" in planes.names
    first = scan.block("sweep_0").first
    turn = 360.0 if tilt_deg else 180.0
    seen = 0.0
    for stop in (30, 40, 55, 80, 101, 120):
        feed(scan, planes, range(planes.last_trigger + 1 if planes.views else 0, first + stop))
        planes.settle()
        angles = [scan.mid_angle_deg(planes.block_of(i), i) for i in range(first, first + stop)]
        wanted = angular_weights(angles, turn_deg=turn)
        held = planes.reconstructor.buffer.held()[2] * planes.unit_rad
        np.testing.assert_allclose(held, wanted, atol=0.021 * float(np.median(wanted)))
        whole = LivePlanes(scan.uid, spec, HERE, LiveSettings())
        assert planes.views == stop
        image = planes.state("xy").image
        now = likeness(image, whole.positions.plane("xy", spec.geometry))
        assert now > seen - 0.03, (stop, now, seen)
        seen = max(seen, now)
    assert seen > (0.75 if tilt_deg else 0.85)
    planes.finish()
    # As if drawn at once with the last weights.
    drawn = planes.state("xz").image
    planes.move("xz", 7.2)
    np.testing.assert_allclose(drawn, planes.state("xz").image, atol=2e-5)


def test_without_flats_a_view_must_come_again(scan: SolidScan) -> None:
    planes = planes_of(scan)
    view = scan.block("sweep_0").first
    feed(scan, planes, range(scan.block("flats_before").first))
    assert not planes.use(view, scan.images[view], 0.0)
    assert not planes.used[view]
    feed(scan, planes, range(view + 5))
    assert planes.views == 5


def test_a_sweep_that_is_taken_again_begins_anew(scan: SolidScan) -> None:
    planes = planes_of(scan)
    sweep = scan.block("sweep_0")
    feed(scan, planes, range(sweep.first + 20))
    planes.again(sweep)
    assert planes.views == 0
    feed(scan, planes, range(sweep.first, sweep.last))
    planes.finish()
    alike(planes, 0.8)


def test_running_rings_are_taken_off(tmp_path: Path) -> None:
    scan = SolidScan(tmp_path, solid_spec(projections=120))
    sweep = scan.block("sweep_0")
    for index in range(sweep.first, sweep.last):
        scan.images[index][:, 38] = (scan.images[index][:, 38] * 0.9).astype(np.uint16)
    found = {}
    for rings in ("none", "running"):
        planes = planes_of(scan, corrections={"rings": rings, "ring_width_columns": 9})
        feed(scan, planes, range(sweep.last))
        planes.finish()
        found[rings] = likeness(
            planes.state("xz").image, planes.positions.plane("xz", scan.spec.geometry)
        )
    assert found["running"] > found["none"] + 0.01


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "Invalid JSON"),
        ('{"normal": [0, 0, 0]}', "which way the plane faces"),
        ('{"centre": [0, 0, 1e999]}', "finite"),
        ('{"center": [0, 0, 1]}', "center"),
    ],
)
def test_a_plane_that_cannot_be_is_refused_in_a_sentence(text: str, words: str) -> None:
    with pytest.raises(ObliqueRefused, match="stays where it is") as refused:
        parse_oblique(text)
    assert words in str(refused.value)


@pytest.mark.parametrize("normal", [(0, 0, 1), (1, 0, 0), (0.3, -0.2, 1), (-1, 2, 0)])
def test_an_oblique_plane_is_at_right_angles_to_its_normal(normal) -> None:
    plane = Oblique(normal=normal).plane(9)
    assert abs(np.dot(plane.along, normal)) < 1e-9
    assert abs(np.dot(plane.across, normal)) < 1e-9
    assert plane.along[2] == 0
    assert np.dot(np.cross(plane.along, plane.across), normal) > 0


def test_the_engine_fills_planes_and_moves_them_after_the_end(scan: SolidScan, tmp_path) -> None:
    spec: ScanSpec = scan.spec
    lost = {30, 31, 60, 61, 62, scan.block("sweep_0").last - 1}
    with AppendLog(tmp_path / "run.log") as log, Seen(tmp_path) as live:
        live.engine.begin(scan.uid, spec)
        scan.log_start(log)
        for block in spec.blocks():
            scan.log_file(log, block, scan.write_file(block))
            for index in range(block.first, block.last):
                if index not in lost:
                    live.engine.offer(scan.streamed(index))
            live.engine.latch(scan.chunk(block.first, block.last))
            scan.log_latches(log, block.first, block.last)
        scan.log_stop(log)
        live.until(lambda: live.state() == "Done")
        assert all(state.complete and state.frames == 120 for state in live.planes.values())
        assert live.progress[-1].planes.views == 120
        assert live.progress[-1].lost == 0
        for name, to in (("xz", 7.2), ("yz", 8.8), ("oblique", TILTED)):
            live.engine.move_plane(name, to)
        live.engine.move_to(24)
        # Of the slice's row, the file is read again; of the planes, nothing.
        slices = live.slices if spec.geometry.tilt_deg == 0 else None
        live.until(
            lambda: (
                bool(slices[-1].row == 24 and slices[-1].complete)
                if slices is not None
                else live.planes["xy"].row == 24
            )
        )
        live.until(lambda: live.state() == "Done" and live.progress[-1].row == 24)
        live.until(lambda: live.progress[-1].planes.redraw_ms > 0)
        least = 0.8 if spec.geometry.tilt_deg else 0.88
        level = slices[-1].image if slices is not None else live.planes["xy"].image
        assert likeness(level, HERE.plane("xy", spec.geometry)) > least
        for name in ("xz", "yz", "oblique"):
            live.until(lambda n=name: json.loads(live.planes[n].position) != {})
            plane = HERE.plane(name, spec.geometry)
            live.until(lambda n=name, p=plane: likeness(live.planes[n].image, p) > least)
        live.engine.make_volume(32)
        live.until(lambda: '"ready"' in live.progress[-1].planes.volume)
        said = json.loads(live.progress[-1].planes.volume)
    with np.load(said["path"]) as kept:
        volume, step = kept["volume"], float(kept["voxel_pixels"])
        assert bool(kept["complete"])
        assert int(kept["views"]) == 120
    assert volume.shape == (20, 32, 32)
    assert volume.nbytes < 1e6 * said["promised_MB"]
    level = Plane(32, 32, (0, 0, (9 - 9.5) * step), step=step)
    assert likeness(volume[9], level) > 0.7


def test_frames_beyond_capacity_are_skipped_counted_and_filled(scan: SolidScan, tmp_path) -> None:
    with AppendLog(tmp_path / "run.log") as log:
        scan.log_start(log)
        with Seen(tmp_path, planes_waiting_MB=0.01) as live:
            live.until(lambda: live.state() == "Live")
            for index in range(scan.spec.triggers):
                live.engine.offer(scan.streamed(index))
            live.until(lambda: live.progress[-1].frames_in == scan.spec.triggers)
            live.engine.latch(scan.chunk(0, scan.spec.triggers))
            live.until(lambda: live.progress[-1].views_dropped > 0)
            skipped = live.progress[-1].planes.skipped
            for block in scan.spec.blocks():
                scan.log_file(log, block, scan.write_file(block))
            scan.log_stop(log)
            live.until(lambda: live.state() == "Done")
            assert live.progress[-1].planes.skipped >= skipped > 0
            assert live.planes["xz"].frames == 120
            assert live.progress[-1].planes.waiting == live.progress[-1].views_waiting == 0


def test_a_volume_that_cannot_be_had_is_refused(scan: SolidScan, tmp_path: Path) -> None:
    thread = PlaneThread(LiveSettings(volume_MB=0.01), lambda *_: None, tmp_path)
    try:
        said: list[str] = []
        thread.begin(scan.uid, scan.spec)
        for size, index in ((32, None), (3, 0), (32, 0)):
            if index is not None:
                for at in range(scan.block("sweep_0").first + 3):
                    thread.take(at, scan.images[at], 0.0, streamed=False)
            before = thread.volume
            thread.make_volume(size)
            deadline = time.monotonic() + PATIENCE_S
            while thread.volume == before and time.monotonic() < deadline:
                time.sleep(0.01)
            said.append(json.loads(thread.volume).get("reason", ""))
    finally:
        thread.stop()
    assert "no views" in said[0]
    assert "8 to 64 voxels" in said[1]
    assert "volume_MB" in said[2]


def test_a_slice_alone_is_made_of_rows_where_they_make_one(scan: SolidScan) -> None:
    if scan.spec.geometry.tilt_deg:
        live = LiveSlice(scan.uid, scan.spec)
        assert not live.by_row
        assert live.state().image.shape == (2, 2)
    else:
        assert LiveSlice(scan.uid, scan.spec).by_row
