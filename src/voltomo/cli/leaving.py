"""The end of a process that has spoken Channel Access."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def leaving() -> Iterator[None]:
    """End the process behind this block without Python's own end where libca was at work.

    ophyd asks for the limits of PVs in threads of its own; pyepics, at Python's end, takes the
    channels away under them, and the process now and then dies of it, with whatever exit code.
    Sessions and services have been closed in order by then.
    """
    try:
        yield
    except SystemExit as end:
        if "epics" not in sys.modules:
            raise
        if end.code is not None and not isinstance(end.code, int):
            sys.stderr.write(f"{end.code}\n")
        logging.shutdown()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))
