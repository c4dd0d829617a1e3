"""Frames of a recording are read a few at a time, in any order."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltomo.runtime import recorded_stack
from voltomo.runtime.recorded_stack import Stack

IMAGES = np.arange(20 * 3 * 5, dtype=np.uint16).reshape(20, 3, 5)


@settings(max_examples=40, deadline=None)
@given(chosen=st.sets(st.integers(0, 19), min_size=1), bytes_at_once=st.integers(1, 400))
def test_blocks_bring_what_was_chosen_in_order(
    tmp_path_factory: pytest.TempPathFactory, chosen: set[int], bytes_at_once: int
) -> None:
    path: Path = tmp_path_factory.mktemp("stack") / "a.h5"
    places = sorted(chosen)
    with h5py.File(path, "w") as file, pytest.MonkeyPatch.context() as small:
        small.setattr(recorded_stack, "_BYTES_AT_ONCE", bytes_at_once)
        file["images"] = IMAGES
        stack = Stack.of(file["images"], places)
        assert stack.shape == (len(places), 3, 5)
        blocks = list(stack.blocks())
        assert np.array_equal(np.concatenate(blocks), IMAGES[places])
        assert max(block.nbytes for block in blocks) <= max(bytes_at_once, 30)
        backwards = np.arange(len(places))[::-1]
        assert np.array_equal(stack.images(backwards), IMAGES[places][::-1])


def test_data_sets_are_joined(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["before"], file["after"] = IMAGES[:4], IMAGES[4:7]
        parts = [*Stack.of(file["before"]).parts, *Stack.of(file["after"]).parts]
        stack = Stack(parts, 3, 5, np.dtype(np.uint16))
        assert np.array_equal(np.concatenate(list(stack.blocks())), IMAGES[:7])
        assert np.array_equal(stack.images([5, 1]), IMAGES[[5, 1]])
        with pytest.raises(IndexError, match="it has 7"):
            stack.images([7])
