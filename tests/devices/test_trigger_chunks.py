"""Chunks overlap, repeat and get lost; every latch comes once, in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.devices.trigger_chunks import ChunkJoiner, merge
from voltomo.model.trigger_source import TriggerChunk


def chunk(first: int, last: int) -> TriggerChunk:
    return TriggerChunk(
        first, [k / 2 for k in range(first, last)], [k / 40 for k in range(first, last)]
    )


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 40)), min_size=1, max_size=30))
def test_every_latch_comes_once_and_in_order(steps: list[tuple[int, int]]) -> None:
    joiner, end, got = ChunkJoiner(), 0, []
    for back, count in steps:
        first = max(0, end - back)
        one = chunk(first, first + count)
        end = max(end, one.last)
        fresh = joiner.take(one)
        if fresh is not None:
            got += range(fresh.first, fresh.last)
            assert list(fresh.angle_deg) == [k / 2 for k in range(fresh.first, fresh.last)]
    assert got == list(range(end))


def test_a_hole_is_counted_and_never_stepped_over() -> None:
    joiner = ChunkJoiner(5)
    assert joiner.hole_before(chunk(9, 12)) == 4
    with pytest.raises(ValueError, match="latches 5 to 8 are missing"):
        joiner.take(chunk(9, 12))
    joiner.take(chunk(5, 9))
    assert joiner.hole_before(chunk(9, 12)) == 0


def test_chunks_merge_to_one() -> None:
    merged = merge([chunk(0, 3), chunk(3, 5)])
    assert merged is not None
    assert (merged.first, merged.last, len(merged.angle_deg)) == (0, 5, 5)
    assert merge([]) is None
