"""The stages: rotation of the sample, and its shifts."""

from __future__ import annotations

from ophyd import Component, Device
from ophyd.status import Status

from voltomo.devices.background import in_background, put_and_confirm
from voltomo.devices.checked_motor import CheckedMotor
from voltomo.devices.faults import fault
from voltomo.devices.timeouts import ARMING_S


class RotationStage(CheckedMotor):
    """The axis that turns the sample.

    ``prepare(velocity)`` sets the speed of a sweep and keeps the one before; ``prepare(None)``
    brings that one back.
    """

    def __init__(self, prefix: str = "", *, name: str, deadband: float = 0.01, **kwargs: object):
        super().__init__(prefix, name=name, deadband=deadband, **kwargs)
        self._velocity_before: float | None = None

    def prepare(self, sweep_velocity_deg_s: float | None) -> Status:
        """Set the speed of a sweep in deg/s, or restore the usual one with None."""
        return in_background(
            f"{self.name} velocity", lambda: self._set_velocity(sweep_velocity_deg_s), ARMING_S
        )

    def _set_velocity(self, velocity: float | None) -> None:
        if velocity is None:
            if self._velocity_before is not None:
                put_and_confirm(self.velocity, self._velocity_before)
                self._velocity_before = None
            return
        fastest = float(self.maximum_velocity.get())
        if velocity <= 0 or 0 < fastest < velocity:
            raise fault(
                self.name,
                f"a sweep velocity between 0 and {fastest:g} deg/s",
                f"{velocity:g} deg/s",
                "lengthen the period or take more projections",
            )
        if self._velocity_before is None:
            self._velocity_before = float(self.velocity.get())
        put_and_confirm(self.velocity, float(velocity))


class SampleStage(Device):
    """Shifts of the sample below the rotation: x across the beam, y along it, z up (mm)."""

    x = Component(CheckedMotor, "X", labels={"motors"})
    y = Component(CheckedMotor, "Y", labels={"motors"})
    z = Component(CheckedMotor, "Z", labels={"motors"})
