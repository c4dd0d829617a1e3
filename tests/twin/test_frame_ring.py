"""The ring keeps order, loses nothing silently, and outlives either side."""

from pathlib import Path

import numpy as np
import pytest

from voltomo.twin.frame_ring import FrameRing


def fill(ring: FrameRing, numbers: range) -> list[bool]:
    return [
        ring.put(np.full((8, 8), k, np.uint16), unique_id=k, time_s=k / 10, start_s=k / 20)
        for k in numbers
    ]


def test_frames_come_out_in_order(tmp_path: Path) -> None:
    ring = FrameRing.create(tmp_path / "ring", 8, 8, 256)
    fill(ring, range(5))
    for k in range(5):
        frame = ring.peek()
        assert frame is not None
        assert (frame.unique_id, frame.time_s, frame.start_s) == (k, k / 10, k / 20)
        assert (frame.image == k).all()
        ring.release()
    assert ring.peek() is None


def test_a_full_ring_loses_the_new_frame_and_counts_it(tmp_path: Path) -> None:
    ring = FrameRing.create(tmp_path / "ring", 8, 8, 256)
    assert all(fill(ring, range(256)))
    assert not any(fill(ring, range(256, 260)))
    assert (ring.waiting, ring.lost) == (256, 4)
    ring.release(10)
    assert fill(ring, range(260, 261)) == [True]
    last = ring.peek(ring.waiting - 1)
    assert last is not None
    assert last.unique_id == 260


def test_a_reader_that_comes_back_finds_what_is_left(tmp_path: Path) -> None:
    ring = FrameRing.create(tmp_path / "ring", 8, 8, 256)
    fill(ring, range(7))
    FrameRing(tmp_path / "ring").release(3)
    fill(ring, range(7, 9))
    reader = FrameRing(tmp_path / "ring")
    seen = [reader.peek(k) for k in range(reader.waiting)]
    assert [frame.unique_id for frame in seen if frame is not None] == [3, 4, 5, 6, 7, 8]


def test_a_camera_that_comes_back_makes_a_new_ring_and_spares_the_old(tmp_path: Path) -> None:
    fill(FrameRing.create(tmp_path / "ring", 8, 8, 256), range(7))
    reader = FrameRing(tmp_path / "ring")
    FrameRing.create(tmp_path / "ring", 16, 8, 256)
    ring = FrameRing(tmp_path / "ring")
    assert (ring.shape, ring.waiting) == ((16, 8), 0)
    assert (reader.shape, reader.waiting) == ((8, 8), 7)


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ring").write_bytes(b"\0" * 8192)
    with pytest.raises(ValueError, match="no frame ring"):
        FrameRing(tmp_path / "ring")
