"""What of a reconstruction is done: a log beside the volume, by which it can go on."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voltomo.runtime.append_log import AppendLog, read_log


@dataclass
class Done:
    """What an earlier start has left.

    Attributes
    ----------
    start : dict or None
        What was to be done, and how; None where nothing was begun.
    slabs : dict
        What was said of each slab that is done, by its number.
    complete : bool
        All is done.
    """

    start: dict[str, Any] | None = None
    slabs: dict[int, dict[str, Any]] = field(default_factory=dict[int, "dict[str, Any]"])
    complete: bool = False


def log_of(volume: Path) -> Path:
    """Where the log of a volume lies: beside it."""
    return volume.with_name(volume.name + ".log.jsonl")


def read_done(volume: Path) -> Done:
    """What of a volume is done."""
    path, done = log_of(volume), Done()
    if not path.exists() or not volume.exists():
        return done
    for entry in read_log(path):
        if entry.kind == "start":
            done = Done(entry.data)
        elif entry.kind == "slab":
            done.slabs[int(entry.data["number"])] = entry.data
        elif entry.kind == "complete":
            done.complete = True
    return done


class Record:
    """The writer of the log.

    Parameters
    ----------
    volume : Path
        Where the volume lies, or will.
    """

    def __init__(self, volume: Path) -> None:
        self._log = AppendLog(log_of(volume))

    def begin(self, start: dict[str, Any]) -> None:
        """A volume was made anew, and will be filled like this."""
        self._log.append("start", start)

    def slab(self, number: int, facts: dict[str, Any]) -> None:
        """A slab lies on the disk."""
        self._log.append("slab", {"number": number, **facts})

    def complete(self, facts: dict[str, Any]) -> None:
        """All slabs lie on the disk."""
        self._log.append("complete", facts)

    def close(self) -> None:
        """Let another process write."""
        self._log.close()

    def __enter__(self) -> Record:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
