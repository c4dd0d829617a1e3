"""The Channel Access repeater of a run: on loopback, on the run's own port, gone with it.

libca starts a ``caRepeater`` program, which outlives everything, if it finds none. This one
confirms every registration and has nothing to repeat: services of a run send no beacons.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

_HEADER = struct.Struct(">HHHHII")
_CONFIRM = 17


class Repeater:
    """Answers on 127.0.0.1 until it is stopped.

    Parameters
    ----------
    port : int
        UDP port of EPICS_CA_REPEATER_PORT.
    """

    def __init__(self, port: int) -> None:
        self._stopping = threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._serve, name="repeater", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        answer = _HEADER.pack(_CONFIRM, 0, 0, 0, 0, 0x7F000001)
        while True:
            _, client = self._socket.recvfrom(4096)
            if self._stopping.is_set():
                return
            # A client may have gone before it is answered.
            with contextlib.suppress(OSError):
                self._socket.sendto(answer, client)

    def stop(self) -> None:
        """End it and free the port."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        # A socket that is closed under a waiting thread stays open in the kernel: wake it first.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()
