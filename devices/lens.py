"""A turret of lenses; the pixel size follows the one that is in."""

from __future__ import annotations

import math
from typing import Any

from ophyd import Component, Device, EpicsSignal, EpicsSignalRO, FormattedComponent
from ophyd.signal import AttributeSignal
from ophyd.status import Status

from voltomo.devices.background import in_background, put, wait_until
from voltomo.devices.faults import fault
from voltomo.devices.timeouts import MARGIN_S, SIGNAL_S, SLACK
from voltomo.model.device_entries import LensEntry


class Lens(Device):
    """The lens in front of the camera; ``set`` takes the name of one.

    Parameters
    ----------
    entry : LensEntry
        Names of its PVs, and the pixel size behind each lens.
    """

    readback = FormattedComponent(
        EpicsSignalRO, "{entry.readback}", string=True, kind="normal", auto_monitor=True
    )
    choice = FormattedComponent(EpicsSignal, "{entry.choice}", string=True, kind="omitted")
    moving = FormattedComponent(EpicsSignalRO, "{entry.moving}", kind="omitted", auto_monitor=True)
    pixel_um = Component(AttributeSignal, "_pixel_um", write_access=False, kind="normal")

    def __init__(self, prefix: str = "", *, name: str, entry: LensEntry, **kwargs: Any):
        self.entry = entry
        super().__init__(prefix, name=name, **kwargs)

    @classmethod
    def at(cls, entry: LensEntry, **options: Any) -> Lens:
        """The turret under these names, without what it has not got."""
        kind = cls if entry.moving is not None else _LensByReadback
        return kind(entry=entry, **options)

    @property
    def _pixel_um(self) -> float:
        """Pixel size at the sample; not a number while the turret turns or its word is unknown."""
        if self._turns():
            return math.nan
        return self.entry.pixel_um.get(str(self.readback.get()), math.nan)

    def _turns(self) -> bool:
        return self.moving is not None and int(self.moving.get()) != 0

    def check_value(self, value: str, **_: Any) -> None:
        """Refuse a lens that nobody knows.

        Raises
        ------
        DeviceFault
            With the names of those that there are.
        """
        if value not in self.entry.pixel_um:
            known = ", ".join(self.entry.pixel_um)
            raise fault(self.name, f"one of {known}", repr(value), "nothing was moved")

    def set(self, lens: str) -> Status:
        """Turn a lens in, and wait until it stands there."""
        self.check_value(lens)
        patience_s = SLACK * self.entry.travel_s + MARGIN_S

        def work() -> None:
            put(self.choice, lens, SIGNAL_S)
            wait_until(
                lambda: not self._turns() and str(self.readback.get()) == lens,
                patience_s,
                lambda: fault(self.name, f"{lens!r} to be in", repr(self.readback.get())),
            )

        return in_background(f"{self.name} to {lens}", work, patience_s + SIGNAL_S + MARGIN_S)


class _LensByReadback(Lens):
    """One whose readback alone tells whether it stands."""

    moving = None
