"""Run as a process of its own: writes a log under random limits of file size, as a full disk has.

A limit of this process would hit the test runner's own files, too.
"""

import fcntl
import os
import random
import resource
import sys
from pathlib import Path

from voltomo.runtime.append_log import AppendLog, LogNotWritten, LogReader, read_log


def limit(size: int) -> None:
    """Files may grow to this size and no further; a longer write is cut there."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def attempt(log: AppendLog, data: object) -> tuple[int | None, str]:
    """Number of the new entry, or None and the sentence that refuses it."""
    try:
        return log.append("a", data), ""
    except LogNotWritten as error:
        return None, str(error)


def random_failures(folder: Path, seed: int) -> None:
    """Whatever fails when, the log holds what `append` returned from, in order, and no more."""
    chance = random.Random(seed)
    path = folder / f"{seed}.log"
    written: list[int] = []
    follower = LogReader(path)
    followed: list[int] = []
    log = AppendLog(path)
    for number in range(60):
        limit(log.position.offset + chance.randrange(0, 900))
        kept, refusal = attempt(log, [number, "x" * chance.randrange(0, 800)])
        limit(resource.RLIM_INFINITY)
        if kept is None:
            assert "could not be written" in refusal
            assert path.stat().st_size == log.position.offset
        else:
            assert kept == len(written)
            written.append(number)
        followed += [entry.data[0] for entry in follower.entries()]
        assert followed == written
        if chance.random() < 0.1:
            log.close()
            log = AppendLog(path)
    log.close()
    assert [entry.data[0] for entry in read_log(path)] == written
    assert 5 < len(written) < 60


def nothing_can_be_taken_back() -> None:
    """A file that cannot shrink: the rest stays, so nothing may be written behind it."""
    memory = os.memfd_create("log", os.MFD_ALLOW_SEALING)
    path = Path(f"/proc/self/fd/{memory}")
    log = AppendLog(path)
    log.append("a", 1)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    limit(log.position.offset + 20)
    for _ in range(3):
        kept, refusal = attempt(log, "y" * 100)
        limit(resource.RLIM_INFINITY)
        assert kept is None
        assert "nothing more is written" in refusal
    assert [entry.data for entry in read_log(path)] == [1]


if __name__ == "__main__":
    for trial in range(40):
        random_failures(Path(sys.argv[1]), trial)
    nothing_can_be_taken_back()
