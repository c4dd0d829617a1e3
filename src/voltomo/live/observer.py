"""An outside client of the live slice: what arrived, and when."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from voltomo.runtime.run_folder import Addresses

_SEARCH_S = 0.5


@dataclass(frozen=True)
class ReceivedSlice:
    """A slice as a client got it.

    ``received_s`` is monotonic time; ``last_trigger`` the highest trigger index in the slice;
    ``complete`` whether it is the last one, unless the height is moved; ``position`` where the
    plane lies, as JSON.
    """

    image: NDArray[np.float32]
    last_trigger: int
    frames: int
    row: int
    scan_uid: str
    received_s: float
    complete: bool = False
    position: str = ""


class SliceObserver:
    """Watches a live plane over PVA, with addresses of its own rather than the environment's.

    Parameters
    ----------
    addresses : Addresses
        Where the services of the run listen.
    channel : str
        Last part of its name: "Slice", "SliceXZ", "SliceYZ" or "Oblique".
    """

    def __init__(self, addresses: Addresses, channel: str = "Slice") -> None:
        from p4p.client.thread import Context

        environment = addresses.own_environment()
        conf = {key: text for key, text in environment.items() if key.startswith("EPICS_PVA")}
        self._lock = threading.Lock()
        self._there = threading.Event()
        self._latest: ReceivedSlice | None = None
        self._receipts: list[tuple[str, int, float]] = []
        self._context = Context("pva", conf=conf, useenv=False, nt=False)
        self._monitor = self._context.monitor(
            f"{addresses.prefix}Live:{channel}", self._take, notify_disconnect=True
        )

    def _take(self, value: Any) -> None:
        received_s = time.monotonic()
        if isinstance(value, Exception):
            self._there.clear()
            return
        self._there.set()
        sizes = [int(dimension["size"]) for dimension in value["dimension"]]
        words = {item["name"]: item["value"] for item in value["attribute"]}
        if "scan_uid" not in words:
            return
        slice_ = ReceivedSlice(
            image=np.array(value["value"], np.float32).reshape(sizes[::-1]),
            last_trigger=int(value["uniqueId"]),
            frames=int(words["frames"]),
            row=int(words["row"]),
            scan_uid=str(words["scan_uid"]),
            received_s=received_s,
            complete=bool(words.get("complete")),
            position=str(words.get("position", "")),
        )
        with self._lock:
            self._latest = slice_
            self._receipts.append((slice_.scan_uid, slice_.last_trigger, received_s))

    def wait_connected(self, patience_s: float) -> bool:
        """Wait until the worker's slices can be seen; False if they cannot be in time."""
        deadline = time.monotonic() + patience_s
        while not self._there.wait(_SEARCH_S):
            if time.monotonic() > deadline:
                return False
            # Searches grow rare by themselves.
            self._context.hurryUp()
        return True

    @property
    def latest(self) -> ReceivedSlice | None:
        """The last slice that came."""
        with self._lock:
            return self._latest

    def receipts(self, scan_uid: str) -> NDArray[np.float64]:
        """Highest trigger and time of receipt of each slice of a scan, shape (n, 2)."""
        with self._lock:
            rows = [(trigger, at) for uid, trigger, at in self._receipts if uid == scan_uid]
        return np.array(rows, dtype=np.float64).reshape(-1, 2)

    def wait_for(
        self, scan_uid: str, frames: int, patience_s: float, *, complete: bool = False
    ) -> ReceivedSlice | None:
        """The first slice of a scan that holds at least so many views; None if none comes.

        With ``complete``, its last one: that the scan's slice is done may be known, by another
        way, before that slice has come.
        """
        deadline = time.monotonic() + patience_s
        self.wait_connected(patience_s)
        while time.monotonic() < deadline:
            latest = self.latest
            if (
                latest is not None
                and latest.scan_uid == scan_uid
                and latest.frames >= frames
                and (latest.complete or not complete)
            ):
                return latest
            time.sleep(0.05)
        return None

    def close(self) -> None:
        """Stop watching."""
        self._monitor.close()
        self._context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def latencies_s(
    receipts: NDArray[np.float64],
    trigger: NDArray[np.int64],
    exposure_end_s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """From the end of an exposure to the receipt of the first slice that holds its trigger.

    Parameters
    ----------
    receipts : array, shape (n, 2)
        Highest trigger and time of receipt of each slice.
    trigger, exposure_end_s : array, shape (m,)
        Triggers and the ends of their exposures, on the same clock.

    Returns
    -------
    array, shape (k,)
        Of the triggers that any slice came to hold.
    """
    if receipts.shape[0] == 0:
        return np.empty(0)
    highest = np.maximum.accumulate(receipts[:, 0])
    first = np.searchsorted(highest, trigger)
    shown = first < highest.size
    return receipts[first[shown], 1] - exposure_end_s[shown]
