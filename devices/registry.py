"""From an entry of the beamline file to its device: the only classes that a file can name."""

from __future__ import annotations

from ophyd import Device, EpicsSignalRO

from voltomo.devices.checked_motor import CheckedMotor
from voltomo.devices.cycler import Cycler
from voltomo.devices.lens import Lens
from voltomo.devices.photon_shutter import PhotonShutter
from voltomo.devices.slits import CameraDistance, Slits
from voltomo.model.device_entries import (
    AxisEntry,
    CameraDistanceEntry,
    CyclerEntry,
    DeviceEntry,
    LensEntry,
    PhotonShutterEntry,
    SlitsEntry,
)

__all__ = ["make_device"]


def make_device(name: str, entry: DeviceEntry) -> Device | EpicsSignalRO:
    """The device of an entry; nothing waits for its PVs."""
    baseline = {"baseline"}
    match entry:
        case AxisEntry():
            labels = baseline | {"motors"}
            return CheckedMotor(entry.motor, name=name, deadband=entry.deadband, labels=labels)
        case CameraDistanceEntry():
            return CameraDistance(name=name, entry=entry, labels=baseline | {"motors"})
        case CyclerEntry():
            return Cycler(name=name, entry=entry, labels=baseline | {"cyclers"})
        case SlitsEntry():
            return Slits(name=name, entry=entry, labels=baseline)
        case LensEntry():
            return Lens.at(entry, name=name, labels=baseline)
        case PhotonShutterEntry():
            return PhotonShutter.at(entry, name=name, labels=baseline | {"shutters"})
        case _:
            return EpicsSignalRO(entry.pv, name=name, labels=baseline, auto_monitor=True)
