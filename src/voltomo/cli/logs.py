"""What is logged: sentences on the terminal, the whole story of a session in its run folder."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from voltomo.runtime.run_folder import RunFolder

_LARGEST_BYTES = 5_000_000


class _Sentence(logging.Formatter):
    """One line a record; tracebacks are for the file."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"{record.levelname.lower()}: {record.getMessage()}"
        error = record.exc_info[1] if record.exc_info else None
        return text if error is None else f"{text}: {error or type(error).__name__}"


def log_to_terminal() -> None:
    """Show our own warnings on stderr, as sentences; libraries have no word there."""
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.WARNING)
    terminal.addFilter(lambda record: record.name.partition(".")[0] in ("voltomo", "__main__"))
    terminal.setFormatter(_Sentence())
    logging.getLogger().handlers[:] = [terminal]


@contextlib.contextmanager
def session_log(folder: RunFolder) -> Iterator[Path]:
    """Write everything that is logged to the session's log, libraries and tracebacks included.

    Yields
    ------
    Path
        The log.
    """
    root = logging.getLogger()
    path = folder.services / "session.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = RotatingFileHandler(path, maxBytes=_LARGEST_BYTES, backupCount=1, delay=True)
    whole.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    level = root.level
    root.addHandler(whole)
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield path
    finally:
        logging.captureWarnings(False)
        root.setLevel(level)
        root.removeHandler(whole)
        whole.close()


class ToLog(io.TextIOBase):
    """A stream for libraries that print: each line goes to the log."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def write(self, text: Any) -> int:
        """Log what has been printed."""
        if str(text).strip():
            self._log.info("%s", str(text).strip())
        return len(str(text))
