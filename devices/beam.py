"""The beam before the shutter: energy, attenuation, flux monitor, ring current."""

from __future__ import annotations

from ophyd import Component, Device, EpicsSignal, EpicsSignalRO, PVPositioner


class Energy(PVPositioner):
    """Photon energy in keV."""

    setpoint = Component(EpicsSignal, "Energy", limits=True, kind="normal")
    readback = Component(EpicsSignalRO, "Energy_RBV", kind="hinted", auto_monitor=True)
    done = Component(EpicsSignalRO, "Energy_Moving", kind="omitted", auto_monitor=True)
    done_value = 0

    def __init__(self, prefix: str = "", *, name: str, **kwargs: object):
        super().__init__(prefix, name=name, egu="keV", timeout=60.0, **kwargs)
        self.readback.name = self.name


class BeamMonitor(Device):
    """Flux monitor upstream of the shutter (counts/s), ring current (mA), transmission (0…1)."""

    flux = Component(EpicsSignalRO, "Monitor", kind="hinted", auto_monitor=True)
    ring_current = Component(EpicsSignalRO, "RingCurrent", kind="normal", auto_monitor=True)
    transmission = Component(EpicsSignalRO, "Attenuator_RBV", kind="normal", auto_monitor=True)
    transmission_setpoint = Component(EpicsSignal, "Attenuator", kind="omitted")
