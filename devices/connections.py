"""Whether the devices are there, and a status that fails when one is gone."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from ophyd.status import Status

from voltomo.devices.background import finish
from voltomo.devices.faults import DeviceFault


class ConnectionWatch:
    """Fails its statuses within milliseconds when a watched PV disconnects.

    It is a bluesky Triggerable: ``trigger`` gives a status that stays open for as long as all is
    well, so that a plan that holds it ends as soon as a device is gone.

    Parameters
    ----------
    name : str
        Its name in messages.
    signals : mapping of str to signals
        One or more signals for each device, by the device's name.
    """

    parent = None

    def __init__(self, name: str, signals: dict[str, Iterable[Any]]) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._open: list[Status] = []
        self._signals = [(device, signal) for device, group in signals.items() for signal in group]
        for device, signal in self._signals:
            signal.subscribe(self._on_change(device, signal), event_type="meta", run=False)

    def _on_change(self, device: str, signal: Any) -> Any:
        def changed(**metadata: Any) -> None:
            if metadata.get("connected") is False:
                self._fail(_sentence(device, signal))

        return changed

    def _fail(self, sentence: str) -> None:
        with self._lock:
            waiting, self._open = self._open, []
        for status in waiting:
            finish(status, DeviceFault(sentence))

    def lost(self) -> str | None:
        """A sentence on the first device that is not connected, None where all are."""
        for device, signal in self._signals:
            if not signal.connected:
                return _sentence(device, signal)
        return None

    def trigger(self) -> Status:
        """A status that fails when a device disconnects, and ends well with `release`."""
        status = Status(timeout=None)
        with self._lock:
            self._open.append(status)
        sentence = self.lost()
        if sentence is not None:
            self._fail(sentence)
        return status

    def release(self) -> None:
        """End all open statuses well: nobody depends on the devices any more."""
        with self._lock:
            waiting, self._open = self._open, []
        for status in waiting:
            finish(status)

    def read(self) -> dict[str, Any]:
        """Nothing to read."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Nothing to read."""
        return {}


def _sentence(device: str, signal: Any) -> str:
    name = getattr(signal, "pvname", signal.name)
    return (
        f"{device}: expected {name} to answer, saw it disconnect; no beam is held without "
        "it; look at the device's IOC, then start the scan again"
    )
