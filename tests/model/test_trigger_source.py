"""Chunks of latches on the wire: one layout for box, plan and worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.model.trigger_source import TriggerChunk, pack, unpack


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
