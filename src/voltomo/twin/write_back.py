"""Sends a growing file to its disk early and evenly.

Left alone, the kernel collects written pages for half a minute, or until they fill a part of the
memory, and then holds up whoever writes while it gets rid of them. A camera at 200 MB/s is there
in seconds.
"""

from __future__ import annotations

import ctypes
import logging
import os
import threading
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_LOOK_S = 0.05
_PART_BYTES = 8 * 2**20
_WRITE = 2
"""SYNC_FILE_RANGE_WRITE: begin to write what is dirty, wait for nothing."""


class WriteBack:
    """A thread that lets the kernel begin to write what was added to a file.

    It waits where the disk is slow, so that nobody else has to. It changes nothing but when the
    disk is written to.
    """

    def __init__(self) -> None:
        libc: Any = ctypes.CDLL(None, use_errno=True)
        self._begin = getattr(libc, "sync_file_range", None)
        self._lock = threading.Lock()
        self._descriptor = -1
        self._files = 0
        self._sent_bytes = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="write-back", daemon=True)

    def start(self) -> None:
        """Begin; without the system call for it (Linux has it), do nothing."""
        if self._begin is not None:
            self._thread.start()

    def end(self) -> None:
        """Stop the thread."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=1.0)
        self.leave()

    def follow(self, path: Path) -> None:
        """Send this file from now on."""
        self.leave()
        if not self._thread.is_alive():
            return
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            log.info("%s is written to the disk in the kernel's own time: %s", path, error)
            return
        with self._lock:
            self._descriptor, self._sent_bytes = descriptor, 0
            self._files += 1

    def leave(self) -> None:
        """Send no more of it; the kernel does the rest in its own time."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _run(self) -> None:
        while not self._ending.wait(_LOOK_S):
            with self._lock:
                # A second handle: the file may be left while the disk is waited for.
                descriptor = os.dup(self._descriptor) if self._descriptor >= 0 else -1
                number = self._files
            if descriptor >= 0:
                try:
                    self._send(descriptor, number)
                finally:
                    os.close(descriptor)

    def _send(self, descriptor: int, number: int) -> None:
        size = os.fstat(descriptor).st_size
        with self._lock:
            if self._begin is None or size - self._sent_bytes < _PART_BYTES:
                return
            if number == self._files:
                self._sent_bytes = size
        whole = ctypes.c_int64(0), ctypes.c_int64(0)
        if self._begin(ctypes.c_int(descriptor), *whole, ctypes.c_uint(_WRITE)) != 0:
            reason = os.strerror(ctypes.get_errno())
            log.info("the file system takes no early write-back (%s)", reason)
            self._begin = None
