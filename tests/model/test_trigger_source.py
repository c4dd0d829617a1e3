"""Latches come in chunks of one index, from whatever hardware fires them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.devices.trigger_box import TriggerBox
from voltomo.devices.trigger_chunks import ChunkJoiner, merge
from voltomo.model.trigger_source import TriggerChunk, TriggerSource, pack, unpack


def chunk(first: int, last: int) -> TriggerChunk:
    index = np.arange(first, last)
    return TriggerChunk(first, (0.5 * index).tolist(), (0.02 * index).tolist())


def test_a_chunk_says_where_the_next_begins() -> None:
    assert chunk(12, 20).last == 20
    assert chunk(5, 5).last == 5


@given(cuts=st.lists(st.integers(0, 60), min_size=1, max_size=8), again=st.integers(0, 10))
def test_a_scan_is_its_chunks_in_order(cuts: list[int], again: int) -> None:
    """News overlap, since one may be lost; every latch counts once."""
    edges = sorted({0, *cuts, 60})
    joiner = ChunkJoiner()
    news = [chunk(max(0, a - again), b) for a, b in itertools.pairwise(edges)]
    whole = merge([fresh for part in news for fresh in [joiner.take(part)] if fresh is not None])
    assert whole is not None
    assert (whole.first, whole.last) == (0, 60)
    assert np.array_equal(whole.angle_deg, 0.5 * np.arange(60))


def test_the_trigger_box_is_one() -> None:
    words = {name for name in vars(TriggerSource) if not name.startswith("_")}
    assert words == {"name", "reset", "arm", "arm_timed", "fire", "disarm", "chunks"}
    assert all(hasattr(TriggerBox, name) for name in words)


def as_source(box: TriggerBox) -> TriggerSource:
    """The type checker holds the box against the word here."""
    return box


@given(st.integers(0, 10**6), st.integers(0, 200))
def test_a_chunk_comes_back_from_its_waveform(first: int, count: int) -> None:
    angles, times = [k / 2 for k in range(count)], [k / 40 for k in range(count)]
    waveform = pack(TriggerChunk(first, angles, times))
    # The layout is the beamline's, not only ours: first, number, all angles, all times.
    assert waveform.tolist() == [first, count, *angles, *times]
    found = unpack(waveform)
    assert (found.first, found.last) == (first, first + count)
    assert (list(found.angle_deg), list(found.time_s)) == (angles, times)


def test_an_empty_waveform_holds_nothing() -> None:
    assert unpack([]).last == 0
    assert unpack([0.0, 0.0]).time_s == ()


def test_a_waveform_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 12 numbers, saw 5"):
        unpack([0, 5, 1, 2, 3])
