"""The shutter as a plan sees it: where it stands. Only a lease opens it."""

from __future__ import annotations

from ophyd import Component, Device, EpicsSignalRO
from ophyd.status import Status

from voltomo.devices.background import in_background, wait_until
from voltomo.devices.faults import fault

CLOSED = "Closed"
OPEN = "Open"
_STANDS_S = 2.0


class Shutter(Device):
    """State, open part and travel time of the shutter; nothing here moves it."""

    state = Component(EpicsSignalRO, "State_RBV", string=True, kind="hinted", auto_monitor=True)
    open_part = Component(EpicsSignalRO, "Position_RBV", kind="normal", auto_monitor=True)
    travel_s = Component(EpicsSignalRO, "TravelTime_RBV", kind="config")
    fault_text = Component(EpicsSignalRO, "FaultText", string=True, kind="omitted")

    def prepare(self, state: str) -> Status:
        """A status that is done once the shutter reads this state; fails if it does not soon."""

        def seen() -> str:
            return str(self.state.get(use_monitor=False))

        def look() -> None:
            wait_until(
                lambda: seen() == state,
                _STANDS_S,
                lambda: fault(self.name, state, seen(), "the lease is given back"),
            )

        return in_background(f"{self.name} {state}", look, 2 * _STANDS_S)
