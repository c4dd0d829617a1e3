"""The ring bridges seconds, not a number of frames, and leaves the machine its memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.twin.ring_size import FREE_PART, free_bytes, ring_slots

MB = 2**20


def test_frames_of_the_benchmark_have_their_five_seconds() -> None:
    assert ring_slots(2 * MB, 5.0, 1024, 16_000 * MB) == 500
    # Small frames take no more memory than they need for that.
    assert ring_slots(2 * 256 * 256, 5.0, 1024, 16_000 * MB) == 500


def test_two_seconds_are_left_of_it_on_a_small_machine() -> None:
    assert ring_slots(2 * MB, 5.0, 1024, 1600 * MB) == 200


@given(st.integers(2, 200 * MB), st.floats(2, 60), st.floats(64, 4096), st.integers(0, 2**40))
def test_it_never_takes_more_than_it_may(
    frame: int, stall_s: float, most_MB: float, free: int
) -> None:
    most = min(most_MB * MB, free * FREE_PART)
    if most // frame < 8:
        with pytest.raises(MemoryError, match="the camera was not started"):
            ring_slots(frame, stall_s, most_MB, free)
        return
    slots = ring_slots(frame, stall_s, most_MB, free)
    assert 8 <= slots <= stall_s * 100 + 1
    assert slots * frame <= most


def test_this_machine_tells_its_free_memory() -> None:
    assert 0 < free_bytes() < 2**50


def test_no_memory_is_refused_with_a_sentence() -> None:
    with pytest.raises(MemoryError, match=r"may take 25 MB.*8 frames need 64 MB"):
        ring_slots(8 * MB, 5.0, 1024, 100 * MB)
