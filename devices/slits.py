"""Slits and camera distance: what shapes the beam, and how far behind the sample it is seen."""

from __future__ import annotations

from typing import Any

from ophyd import Device, FormattedComponent

from voltomo.devices.checked_motor import CheckedMotor
from voltomo.model.device_entries import CameraDistanceEntry, SlitsEntry


class Slits(Device):
    """Four blades, mm from the middle of the beam; right and top are the larger ones.

    Parameters
    ----------
    entry : SlitsEntry
        Names of the blades' motor records.
    """

    left = FormattedComponent(CheckedMotor, "{entry.left}", labels={"motors"})
    right = FormattedComponent(CheckedMotor, "{entry.right}", labels={"motors"})
    bottom = FormattedComponent(CheckedMotor, "{entry.bottom}", labels={"motors"})
    top = FormattedComponent(CheckedMotor, "{entry.top}", labels={"motors"})

    def __init__(self, prefix: str = "", *, name: str, entry: SlitsEntry, **kwargs: Any):
        self.entry = entry
        super().__init__(prefix, name=name, **kwargs)

    @property
    def opening_mm(self) -> tuple[float, float]:
        """Width and height of the opening, negative where blades overlap."""
        return (
            float(self.right.position) - float(self.left.position),
            float(self.top.position) - float(self.bottom.position),
        )


class CameraDistance(CheckedMotor):
    """From the sample to the camera, mm.

    Parameters
    ----------
    entry : CameraDistanceEntry
        Name of its motor record.
    """

    def __init__(self, prefix: str = "", *, name: str, entry: CameraDistanceEntry, **kwargs: Any):
        super().__init__(prefix or entry.motor, name=name, deadband=entry.deadband, **kwargs)
