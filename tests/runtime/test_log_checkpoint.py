"""A checkpoint saves reading, and is believed only where the log is still the same."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.log_checkpoint import Checkpoint, checkpoint, write_checkpoint
from voltomo.runtime.log_reader import START, LogReader, find_last


def with_checkpoint(path, before: int, after: int) -> None:
    with AppendLog(path) as log:
        for number in range(before):
            log.append("a", {"of": number})
        write_checkpoint(path, Checkpoint(before=log.before, at=log.position))
        for number in range(before, before + after):
            log.append("a", {"of": number})


def test_a_reader_begins_behind_it(tmp_path) -> None:
    path = tmp_path / "run.log"
    assert checkpoint(path) == START
    with_checkpoint(path, 5, 3)
    since = checkpoint(path)
    assert [entry.number for entry in LogReader(path, since).entries()] == [5, 6, 7]
    with AppendLog(path, since) as log:
        assert log.append("a", 8) == 8
    assert [entry.number for entry in LogReader(path).entries()] == list(range(9))


@settings(max_examples=100, deadline=None)
@given(part=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
@example(part=0.609375, value=52)
def test_one_that_does_not_fit_is_passed_over(tmp_path_factory, part, value) -> None:
    path = tmp_path_factory.mktemp("log") / "run.log"
    with_checkpoint(path, 4, 0)
    kept = path.with_name("run.log.checkpoint")
    content = bytearray(kept.read_bytes())
    content[int(part * len(content))] = value
    kept.write_bytes(content)
    whole = LogReader(path).skip()
    assert checkpoint(path) in (START, whole)


@pytest.mark.parametrize("other", ["shorter", "another", "none"])
def test_a_log_that_was_replaced(tmp_path, other: str) -> None:
    path = tmp_path / "run.log"
    with_checkpoint(path, 5, 3)
    path.unlink()
    if other != "none":
        with AppendLog(path) as log:
            for number in range(2 if other == "shorter" else 9):
                log.append("b", number)
    assert checkpoint(path) == START


def test_the_last_wanted_entry_is_found_without_the_rest(tmp_path) -> None:
    path = tmp_path / "run.log"
    with_checkpoint(path, 5, 3)
    found = find_last(path, [b'"of":'], lambda entry: entry.data["of"] < 6, START)
    assert found is not None
    assert next(iter(LogReader(path, found).entries())).data == {"of": 5}
    assert find_last(path, [b'"of":'], lambda entry: False, START) is None
