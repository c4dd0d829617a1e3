"""Where a reader of a log may begin that needs nothing older: what lies before was checked.

Whoever keeps a log writes the checkpoint beside it, as ``<name>.checkpoint``. It is a saving, not
a truth: one that does not fit the log is passed over, and the log is read from its beginning.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from voltomo.runtime.log_reader import START, LogPosition, checked
from voltomo.runtime.run_folder import write_json


class Checkpoint(BaseModel):
    """Positions before and behind one line, by which it can be told that the log is the same.

    ``counted`` is how many there are before it of whatever the log's keeper counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    before: LogPosition = START
    at: LogPosition = START
    counted: int = 0

    def fits(self, log: Path) -> bool:
        """Whether the log still holds that line in that place."""
        with log.open("rb") as file:
            file.seek(self.before.offset)
            line = file.read(max(self.at.offset - self.before.offset, 0))
        # Beyond the end of the log less is read than was asked for.
        whole = len(line) == self.at.offset - self.before.offset and line.endswith(b"\n")
        if not whole or checked(line, self.before.crc) != self.at.crc:
            return False
        return int(json.loads(line[9:])["n"]) == self.before.number == self.at.number - 1


def _path(log: Path) -> Path:
    return log.with_name(log.name + ".checkpoint")


def write_checkpoint(log: Path, kept: Checkpoint) -> None:
    """Keep where a line begins and where it ends; everything up to there is checked.

    Where the disk is full nothing is kept, and the next reader reads more.
    """
    with contextlib.suppress(OSError):
        write_json(_path(log), kept.model_dump(mode="json"))


def read_checkpoint(log: Path) -> Checkpoint:
    """The last checkpoint of a log; one at its beginning where there is none that fits."""
    try:
        kept = Checkpoint.model_validate_json(_path(log).read_text())
        return kept if kept.fits(log) else Checkpoint()
    except (OSError, ValidationError, ValueError):
        return Checkpoint()


def checkpoint(log: Path) -> LogPosition:
    """Where a reader may begin that needs nothing older; the beginning without a checkpoint."""
    return read_checkpoint(log).at
