"""A motor record that never hangs: time-outs from the distance, and a look at where it stands."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ophyd import Component, EpicsMotor, EpicsSignalRO
from ophyd.status import Status

from voltomo.devices.background import finish
from voltomo.devices.faults import fault
from voltomo.devices.timeouts import move_timeout_s


class CheckedMotor(EpicsMotor):
    """An axis whose moves end in time and are confirmed by the readback.

    Parameters
    ----------
    prefix, name
        As for `ophyd.EpicsMotor`.
    deadband : float
        How far from the target the axis may stand after a move, in its units.

    Attributes
    ----------
    keep_out : callable or None
        Raises a sentence where a rule of the beamline forbids a place; see
        `voltomo.devices.keep_out`.
    """

    maximum_velocity = Component(EpicsSignalRO, ".VMAX", kind="omitted", auto_monitor=True)

    def __init__(self, prefix: str = "", *, name: str, deadband: float = 0.002, **kwargs: Any):
        super().__init__(prefix, name=name, **kwargs)
        self.deadband = deadband
        self._stopped = False
        self._target: float | None = None
        self.keep_out: Callable[[float], None] | None = None

    def check_value(self, pos: float) -> None:
        """Refuse a place beyond a limit, or one that a rule of the beamline forbids.

        Raises
        ------
        LimitError, KeptOut
            It does.
        """
        super().check_value(pos)
        if self.keep_out is not None:
            self.keep_out(pos)

    def span(self) -> tuple[float, float]:
        """Where the axis is and where it is going; anywhere if it does not answer."""
        if not (self.user_readback.connected and self.user_setpoint.connected):
            return -math.inf, math.inf
        here = float(self.user_readback.get())
        # The record's own setpoint is news of other clients', and may be late of our own.
        going = float(self.user_setpoint.get()) if self._target is None else self._target
        return here, going if abs(going - here) > self.deadband else here

    def expected_timeout_s(self, target: float) -> float:
        """Time-out of a move to ``target`` from here, at the present velocity."""
        distance = target - float(self.user_readback.get())
        return move_timeout_s(distance, float(self.velocity.get()), float(self.acceleration.get()))

    def move(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, position: float, wait: bool = True, **kwargs: Any
    ) -> Status:
        """Move and confirm; see `ophyd.EpicsMotor.move`.

        The status fails with a sentence if the axis does not arrive in time or stands elsewhere.
        """
        if not self.connected:
            raise fault(self.name, f"to be moved to {position:g}", "it disconnected")
        self.check_value(position)
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self.expected_timeout_s(position)
        self._stopped = False
        self._target = float(position)
        moved = super().move(position, wait=False, **kwargs)
        confirmed = Status(obj=self, timeout=None)
        moved.add_callback(lambda status: self._confirm(status, confirmed, position, kwargs))
        # A progress bar follows the move itself.
        confirmed.watch = moved.watch  # pyright: ignore[reportAttributeAccessIssue]
        if wait:
            confirmed.wait()
        return confirmed

    def _confirm(
        self, moved: Any, confirmed: Status, target: float, options: dict[str, Any]
    ) -> None:
        """Judge a move that has ended."""
        self._target = None
        seen = self._where()
        arrived = abs(seen - target) <= self.deadband
        error = moved.exception(timeout=0)
        units = str(self.motor_egu._readback)
        if (self._stopped and error is None) or (error is None and arrived):
            finish(confirmed)
        else:
            why = "it stopped there"
            if error is not None:
                late = f"not done within {options['timeout']:.1f} s"
                why = late if "Timeout" in type(error).__name__ else "the record reports a failure"
            expected = f"{target:g} ± {self.deadband:g} {units}"
            advice = "the beam is closed; look at limits, brake and alarm of the axis"
            finish(confirmed, fault(self.name, expected, f"{seen:g} {units} ({why})", advice))

    def _where(self) -> float:
        """Where the axis stands: asked anew if it answers, else the last that was heard."""
        if self.user_readback.connected:
            return float(self.user_readback.get(use_monitor=False))
        return float(self.user_readback._readback)

    def stop(self, *, success: bool = False) -> None:
        """Stop; with ``success`` the open move counts as done where it is."""
        self._stopped = success
        if self.connected:
            super().stop(success=success)

    @property
    def position(self) -> float:
        """Where the axis was last seen; a status that ends without a connection asks too."""
        return self._position  # pyright: ignore[reportReturnType]
