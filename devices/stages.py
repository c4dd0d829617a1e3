"""The stages: rotation of the sample, and its shifts."""

from __future__ import annotations

from typing import Any

from ophyd import Device, FormattedComponent
from ophyd.status import Status

from voltomo.devices.background import Turns, demand_wanted, in_background, put_and_confirm
from voltomo.devices.checked_motor import CheckedMotor
from voltomo.devices.faults import fault
from voltomo.devices.timeouts import ARMING_S
from voltomo.model.pv_names import PvNames


class RotationStage(CheckedMotor):
    """The axis that turns the sample.

    ``prepare(velocity)`` sets the speed of a sweep and keeps the one before; ``prepare(None)``
    brings that one back.
    """

    def __init__(self, prefix: str = "", *, name: str, deadband: float = 0.01, **kwargs: object):
        super().__init__(prefix, name=name, deadband=deadband, **kwargs)
        self._velocity_before: float | None = None
        self._turns = Turns()

    def prepare(self, sweep_velocity_deg_s: float | None) -> Status:
        """Set the speed of a sweep in deg/s, or restore the usual one with None."""
        give_up = self._turns.next()

        def work() -> None:
            demand_wanted(give_up, self.name)
            self._set_velocity(sweep_velocity_deg_s)

        return in_background(f"{self.name} velocity", lambda: self._turns.take(work), 2 * ARMING_S)

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
    """Shifts of the sample below the rotation: x across the beam, y along it, z up (mm).

    Parameters
    ----------
    pvs : PvNames
        Names of the axes' motor records.
    """

    x = FormattedComponent(CheckedMotor, "{pvs.sample_x}", labels={"motors"})
    y = FormattedComponent(CheckedMotor, "{pvs.sample_y}", labels={"motors"})
    z = FormattedComponent(CheckedMotor, "{pvs.sample_z}", labels={"motors"})

    def __init__(self, prefix: str = "", *, name: str, pvs: PvNames, **kwargs: Any):
        self.pvs = pvs
        super().__init__(prefix, name=name, **kwargs)

    @classmethod
    def at(cls, pvs: PvNames, **options: Any) -> SampleStage:
        """The stage under these names, without the axes that the beamline has not got."""
        lacking = {"y": pvs.sample_y, "z": pvs.sample_z}
        absent = {axis: None for axis, name in lacking.items() if name is None}
        kind = type(cls.__name__, (cls,), absent) if absent else cls
        return kind(pvs=pvs, **options)
