"""Files of frames are readable while written, after, and after their writer was killed."""

import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from voltomo.runtime.frame_files import FrameFile, FrameFileUnreadable
from voltomo.runtime.salvage import salvage
from voltomo.twin.hdf5_stream import Hdf5Stream

WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from voltomo.twin.hdf5_stream import Hdf5Stream
stream = Hdf5Stream(Path(sys.argv[1]), 32, 48)
number = 0
while True:
    batch = range(number, number + 3)
    images = [np.full((32, 48), k, np.uint16) for k in batch]
    stream.append(images, list(batch), [k / 10 for k in batch])
    number += 3
    time.sleep(0.005)
"""


def some(numbers: range) -> tuple[list[np.ndarray], list[int], list[float]]:
    images = [np.full((32, 48), k, np.uint16) for k in numbers]
    return images, list(numbers), [k / 10 for k in numbers]


def test_a_file_is_followed_while_it_is_written(tmp_path: Path) -> None:
    with Hdf5Stream(tmp_path / "a.h5", 32, 48) as stream:
        stream.append(*some(range(4)))
        with FrameFile(tmp_path / "a.h5") as reader:
            assert len(reader) == 4
            stream.append(*some(range(4, 9)))
            assert reader.refresh() == 9
            assert reader.shape == (9, 32, 48)
            assert reader.unique_id.tolist() == list(range(9))
            assert reader.time_s == pytest.approx(np.arange(9) / 10)
            frames = reader.frames(3, 6)
            assert frames.dtype == np.uint16
            assert frames[:, 0, 0].tolist() == [3, 4, 5]
            with pytest.raises(IndexError, match="holds 9 frames"):
                reader.frames(5, 10)


def test_a_closed_file_is_read_either_way(tmp_path: Path) -> None:
    with Hdf5Stream(tmp_path / "a.h5", 32, 48) as stream:
        stream.append(*some(range(4)))
    for swmr in (True, False):
        with FrameFile(tmp_path / "a.h5", swmr=swmr) as reader:
            assert len(reader) == 4


def left_by_a_killed_writer(path: Path, at_least: int) -> int:
    """Frames that were seen in the file before its writer was killed."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
    try:
        deadline = time.monotonic() + 20
        count = 0
        while count < at_least and time.monotonic() < deadline:
            time.sleep(0.05)
            if path.exists() and path.stat().st_size > 100_000:
                with FrameFile(path) as reader:
                    count = len(reader)
    finally:
        process.kill()
        process.wait()
    assert count >= at_least
    with pytest.raises(OSError, match="already open"), h5py.File(path, "r"):
        pytest.fail("the file was closed in order")
    return count


@pytest.mark.kill
def test_what_a_killed_writer_left_is_salvaged(tmp_path: Path) -> None:
    path, clean = tmp_path / "a.h5", tmp_path / "clean.h5"
    count = left_by_a_killed_writer(path, 30)
    salvaged = salvage(path, clean)
    assert salvaged >= count
    with h5py.File(clean, "r") as file:
        frames = file["/entry/data/data"]
        assert isinstance(frames, h5py.Dataset)
        assert frames.shape == (salvaged, 32, 48)
    with FrameFile(clean, swmr=False) as reader:
        assert reader.unique_id.tolist() == list(range(salvaged))
        assert (reader.frames(0, salvaged) == np.arange(salvaged)[:, None, None]).all()


@pytest.mark.kill
def test_a_file_whose_end_is_lost_keeps_nothing_waiting(tmp_path: Path) -> None:
    """As after a power failure: HDF5 itself would read it again and again, for ever."""
    path, clean = tmp_path / "a.h5", tmp_path / "clean.h5"
    left_by_a_killed_writer(path, 200)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    kept = salvage(path, clean, stall_s=3.0)
    assert kept >= 20
    with FrameFile(clean, swmr=False) as reader:
        assert reader.unique_id.tolist() == list(range(kept))
        assert (reader.frames(0, kept) == np.arange(kept)[:, None, None]).all()
    path.write_bytes(whole[:700])
    with pytest.raises(FrameFileUnreadable, match="restore it from a copy"):
        salvage(path, tmp_path / "nothing.h5", stall_s=3.0)
    assert sorted(tmp_path.iterdir()) == [path, clean]


def test_what_is_no_file_of_frames_is_named(tmp_path: Path) -> None:
    with pytest.raises(FrameFileUnreadable, match="there is no file"):
        FrameFile(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(FrameFileUnreadable, match="cannot be read"):
        FrameFile(tmp_path / "text.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["something"] = 1
    with pytest.raises(FrameFileUnreadable, match="no 3-dimensional dataset"):
        FrameFile(tmp_path / "other.h5")
