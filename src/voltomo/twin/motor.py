"""Motor records over the axes of the stage: position, limits, offset, commands, status."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from caproto import AlarmSeverity, AlarmStatus
from caproto.server import PVGroup, PvpropertyDouble, pvproperty

from voltomo.twin.ioc import PutRefused, on_put
from voltomo.twin.stage_axis import StageAxis

_POSITIVE, _DONE, _HIGH_SWITCH, _ENCODER, _PROBLEM, _MOVING, _LOW_SWITCH, _HOMED = (
    1 << 0,
    1 << 1,
    1 << 2,
    1 << 8,
    1 << 9,
    1 << 10,
    1 << 13,
    1 << 14,
)
"""Bits of the motor record's MSTA."""


@dataclass(frozen=True)
class MotorRange:
    """What a motor is set to at the start."""

    units: str
    low: float
    high: float
    speed: float
    top_speed: float
    seconds_to_velocity: float
    resolution: float


class MotorValue(PvpropertyDouble):
    """VAL: limits are the record's own; a put with completion ends with the motion."""

    async def verify_value(self, value: Any) -> Any:
        """Start the motion before the put is answered."""
        return await self.group.accept(float(value))  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]

    async def write_from_dbr(self, *arguments: Any, **options: Any) -> None:
        """Take a client's put, then wait for the motion's end."""
        await super().write_from_dbr(*arguments, **options)
        await self.group.after_put()  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]


class Motor(PVGroup):
    """A motor record on an axis. The channel of the world holds the dial position."""

    value = pvproperty(name="", value=0.0, dtype=MotorValue, record="motor", precision=5)

    def __init__(self, prefix: str, axis: StageAxis, limits: MotorRange) -> None:
        super().__init__(prefix=prefix)
        self.axis = axis
        self.limits = limits
        self.at_rest = asyncio.Event()
        self.at_rest.set()
        self.stopping: list[Callable[[], None]] = []
        self._homed = False
        self._renamed = False
        self._lost = False
        # A motion begins and ends in several steps: no end may fall between those of a beginning.
        self._changing = asyncio.Lock()
        self._fields: Any = self.value.field_inst
        self._hook()

    def _hook(self) -> None:
        """Commands and settings that do something when written."""
        hooks: dict[str, Callable[[Any], Awaitable[Any]]] = {
            "stop": self._stop,
            "stop_pause_move_go": self._stop_pause_move_go,
            "home_forward": self._home,
            "home_reverse": self._home,
            "jog_motor_forward": lambda value: self._jog(value, +1),
            "jog_motor_reverse": lambda value: self._jog(value, -1),
            "tweak_motor_forward": lambda value: self._tweak(value, +1),
            "tweak_motor_reverse": lambda value: self._tweak(value, -1),
            "relative_value": self._relative,
            "dial_desired_value": self._to_dial,
            "velocity": self._speed,
            "seconds_to_velocity": self._seconds_to_velocity,
            "user_high_limit": lambda value: self._user_limit(value, high=True),
            "user_low_limit": lambda value: self._user_limit(value, high=False),
            "dial_high_limit": lambda value: self._dial_limit(value, high=True),
            "dial_low_limit": lambda value: self._dial_limit(value, high=False),
            "user_offset": self._offset,
            "user_direction": self._direction,
        }
        for name, hook in hooks.items():
            on_put(getattr(self._fields, name), hook)

    async def _set(self, **values: Any) -> None:
        """Post fields, without their hooks."""
        for name, value in values.items():
            await getattr(self._fields, name).write(value, verify_value=False)

    def _get(self, name: str) -> float:
        return float(getattr(self._fields, name).value)

    @property
    def sign(self) -> float:
        """+1 or −1: user direction against dial."""
        return -1.0 if str(self._fields.user_direction.value) in ("Neg", "1") else 1.0

    def to_user(self, dial: float) -> float:
        """User position of a dial position."""
        return self.sign * dial + self._get("user_offset")

    def to_dial(self, user: float) -> float:
        """Dial position of a user position."""
        return self.sign * (user - self._get("user_offset"))

    async def start(self) -> None:
        """Fill the record from its range and from where the world says that it stands."""
        limits, dial = self.limits, self.axis.at(self.axis.end_s)[0]
        await self._set(
            velocity=limits.speed,
            base_velocity=0.0,
            max_velocity=limits.top_speed,
            home_velocity=limits.speed,
            jog_velocity=limits.speed,
            seconds_to_velocity=limits.seconds_to_velocity,
            motor_step_size=limits.resolution,
            encoder_step_size=limits.resolution,
            retry_deadband=limits.resolution,
            tweak_step_size=1.0,
            dial_high_limit=limits.high,
            dial_low_limit=limits.low,
            engineering_units=limits.units,
            stop_pause_move_go="Go",
            display_precision=5,
        )
        await self._publish_limits()
        await self.value.write(self.to_user(dial), verify_value=False)
        await self._set(dial_desired_value=dial)
        await self.readback()
        await self._status(moving=False)

    async def accept(self, user: float) -> float:
        """A new VAL: a target, or with SET the name of where it stands."""
        if str(self._fields.set_use_switch.value) in ("Set", "1"):
            if self.axis.channel.alive and not self.at_rest.is_set():
                raise PutRefused(f"{self.prefix} is moving; its position was not redefined")
            await self._rename(user)
            return user
        low, high = self._get("user_low_limit"), self._get("user_high_limit")
        if low < high and not low <= user <= high:
            await self._set(limit_violation=1)
            raise PutRefused(
                f"{self.prefix} goes from {low:g} to {high:g} {self.limits.units}; "
                f"{user:g} was asked for; it did not move"
            )
        mode = str(self._fields.stop_pause_move_go.value)
        if mode in ("Stop", "Pause"):
            raise PutRefused(f"{self.prefix} is set to {mode} (SPMG); it did not move")
        await self._set(limit_violation=0)
        alarm: Any = self.value.alarm
        await alarm.write(status=AlarmStatus.NO_ALARM, severity=AlarmSeverity.NO_ALARM)
        await self._go(user)
        return user

    async def _go(self, user: float, speed: float | None = None) -> None:
        """Begin a motion; DMOV falls before this returns."""
        async with self._changing:
            await self._begin(user, speed)

    async def _begin(self, user: float, speed: float | None) -> None:
        dial, here = self.to_dial(user), self.axis.at(self.axis.end_s)[0]
        now_dial = self._get("dial_readback_value") if not self.at_rest.is_set() else here
        self.at_rest.clear()
        if self._lost:
            self._lost = False
            await self._alarm(AlarmStatus.NO_ALARM, AlarmSeverity.NO_ALARM)
        await self._set(dial_desired_value=dial, direction_of_travel=int(dial >= now_dial))
        await self._status(moving=True)
        set_speed = self._get("velocity")
        acceleration = set_speed / self._get("seconds_to_velocity")
        self.axis.move(dial, min(speed or set_speed, self.limits.top_speed), acceleration)

    async def halt(self) -> None:
        """Come to rest with the set acceleration; what hangs on the motion ends first."""
        for listener in self.stopping:
            listener()
        self.axis.halt(self._get("velocity") / self._get("seconds_to_velocity"))

    async def lose(self) -> None:
        """The controller was silent and the motion is lost: its end is an alarm."""
        if not self.at_rest.is_set():
            self._lost = True
            await self._alarm(AlarmStatus.COMM, AlarmSeverity.MAJOR_ALARM)

    async def _alarm(self, status: AlarmStatus, severity: AlarmSeverity) -> None:
        """Alarm of the readback: clients call a motion that ends with one failed."""
        alarm: Any = self._fields.user_readback_value.alarm
        await alarm.write(status=status, severity=severity)

    async def update(self, now_s: float) -> None:
        """Post the readback while it moves; called at 10 Hz or more."""
        if not self.at_rest.is_set() and now_s < self.axis.end_s:
            await self.readback()

    async def finish(self, now_s: float) -> None:
        """Post the end of a motion as soon as it is there."""
        if self._changing.locked():
            return
        async with self._changing:
            if not self.at_rest.is_set() and now_s >= self.axis.end_s:
                await self._end()

    async def _end(self) -> None:
        await self.readback()
        dial = self.axis.at(self.axis.end_s)[0]
        if abs(dial - self._get("dial_desired_value")) > self.limits.resolution:
            # Stopped short of the target: the record takes where it stands as its setpoint.
            await self._set(dial_desired_value=dial)
            await self.value.write(self.to_user(dial), verify_value=False)
        await self._status(moving=False)
        self.at_rest.set()

    async def readback(self) -> None:
        """Post where the encoder says that it is."""
        world_s = self.axis.now_s()
        step = self.limits.resolution
        dial = round(self.axis.at(world_s)[0] / step) * step
        await self._set(
            user_readback_value=self.to_user(dial),
            dial_readback_value=dial,
            raw_readback_value=round(dial / step),
            difference_dval_drbv=self._get("dial_desired_value") - dial,
        )

    async def _status(self, *, moving: bool) -> None:
        """DMOV, MOVN, MSTA, switches."""
        dial = self.axis.at(self.axis.end_s)[0]
        bits = _ENCODER | (_MOVING if moving else _DONE) | (_HOMED if self._homed else 0)
        bits |= _POSITIVE if self._get("direction_of_travel") else 0
        bits |= _HIGH_SWITCH if dial > self.limits.high else 0
        bits |= _PROBLEM if self._lost else 0
        bits |= _LOW_SWITCH if dial < self.limits.low else 0
        await self._set(
            motor_status=bits,
            motor_is_moving=int(moving),
            done_moving_to_value=int(not moving),
            motion_in_progress=int(moving),
        )

    async def _publish_limits(self) -> None:
        """User limits and control limits from the dial limits."""
        ends = [self.to_user(self._get(f"dial_{side}_limit")) for side in ("low", "high")]
        low, high = min(ends), max(ends)
        # Clients ask for the control limits as soon as they hear of new user limits.
        metadata = {"upper_ctrl_limit": high, "lower_ctrl_limit": low, "units": self.limits.units}
        await self.value.write_metadata(**metadata)
        await self._set(user_low_limit=low, user_high_limit=high)
        await self._fields.user_readback_value.write_metadata(units=self.limits.units, precision=5)

    async def after_put(self) -> None:
        """A client's put of VAL ends with the motion; new limits follow the new value.

        Clients that hear of new limits before the new value take the old limits from the latter.
        """
        if self._renamed:
            self._renamed = False
            await self._publish_limits()
        await self.at_rest.wait()

    async def _rename(self, user: float) -> None:
        """Let where it stands be called this."""
        await self._set(user_offset=user - self.sign * self.axis.at(self.axis.end_s)[0])
        await self.readback()
        self._renamed = True

    async def _stop(self, value: int) -> int:
        if value:
            await self.halt()
        return 0

    async def _stop_pause_move_go(self, value: Any) -> Any:
        if str(value) in ("Stop", "Pause", "0", "1"):
            await self.halt()
        return value

    async def _home(self, value: int) -> int:
        if value:
            self._homed = True
            await self._go(self.to_user(0.0), self._get("home_velocity"))
            await self.value.write(self.to_user(0.0), verify_value=False)
        return 0

    async def _jog(self, value: int, direction: int) -> int:
        if value:
            side = "high" if direction > 0 else "low"
            await self._go(self._get(f"user_{side}_limit"), self._get("jog_velocity"))
        else:
            await self.halt()
        return value

    async def _command(self, user: float) -> None:
        """Move by one of the record's other ways to a target."""
        await self.accept(user)
        await self.value.write(user, verify_value=False)

    async def _tweak(self, value: int, direction: int) -> int:
        if value:
            await self._command(float(self.value.value) + direction * self._get("tweak_step_size"))
        return 0

    async def _relative(self, value: float) -> float:
        if value:
            await self._command(float(self.value.value) + float(value))
        return 0.0

    async def _to_dial(self, value: float) -> float:
        await self._command(self.to_user(float(value)))
        return value

    async def _speed(self, value: float) -> float:
        if value <= 0:
            raise PutRefused(f"{self.prefix}: a speed must be positive, {value:g} was asked for")
        return min(float(value), self.limits.top_speed)

    async def _seconds_to_velocity(self, value: float) -> float:
        if value <= 0:
            raise PutRefused(f"{self.prefix}: ACCL must be positive, {value:g} was asked for")
        return value

    async def _user_limit(self, value: float, *, high: bool) -> float:
        side = "high" if high == (self.sign > 0) else "low"
        await self._set(**{f"dial_{side}_limit": self.to_dial(float(value))})
        await self._publish_limits()
        return value

    async def _dial_limit(self, value: float, *, high: bool) -> float:
        await self._set(**{f"dial_{'high' if high else 'low'}_limit": float(value)})
        await self._publish_limits()
        return value

    async def _offset(self, value: float) -> float:
        await self._set(user_offset=float(value))
        await self._rename_setpoint()
        return value

    async def _direction(self, value: Any) -> Any:
        await self._set(user_direction=value)
        await self._rename_setpoint()
        return value

    async def _rename_setpoint(self) -> None:
        """Same dial, other user numbers."""
        user = self.to_user(self._get("dial_desired_value"))
        await self.value.write(user, verify_value=False)
        await self.readback()
        await self._publish_limits()
