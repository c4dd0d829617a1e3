"""The shutter as a plan sees it: where it stands. Only a lease opens it."""

from __future__ import annotations

from ophyd import Component, Device, EpicsSignalRO

CLOSED = "Closed"


class Shutter(Device):
    """State, open part and travel time of the shutter; nothing here moves it."""

    state = Component(EpicsSignalRO, "State_RBV", string=True, kind="hinted", auto_monitor=True)
    open_part = Component(EpicsSignalRO, "Position_RBV", kind="normal", auto_monitor=True)
    travel_s = Component(EpicsSignalRO, "TravelTime_RBV", kind="config")
    fault_text = Component(EpicsSignalRO, "FaultText", string=True, kind="omitted")
