"""The Channel Access repeater of a run: on loopback, on the run's own port, gone with it.

libca starts a ``caRepeater`` program, which outlives everything, if it finds none. This one
confirms every registration and has nothing to repeat: services of a run send no beacons.
"""

from __future__ import annotations

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
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", port))
        self._thread = threading.Thread(target=self._serve, name="repeater", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        answer = _HEADER.pack(_CONFIRM, 0, 0, 0, 0, 0x7F000001)
        while True:
            try:
                _, client = self._socket.recvfrom(4096)
                self._socket.sendto(answer, client)
            except OSError:
                return

    def stop(self) -> None:
        """End it."""
        self._socket.close()
