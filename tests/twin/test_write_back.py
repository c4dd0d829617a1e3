"""What is written reaches the disk early, whoever asked for it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from voltomo.twin.write_back import WriteBack

PATIENCE_S = 20.0


@pytest.fixture
def write_back() -> Iterator[WriteBack]:
    made = WriteBack()
    made.start()
    yield made
    made.end()
    assert not any(thread.name == "write-back" for thread in threading.enumerate())


def test_a_growing_file_is_sent_and_left(tmp_path: Path, write_back: WriteBack) -> None:
    if write_back._begin is None:
        pytest.skip("this system has no sync_file_range")
    path = tmp_path / "frames"
    with path.open("wb") as file:
        write_back.follow(path)
        for _ in range(3):
            sent = write_back._sent_bytes
            file.write(os.urandom(9 * 2**20))
            file.flush()
            end_s = time.monotonic() + PATIENCE_S
            while write_back._sent_bytes == sent and time.monotonic() < end_s:
                time.sleep(0.01)
            assert write_back._sent_bytes == path.stat().st_size
        write_back.leave()
        file.write(bytes(20 * 2**20))
        file.flush()
        time.sleep(0.2)
        assert write_back._sent_bytes == 27 * 2**20
    # The next file begins anew, and nothing holds on to the one before.
    other = tmp_path / "next"
    other.write_bytes(bytes(9 * 2**20))
    write_back.follow(other)
    end_s = time.monotonic() + PATIENCE_S
    while write_back._sent_bytes != 9 * 2**20 and time.monotonic() < end_s:
        time.sleep(0.01)
    assert write_back._sent_bytes == 9 * 2**20
    held = [os.readlink(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")
            if Path(f"/proc/self/fd/{name}").exists()]  # fmt: skip
    assert str(path) not in held


def test_a_file_that_vanishes_does_no_harm(tmp_path: Path, write_back: WriteBack) -> None:
    path = tmp_path / "frames"
    path.write_bytes(bytes(9 * 2**20))
    write_back.follow(path)
    path.unlink()
    time.sleep(0.2)
    write_back.leave()
    write_back.follow(path)
    assert write_back._thread.is_alive()
