"""A handle finds its frame again, whichever file it lies in."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from voltomo.model.frame_layout import file_of, frame_handles, place_of


@given(st.integers(0, 2**20), st.integers(0, 300))
def test_a_handle_tells_file_and_place(file: int, count: int) -> None:
    handles = frame_handles(file, count)
    assert file_of(handles).tolist() == [file] * count
    assert place_of(handles).tolist() == list(range(count))


def test_handles_of_files_never_meet() -> None:
    both = np.concatenate([frame_handles(number, 1000) for number in range(50)])
    assert np.unique(both).size == both.size
    assert (np.diff(both) > 0).all()
