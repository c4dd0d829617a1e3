"""The log: what was written stays, what was touched shows."""

import multiprocessing
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

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


def test_what_a_full_disk_refused_is_cut_off_and_may_be_written_again(tmp_path) -> None:
    path = tmp_path / "exposure.log"
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from voltomo.runtime.append_log import AppendLog\n"
        "log = AppendLog(Path(sys.argv[1])); log.append('a', 1)\n"
        "room = Path(sys.argv[1]).stat().st_size + 20\n"
        "limit = lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, -1))\n"
        "limit(room)\n"
        "for _ in range(3):\n"
        "    try: log.append('b', 'x' * 100)\n"
        "    except OSError: sys.stdout.write('refused ')\n"
        "limit(-1)\n"
        "log.append('b', 'y' * 100); log.append('c', 3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["refused"] * 3
    assert [(e.kind, e.data) for e in read_log(path)] == [("a", 1), ("b", "y" * 100), ("c", 3)]
    with AppendLog(path) as log:
        assert log.append("d", 4) == 3
