"""Signs of life of a service's own loop: a process may live, and even accept, and yet be hung.

They go through a pipe to the supervisor, so that no disk and no network stands between them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time

__all__ = ["HEARTBEAT_VARIABLE", "Heartbeat", "Pulse"]

HEARTBEAT_VARIABLE = "VOLTOMO_HEARTBEAT_FD"

_EVERY_S = 0.5
_MUCH = 65536


class Heartbeat:
    """The service's end of the pipe.

    Parameters
    ----------
    descriptor : int or None
        Where signs go; None, where nobody listens, lets them go nowhere.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._next_s = 0.0

    @classmethod
    def of_process(cls) -> Heartbeat:
        """The one that whoever launched this process listens to; to be asked for once."""
        given = os.environ.pop(HEARTBEAT_VARIABLE, None)
        if given is None:
            return cls(None)
        descriptor = int(given)
        os.set_blocking(descriptor, False)
        os.set_inheritable(descriptor, False)
        return cls(descriptor)

    def beat(self) -> None:
        """Say that the loop turns; may be called as often as it does."""
        now = time.monotonic()
        if self._descriptor is None or now < self._next_s:
            return
        self._next_s = now + _EVERY_S
        # Nobody listens any more, or not just now: that is no matter of the service's.
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._descriptor, b".")

    async def keep_beating(self) -> None:
        """Beat for as long as the event loop turns; never returns."""
        while True:
            self.beat()
            await asyncio.sleep(_EVERY_S)


class Pulse:
    """The supervisor's end of the pipe, and how long it has been silent.

    Attributes
    ----------
    far : int
        The end that the service inherits; `launched` closes it here.
    """

    def __init__(self) -> None:
        self._near, self.far = os.pipe()
        os.set_blocking(self._near, False)
        self._heard_s: float | None = None
        self._looked_s = time.monotonic()

    def launched(self) -> None:
        """The service has inherited its end."""
        os.close(self.far)

    @property
    def heard(self) -> bool:
        """Whether any sign has come."""
        return self._heard_s is not None

    def silent_s(self, longest_gap_s: float) -> float:
        """Seconds without a sign; 0 for a service that has never given one.

        Parameters
        ----------
        longest_gap_s : float
            Whoever has not looked for longer has stood still itself, with the whole machine
            perhaps: the silence begins anew.
        """
        now = time.monotonic()
        gap_s, self._looked_s = now - self._looked_s, now
        if self._signs() or (self._heard_s is not None and gap_s > longest_gap_s):
            self._heard_s = now
        return 0.0 if self._heard_s is None else now - self._heard_s

    def _signs(self) -> bool:
        try:
            return bool(os.read(self._near, _MUCH))
        except BlockingIOError:
            return False

    def close(self) -> None:
        """Listen no more; to be called once."""
        os.close(self._near)
