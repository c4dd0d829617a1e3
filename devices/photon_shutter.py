"""The slow shutter upstream, with a readback or without one."""

from __future__ import annotations

import threading
from typing import Any

from ophyd import Component, Device, EpicsSignal, EpicsSignalRO, FormattedComponent
from ophyd.signal import AttributeSignal
from ophyd.status import Status

from voltomo.devices.background import Turns, demand_wanted, in_background, put, wait_until
from voltomo.devices.faults import fault
from voltomo.devices.timeouts import MARGIN_S, SIGNAL_S, SLACK
from voltomo.model.device_entries import PhotonShutterEntry

OPEN, CLOSED, MOVING = "Open", "Closed", "Moving"


class PhotonShutter(Device):
    """Open, closed or under way; ``set`` takes "Open" or "Closed".

    Without a readback the state is assumed from the last command, as soon as the blade has had
    its time; ``assumed`` says so, in every record that holds the state.

    Parameters
    ----------
    entry : PhotonShutterEntry
        Names and words of its PVs, and its travel time.
    """

    command = FormattedComponent(
        EpicsSignal, "{entry.command}", string=True, kind="omitted", auto_monitor=True
    )
    readback = FormattedComponent(
        EpicsSignalRO, "{entry.readback}", string=True, kind="omitted", auto_monitor=True
    )
    state = Component(AttributeSignal, "_state", write_access=False, kind="hinted")
    assumed = Component(AttributeSignal, "_assumed", write_access=False, kind="normal")

    def __init__(self, prefix: str = "", *, name: str, entry: PhotonShutterEntry, **kwargs: Any):
        self.entry = entry
        self._turns = Turns()
        self._travels = threading.Event()
        super().__init__(prefix, name=name, **kwargs)

    @classmethod
    def at(cls, entry: PhotonShutterEntry, **options: Any) -> PhotonShutter:
        """The shutter under these names, with a readback or without."""
        kind = cls if entry.readback is not None else _AssumedShutter
        return kind(entry=entry, **options)

    @property
    def _assumed(self) -> bool:
        return self.readback is None

    @property
    def _state(self) -> str:
        if self.readback is None:
            if self._travels.is_set():
                return MOVING
            return OPEN if str(self.command.get()) == self.entry.open_word else CLOSED
        words = {self.entry.opened: OPEN, self.entry.closed: CLOSED}
        return words.get(str(self.readback.get()), MOVING)

    def check_value(self, value: str, **_: Any) -> None:
        """Refuse any other word.

        Raises
        ------
        DeviceFault
            It is neither "Open" nor "Closed".
        """
        if value not in (OPEN, CLOSED):
            raise fault(self.name, f"{OPEN} or {CLOSED}", repr(value), "nothing was moved")

    def set(self, wanted: str) -> Status:
        """Open or close it, and wait until it is; its whole travel time where nothing tells."""
        self.check_value(wanted)
        give_up, entry = self._turns.next(), self.entry
        patience_s = SLACK * entry.travel_s + MARGIN_S

        def work() -> None:
            demand_wanted(give_up, self.name)
            self._travels.set()
            try:
                put(self.command, entry.open_word if wanted == OPEN else entry.close_word, SIGNAL_S)
                self._wait(wanted, patience_s, give_up)
            finally:
                self._travels.clear()

        name, limit_s = f"{self.name} to {wanted}", 2 * patience_s + SIGNAL_S
        return in_background(name, lambda: self._turns.take(work), limit_s)

    def _wait(self, wanted: str, patience_s: float, give_up: threading.Event) -> None:
        if self.readback is None:
            give_up.wait(self.entry.travel_s)
            return
        wait_until(
            lambda: self._state == wanted,
            patience_s,
            lambda: fault(self.name, wanted, self._state, "look at interlocks and permits"),
            give_up,
        )


class _AssumedShutter(PhotonShutter):
    """One that nothing tells of."""

    readback = None
