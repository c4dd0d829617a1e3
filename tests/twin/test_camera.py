"""Camera and writer as processes: every edge a frame, in ring, file and stream, or its reason."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.twin.camera_bench import CameraBench, a_camera_bench
from voltomo.runtime.frame_files import FrameFile
from voltomo.runtime.salvage import salvage
from voltomo.twin.world import FATE_DELIVERED, FATE_LOST, FATE_MISSED, Fault, Segment

OPEN = """
import sys
from pathlib import Path
import epics
P = "VT:Cam:"
def put(name, value):
    pv = epics.get_pv(P + name, connect=True, timeout=10)
    assert pv.put(value, wait=True, timeout=10) == 1, name
def get(name, as_string=False):
    pv = epics.get_pv(P + name, connect=True, timeout=10)
    return pv.get(as_string=as_string, use_monitor=False, timeout=5)
"""

CONNECT = """
import sys
from ophyd import Component, DetectorBase, Device
from ophyd.areadetector.cam import SimDetectorCam
from ophyd.areadetector.plugins import HDF5Plugin_V34, PvaPlugin_V34
class Detector(DetectorBase):
    cam = Component(SimDetectorCam, "cam1:")
    pva1 = Component(PvaPlugin_V34, "Pva1:")
    hdf1 = Component(HDF5Plugin_V34, "HDF1:")
# Connect all at once, not one after the other.
Device.lazy_wait_for_connection = False
detector = Detector("VT:Cam:", name="detector")
detector.wait_for_connection(all_signals=True, timeout=30)
signals = 0
for item in detector.walk_signals(include_lazy=True):
    if item.item.connected:
        item.item.get()
        signals += 1
    else:
        sys.stdout.write(item.item.name + " ")
sys.stdout.write(f"{signals} {detector.hdf1.plugin_type.get()} {detector.cam.model.get()}")
# The usual sequence of puts, with ophyd's own check of what came back.
detector.cam.acquire_time.set(0.01).wait(5)
detector.cam.image_mode.set("Multiple").wait(5)
detector.hdf1.file_template.set("%s%s.h5").wait(5)
detector.hdf1.file_path.set(sys.argv[1] + "/frames").wait(5)
detector.hdf1.swmr_mode.set("On").wait(5)
detector.hdf1.num_capture.set(5).wait(5)
detector.hdf1.validate_asyn_ports()
assert detector.hdf1.file_path_exists.get() == 1
"""

ARM = (
    OPEN
    + """
name, exposure_s = sys.argv[2], float(sys.argv[3])
put("cam1:TriggerMode", "External")
put("cam1:ImageMode", "Continuous")
put("cam1:AcquireTime", exposure_s)
put("HDF1:FileTemplate", "%s%s.h5")
put("HDF1:FileName", name)
put("HDF1:NumCapture", 0)
epics.caput(P + "HDF1:Capture", 1, wait=False)
epics.caput(P + "cam1:Acquire", 1, wait=False)
epics.ca.pend_io(5)
import time
deadline = time.monotonic() + 5
while not (get("HDF1:Capture_RBV") and get("cam1:Acquire_RBV")):
    assert time.monotonic() < deadline, get("HDF1:WriteMessage", True)
    time.sleep(0.01)
"""
)

CLOSE = (
    OPEN
    + """
put("cam1:Acquire", 0)
put("HDF1:Capture", 0)
sys.stdout.write(f"{get('HDF1:NumCaptured_RBV')} {get('HDF1:DroppedArrays_RBV')} "
                 f"{get('HDF1:Capture_RBV')} {get('HDF1:WriteStatus', True)}")
"""
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CameraBench]:
    root = tmp_path_factory.mktemp("camera") / "run"
    with a_camera_bench(root, rows=64, columns=96, pixel_um=5.0) as made:
        yield made


def play(bench: CameraBench, count: int, period_s: float = 0.03) -> np.ndarray:
    """Some edges in a row; what the camera did with them."""
    before = len(bench.world.frames)
    start_s = bench.world.now_s() + 0.05
    turn_s = count * period_s
    bench.world.channel("rotation").put([Segment(start_s, start_s + turn_s, 0.0, 90 / turn_s)])
    for k in range(count):
        bench.edge(k, start_s + k * period_s)
    bench.wait(lambda: len(bench.world.frames) == before + count, 5)
    return bench.world.frames.since(before)


def test_unmodified_ophyd_classes_connect(bench: CameraBench) -> None:
    signals, plugin, *model = bench.client(CONNECT).split()
    assert int(signals) > 250
    assert plugin == "NDFileHDF5"
    assert model == ["virtual", "camera"]


def test_every_edge_is_a_frame_with_its_number_and_stamp(bench: CameraBench) -> None:
    bench.stand(sample_x=0.0, shutter=1.0)
    bench.client(ARM, "plain", "0.015")
    truth = play(bench, 20)
    assert bench.client(CLOSE).split() == ["20", "0", "0", "Write", "OK"]
    assert (truth["fate"] == FATE_DELIVERED).all()
    assert np.diff(truth["angle_deg"]) == pytest.approx(np.full(19, 4.5), abs=0.01)
    assert truth["fluence_per_cm2"] == pytest.approx(np.full(20, 1e11 * 0.015), rel=1e-6)
    with FrameFile(bench.folder.frames / "plain.h5", swmr=False) as file:
        assert file.unique_id.tolist() == truth["unique_id"].tolist()
        assert np.diff(file.unique_id).tolist() == [1] * 19
        expected = [bench.world.camera_clock_s(float(start)) for start in truth["start_s"]]
        assert np.abs(file.time_s - expected).max() < 8 * bench.world.camera_jitter_s
        assert file.frames(0, 20).shape == (20, 64, 96)


def test_frames_lost_missed_and_doubled_on_purpose(bench: CameraBench) -> None:
    world = bench.world
    world.inject(Fault("lose_after_numbering", first=3, last=5))
    world.inject(Fault("camera_misses", first=7, last=8))
    world.inject(Fault("duplicate_frame", first=9, last=10))
    bench.client(ARM, "faults", "0.01")
    truth = play(bench, 12)
    bench.client(CLOSE)
    world.heal()
    fates = truth["fate"].tolist()
    assert [k for k, fate in enumerate(fates) if fate == FATE_LOST] == [3, 4]
    assert [k for k, fate in enumerate(fates) if fate == FATE_MISSED] == [7]
    first = int(truth["unique_id"][0])
    assert truth["unique_id"].tolist() == [
        *range(first, first + 7), -1, *range(first + 7, first + 11)
    ]  # fmt: skip
    with FrameFile(bench.folder.frames / "faults.h5", swmr=False) as file:
        relative = (file.unique_id - first).tolist()
    assert relative == [0, 1, 2, 5, 6, 7, 8, 8, 9, 10]


def test_the_counter_wraps_around(bench: CameraBench) -> None:
    bench.world.inject(Fault("unique_id", value=2.0**32 - 2))
    bench.client(ARM, "wrapped", "0.01")
    truth = play(bench, 4)
    bench.client(CLOSE)
    bench.world.heal()
    assert truth["unique_id"].tolist() == [2**32 - 2, 2**32 - 1, 0, 1]


def test_darks_and_flats_are_what_shutter_and_stage_make(bench: CameraBench) -> None:
    means = {}
    for name, stand in {
        "dark": {"shutter": 0.0, "sample_x": 0.0},
        "flat": {"shutter": 1.0, "sample_x": 5.0},
        "sample": {"shutter": 1.0, "sample_x": 0.0},
    }.items():
        bench.stand(**stand)
        bench.client(ARM, name, "0.01")
        play(bench, 2)
        bench.client(CLOSE)
        with FrameFile(bench.folder.frames / f"{name}.h5", swmr=False) as file:
            means[name] = float(file.frames(0, 2).mean())
    assert means["dark"] == pytest.approx(100, abs=1)
    assert means["dark"] + 1000 < means["sample"] < 0.9 * means["flat"]


def test_a_capture_without_a_folder_or_over_a_file_is_refused(bench: CameraBench) -> None:
    script = (
        OPEN
        + """
put("HDF1:FileTemplate", "%s%s.h5")
put("HDF1:FileName", "taken")
Path(sys.argv[1] + "/frames/taken.h5").write_text("a file")
put("HDF1:Capture", 1)
sys.stdout.write(get("HDF1:WriteMessage", True) + "|")
put("HDF1:FilePath", sys.argv[1] + "/nowhere")
put("HDF1:Capture", 1)
sys.stdout.write(get("HDF1:WriteMessage", True) + "|" + get("HDF1:FilePathExists_RBV", True))
put("HDF1:FilePath", sys.argv[1] + "/frames")
"""
    )
    taken, nowhere, exists = bench.client(script).split("|")
    assert "nothing was overwritten" in taken
    assert "does not exist; nothing was captured" in nowhere
    assert exists == "No"


def test_the_stream_shows_every_frame(bench: CameraBench) -> None:
    script = (
        OPEN
        + """
import time, queue
from p4p.client.thread import Context
frames = queue.Queue()
context = Context("pva")
monitor = context.monitor(P + "Pva1:Image", frames.put, request="record[queueSize=100]field()")
first = frames.get(timeout=10)
put("cam1:TriggerMode", "Internal")
put("cam1:ImageMode", "Multiple")
put("cam1:NumImages", 10)
put("cam1:AcquirePeriod", 0.02)
put("cam1:AcquireTime", 0.01)
put("cam1:Acquire", 1)
seen = [frames.get(timeout=5) for _ in range(10)]
numbers = [frame.raw["uniqueId"] for frame in seen]
stamp = seen[0].raw["dataTimeStamp"]
sys.stdout.write(f"{numbers[-1] - numbers[0]} {len(set(numbers))} {seen[0].shape} {seen[0].dtype} "
                 f"| {stamp['secondsPastEpoch'] + stamp['nanoseconds'] * 1e-9}")
context.close()
"""
    )
    words, stamp = bench.client(script).split("|")
    assert words.strip() == "9 10 (64, 96) uint16"
    assert float(stamp) == pytest.approx(bench.world.camera_clock_s(bench.world.now_s()), abs=10)


@pytest.mark.kill
def test_camera_and_writer_come_back_after_a_kill(tmp_path: Path) -> None:
    with a_camera_bench(tmp_path / "run", rows=32, columns=32, pixel_um=10.0) as bench:
        bench.client(ARM, "killed", "0.005")
        play(bench, 10, 0.02)
        path = bench.folder.frames / "killed.h5"
        time.sleep(0.2)
        bench.kill("writer")
        play(bench, 5, 0.02)
        assert salvage(path, bench.folder.frames / "clean.h5") == 10
        bench.kill("camera")
        # Nobody sees these edges, and the truth says so.
        start_s = bench.world.now_s()
        for k in range(3):
            bench.edge(k, start_s + 0.01 * k)
        bench.start("camera")
        bench.start("writer")
        bench.wait(lambda: len(bench.world.frames) == 18, 10)
        assert (bench.world.frames.since(15)["fate"] == FATE_MISSED).all()
        bench.client(ARM, "again", "0.005")
        play(bench, 6, 0.02)
        assert bench.client(CLOSE).split()[0] == "6"
        for name in ("camera", "writer"):
            assert bench.end(name) == 0
