"""The beam before the shutter: energy, attenuation, flux monitor, ring current."""

from __future__ import annotations

from typing import Any

from ophyd import Device, EpicsSignal, EpicsSignalRO, FormattedComponent, PVPositioner
from ophyd.pv_positioner import PVPositionerPC

from voltomo.model.pv_names import PvNames


class Energy(PVPositioner):
    """Photon energy in keV.

    Parameters
    ----------
    pvs : PvNames
        Names of setpoint, readback and of the PV that says whether it moves.
    """

    setpoint = FormattedComponent(EpicsSignal, "{pvs.energy}", limits=True, kind="normal")
    readback = FormattedComponent(
        EpicsSignalRO, "{pvs.energy_readback}", kind="hinted", auto_monitor=True
    )
    done = FormattedComponent(
        EpicsSignalRO, "{pvs.energy_moving}", kind="omitted", auto_monitor=True
    )
    done_value = 0

    def __init__(self, prefix: str = "", *, name: str, pvs: PvNames, **kwargs: Any):
        self.pvs = pvs
        super().__init__(prefix, name=name, egu="keV", timeout=60.0, **kwargs)
        self.readback.name = self.name

    @classmethod
    def at(cls, pvs: PvNames, **options: Any) -> Energy:
        """The energy under these names; without one that says whether it moves, the put does."""
        kind = cls if pvs.energy_moving is not None else _EnergyByPut
        return kind(pvs=pvs, **options)


class _EnergyByPut(Energy, PVPositionerPC):
    """One whose put completes when it has arrived."""

    done = None


class BeamMonitor(Device):
    """Flux monitor upstream of the shutter (counts/s), ring current (mA), transmission (0…1).

    Parameters
    ----------
    pvs : PvNames
        Their names.
    """

    flux = FormattedComponent(EpicsSignalRO, "{pvs.beam_monitor}", kind="hinted", auto_monitor=True)
    ring_current = FormattedComponent(
        EpicsSignalRO, "{pvs.ring_current}", kind="normal", auto_monitor=True
    )
    transmission = FormattedComponent(
        EpicsSignalRO, "{pvs.attenuator_readback}", kind="normal", auto_monitor=True
    )
    transmission_setpoint = FormattedComponent(EpicsSignal, "{pvs.attenuator}", kind="omitted")

    def __init__(self, prefix: str = "", *, name: str, pvs: PvNames, **kwargs: Any):
        self.pvs = pvs
        super().__init__(prefix, name=name, **kwargs)

    @classmethod
    def at(cls, pvs: PvNames, **options: Any) -> BeamMonitor:
        """The monitor under these names, without what the beamline has not got."""
        lacking = {
            "ring_current": pvs.ring_current,
            "transmission": pvs.attenuator_readback,
            "transmission_setpoint": pvs.attenuator,
        }
        absent = {part: None for part, name in lacking.items() if name is None}
        kind = type(cls.__name__, (cls,), absent) if absent else cls
        return kind(pvs=pvs, **options)
