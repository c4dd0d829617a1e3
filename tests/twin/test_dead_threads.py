"""No PV lives on behind which nobody works: a process whose thread has died ends."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tests.twin.camera_bench import CameraBench, a_camera_bench
from tests.twin.test_camera import ARM
from voltomo.runtime.frame_files import FrameFile
from voltomo.runtime.launch import launch
from voltomo.runtime.service import ServiceSpec
from voltomo.twin import camera_engine
from voltomo.twin.camera_engine import Acquisition, CameraEngine
from voltomo.twin.frame_ring import FrameRing
from voltomo.twin.world import World
from voltomo.twin.writer_engine import WriterEngine


def replace_by_broken(bench: CameraBench, name: str, broken: str) -> None:
    bench.kill(name)
    spec = ServiceSpec(
        name, "tests.twin.broken_service", "hardware", environment={"BROKEN": broken}
    )
    bench.processes[name] = launch(spec, bench.folder, bench.addresses)
    bench.wait_for_port(name)


@pytest.mark.parametrize(
    ("name", "broken", "words"),
    [
        ("camera", "frames", "the thread of the camera was ended"),
        ("camera", "stream", "the thread of the publisher was ended"),
        ("writer", "file", "the thread of the writer was ended"),
    ],
)
def test_a_process_ends_with_its_thread(tmp_path: Path, name: str, broken: str, words: str) -> None:
    with a_camera_bench(tmp_path / "run", rows=32, columns=32, pixel_um=10.0) as bench:
        replace_by_broken(bench, name, broken)
        bench.client(ARM, "broken", "0.005")
        for k in range(3):
            bench.edge(k, bench.world.now_s() + 0.02)
        process = bench.processes[name]
        assert process.wait(timeout=10) != 0
        assert words in bench.log(name)


class Still:
    """A source of frames that takes its time."""

    shape = (8, 8)

    def frame(self, exposure):
        return np.zeros(self.shape, np.uint16)


def test_a_file_that_h5py_refuses_ends_the_capture_and_not_the_writer(tmp_path: Path) -> None:
    world = World.create(tmp_path / "world.bin", seed=1)
    ring = FrameRing.create(tmp_path / "ring", 8, 8, 256)
    writer = WriterEngine(world, tmp_path / "ring")
    writer.open(tmp_path / "closed.h5", 0)
    assert writer._stream is not None
    # What h5py says of a file that is gone under its feet is a ValueError or a RuntimeError.
    writer._stream._file.close()
    writer.start()
    ring.put(np.zeros((8, 8), np.uint16), unique_id=1, time_s=0.0, start_s=world.now_s())
    end_s = time.monotonic() + 5
    while writer.state.capturing and time.monotonic() < end_s:
        time.sleep(0.01)
    assert not writer.state.capturing
    assert writer.state.error
    assert writer.alive
    writer.open(tmp_path / "next.h5", 1)
    ring.put(np.zeros((8, 8), np.uint16), unique_id=2, time_s=0.0, start_s=world.now_s())
    while writer.state.capturing and time.monotonic() < end_s:
        time.sleep(0.01)
    writer.end()
    with FrameFile(tmp_path / "next.h5", swmr=False) as file:
        assert file.unique_id.tolist() == [2]


def test_an_abort_is_not_undone_by_a_frame_that_is_being_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World.create(tmp_path / "world.bin", seed=1)
    ring = FrameRing.create(tmp_path / "ring", 8, 8, 256)
    engine = CameraEngine(world, Still(), ring, lambda _: None)
    counting = threading.Event()
    replace = camera_engine.replace

    def slow(state, **changes):
        changed = replace(state, **changes)
        if "images" in changes and changes["images"] > 0:
            counting.set()
            time.sleep(0.05)
        return changed

    monkeypatch.setattr(camera_engine, "replace", slow)
    engine.start()
    engine.acquire(Acquisition(0.001, 0.002, 0, external=False))
    assert counting.wait(5)
    engine.abort()
    time.sleep(0.2)
    assert not engine.state.acquiring
    engine.end()
