"""The log: what was written stays, what was touched shows."""

import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltomo.runtime.append_log import (
    AppendLog,
    LogDamaged,
    LogInUse,
    LogReader,
    read_log,
    tail,
)


def test_entries_come_back_in_order_with_numbers(tmp_path) -> None:
    with AppendLog(tmp_path / "run.log") as log:
        log.append("note", {"text": "hello µ"})
        log.append("table", {"angle_deg": np.arange(3)})
    first, second = read_log(tmp_path / "run.log")
    assert (first.number, first.kind, first.data) == (0, "note", {"text": "hello µ"})
    assert second.data == {"angle_deg": [0, 1, 2]}


def test_a_second_writer_is_refused_and_a_later_one_goes_on(tmp_path) -> None:
    path = tmp_path / "run.log"
    with AppendLog(path) as log, pytest.raises(LogInUse, match="another process"):
        log.append("a", 1)
        AppendLog(path)
    with AppendLog(path) as log:
        assert log.append("b", 2) == 1


def test_a_torn_last_line_is_set_aside_and_said(tmp_path) -> None:
    path = tmp_path / "run.log"
    with AppendLog(path) as log:
        log.append("a", 1)
        log.append("b", 2)
    whole = path.read_bytes()
    path.write_bytes(whole[:-7])
    assert [entry.kind for entry in read_log(path)] == ["a"]
    with AppendLog(path) as log:
        log.append("c", 3)
    assert [entry.kind for entry in read_log(path)] == ["a", "torn", "c"]
    assert (tmp_path / "run.log.torn").read_bytes().strip().startswith(whole.splitlines()[1][:8])


@pytest.mark.parametrize("damage", ["edit", "drop"])
def test_an_edited_or_dropped_entry_is_found(tmp_path, damage: str) -> None:
    path = tmp_path / "exposure.log"
    with AppendLog(path) as log:
        for dose in range(5):
            log.append("dose", {"dose_Gy": dose})
    lines = path.read_bytes().splitlines(keepends=True)
    if damage == "edit":
        lines[2] = lines[2].replace(b'"dose_Gy":2', b'"dose_Gy":0')
    else:
        del lines[2]
    path.write_bytes(b"".join(lines))
    with pytest.raises(LogDamaged, match="entry 2"):
        read_log(path)
    with pytest.raises(LogDamaged):
        AppendLog(path)


def test_a_reader_follows_and_stops_when_told(tmp_path) -> None:
    path = tmp_path / "run.log"
    reader = LogReader(path)
    assert reader.poll() == []
    with AppendLog(path) as log:
        log.append("a", 1)
        assert [entry.data for entry in reader.poll()] == [1]
        log.append("a", 2)
        assert [entry.data for entry in reader.poll()] == [2]
        assert [entry.data for entry in tail(path, lambda: True)] == [1, 2]


def test_a_killed_writer_leaves_every_returned_entry(tmp_path) -> None:
    path = tmp_path / "run.log"
    code = (
        "import sys; from pathlib import Path; from voltomo.runtime.append_log import AppendLog\n"
        "log = AppendLog(Path(sys.argv[1]))\n"
        "for n in range(10**6):\n"
        "    log.append('n', n); sys.stdout.write(f'{n}\\n'); sys.stdout.flush()\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    last = 0
    for _ in range(50):
        last = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    rest = writer.stdout.read().split()
    writer.stdout.close()
    last = int(rest[-1]) if rest else last
    with AppendLog(path):
        pass
    numbers = [entry.data for entry in read_log(path) if entry.kind == "n"]
    assert numbers[: last + 1] == list(range(last + 1))
    assert multiprocessing.active_children() == []


def test_a_failed_write_leaves_the_log_whole(tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.runtime.failing_disk", str(tmp_path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def whole_log(path) -> bytes:
    with AppendLog(path) as log:
        for dose in range(12):
            log.append("exposure", {"dose_Gy": dose, "sample": "cell 3"})
    return path.read_bytes()


@settings(max_examples=80, deadline=None)
@given(part=st.floats(0, 1))
def test_a_log_that_was_cut_anywhere_goes_on_behind_its_last_whole_entry(
    tmp_path_factory, part: float
) -> None:
    path = tmp_path_factory.mktemp("cut") / "exposure.log"
    content = whole_log(path)
    cut = round(part * len(content))
    path.write_bytes(content[:cut])
    whole = content[:cut].count(b"\n")
    with AppendLog(path) as log:
        log.append("exposure", {"dose_Gy": 99})
    doses = [e.data["dose_Gy"] for e in read_log(path) if e.kind == "exposure"]
    assert doses == [*range(whole), 99]


@settings(max_examples=150, deadline=None)
@given(part=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_a_byte_that_changed_anywhere_is_found_or_its_entry_is_set_aside(
    tmp_path_factory, part: float, value: int
) -> None:
    path = tmp_path_factory.mktemp("flip") / "exposure.log"
    content = bytearray(whole_log(path))
    place = int(part * len(content))
    entry = content[:place].count(b"\n")
    same = content[place] == value
    content[place] = value
    path.write_bytes(content)
    try:
        doses, damage = [e.data["dose_Gy"] for e in read_log(path)], ""
    except LogDamaged as error:
        doses, damage = [], str(error)
    if damage:
        assert not same
        assert f"entry {entry}:" in damage
        assert "start a new one" not in damage
        with pytest.raises(LogDamaged):
            AppendLog(path)
        return
    # Only the end can look like a crash in mid-write: its line lacks its newline.
    assert doses == list(range(12 if same else 11))
    assert same or place == len(content) - 1
    AppendLog(path).close()


def test_a_last_line_that_the_disk_never_held_is_set_aside(tmp_path) -> None:
    path = tmp_path / "exposure.log"
    content = bytearray(whole_log(path))
    last = content[:-1].rindex(b"\n") + 1
    content[last + 30 : -1] = bytes(len(content) - last - 31)
    path.write_bytes(content)
    with AppendLog(path) as log:
        log.append("exposure", {"dose_Gy": 99})
    kinds = [entry.kind for entry in read_log(path)]
    assert kinds == ["exposure"] * 11 + ["torn", "exposure"]


def test_a_reader_steps_back_over_an_entry_that_was_taken_back(tmp_path) -> None:
    path = tmp_path / "run.log"
    reader = LogReader(path)
    with AppendLog(path) as log:
        log.append("a", 1)
        good = path.stat().st_size
        log.append("a", 2)
        assert [entry.data for entry in reader.entries()] == [1, 2]
    os.truncate(path, good)
    with AppendLog(path) as log:
        log.append("a", "longer than the one before")
        log.append("a", 3)
    assert [(e.number, e.data) for e in reader.entries()] == [
        (1, "longer than the one before"),
        (2, 3),
    ]


def test_a_reader_decodes_only_what_it_looks_for_and_checks_the_rest(tmp_path) -> None:
    path = tmp_path / "run.log"
    with AppendLog(path) as log:
        for number in range(20):
            log.append("start" if number % 5 == 0 else "page", {"of": number})
    reader = LogReader(path)
    assert [entry.number for entry in reader.entries([b'"kind":"start"'])] == [0, 5, 10, 15]
    again = LogReader(path, reader.before)
    assert [entry.number for entry in again.entries()] == [19]
    lines = path.read_bytes().splitlines(keepends=True)
    lines[7] = lines[7].replace(b'"of":7', b'"of":8')
    path.write_bytes(b"".join(lines))
    with pytest.raises(LogDamaged, match="entry 7"):
        list(LogReader(path).entries([b'"kind":"start"']))


def test_entries_of_two_logs_share_a_clock_that_never_steps(tmp_path) -> None:
    with AppendLog(tmp_path / "run.log") as run, AppendLog(tmp_path / "exposure.log") as exposure:
        run.append("a", 1)
        exposure.append("b", 2, utc_s=1e9)
        run.append("c", 3)
    first, last = read_log(tmp_path / "run.log")
    (between,) = read_log(tmp_path / "exposure.log")
    assert between.utc_s == 1e9
    assert first.monotonic_s is not None
    assert between.monotonic_s is not None
    assert last.monotonic_s is not None
    assert first.monotonic_s <= between.monotonic_s <= last.monotonic_s
