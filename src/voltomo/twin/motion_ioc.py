"""The twin's motion controller: its axes as motor records, the lenses, the trigger hardware."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from voltomo.twin.camera_settings import CameraSettings
from voltomo.twin.ioc import Alarm, Scene, main
from voltomo.twin.lens_changer import LensChanger
from voltomo.twin.motor import Motor, MotorRange
from voltomo.twin.stage_axis import StageAxis
from voltomo.twin.trigger import TriggerHardware
from voltomo.twin.trigger_records import TriggerRecords

_log = logging.getLogger(__name__)
_POST_S = 0.08
_BEAT_S = 0.04
_SHORTEST_S = 0.002
"""Edges that come faster are taken in groups."""

_AXES: dict[str, tuple[str, MotorRange]] = {
    "Stage:Rotation": ("rotation", MotorRange("deg", -720, 1080, 90, 180, 0.3, 1e-4)),
    "Stage:X": ("sample_x", MotorRange("mm", -12, 12, 10, 20, 0.1, 1e-5)),
    "Stage:Y": ("sample_y", MotorRange("mm", -12, 12, 10, 20, 0.1, 1e-5)),
    "Stage:Z": ("sample_z", MotorRange("mm", -12, 12, 10, 20, 0.1, 1e-5)),
    "Stage:Tilt": ("tilt", MotorRange("deg", -2, 50, 5, 10, 0.2, 1e-4)),
    "Slits:Left": ("slit_left", MotorRange("mm", -100, 100, 5, 10, 0.1, 1e-4)),
    "Slits:Right": ("slit_right", MotorRange("mm", -100, 100, 5, 10, 0.1, 1e-4)),
    "Slits:Bottom": ("slit_bottom", MotorRange("mm", -100, 100, 5, 10, 0.1, 1e-4)),
    "Slits:Top": ("slit_top", MotorRange("mm", -100, 100, 5, 10, 0.1, 1e-4)),
    "Detector:Distance": ("distance", MotorRange("mm", 1, 500, 50, 100, 0.3, 1e-3)),
    "Detector:Focus": ("focus", MotorRange("mm", -5, 5, 1, 2, 0.1, 1e-4)),
    "Detector:Roll": ("camera_roll", MotorRange("deg", -5, 5, 2, 4, 0.1, 1e-4)),
}
"""Channel of the world and range of each axis, by what comes after the prefix."""


def open_slits(camera: CameraSettings) -> dict[str, float]:
    """Where the blades stand at the start: beyond the field, whatever its size, within reason."""
    away_mm = max(5.0, 0.6e-3 * camera.pixel_um * max(camera.rows, camera.columns))
    signs = {"slit_left": -1, "slit_bottom": -1, "slit_right": 1, "slit_top": 1}
    return {name: sign * away_mm for name, sign in signs.items()}


class Motion:
    """Motors and trigger hardware of one controller."""

    def __init__(self, scene: Scene) -> None:
        self._world = scene.world
        camera = scene.settings.camera
        unset = {"distance": camera.propagation_mm} | open_slits(camera)
        self._motors = {
            name: Motor(
                scene.prefix + name,
                StageAxis(scene.world, channel, unset.get(channel, 0.0)),
                limits,
            )
            for name, (channel, limits) in _AXES.items()
        }
        self._lenses = LensChanger(f"{scene.prefix}Detector:", scene.world, camera)
        rotation = self._motors["Stage:Rotation"]
        self._hardware = TriggerHardware(scene.world, rotation.axis)
        rotation.stopping.append(self._hardware.disarm)
        self._alarm = Alarm()
        self._hardware.changed.append(self._alarm.ring)
        for motor in self._motors.values():
            motor.axis.changed.append(lambda _: self._alarm.ring())
        self._trigger = TriggerRecords(f"{scene.prefix}Trigger:", self._hardware)

    @property
    def pvdb(self) -> Mapping[str, Any]:
        """All channels."""
        channels: dict[str, Any] = {**self._trigger.pvdb, **self._lenses.pvdb}
        for motor in self._motors.values():
            channels |= motor.pvdb
        return channels

    async def run(self) -> None:
        """Beat and let edges happen when they are due; post what has changed at 12.5 Hz."""
        for motor in self._motors.values():
            await motor.start()
        await self._lenses.start()
        posted_s = 0.0
        while True:
            now_s = self._world.now_s()
            await self._beat(now_s)
            if self._hardware.advance(now_s) and not self._hardware.armed:
                posted_s = 0.0
            await self._trigger.update_gate(now_s)
            for motor in self._motors.values():
                await motor.finish(now_s)
            if now_s - posted_s >= _POST_S:
                posted_s = now_s
                await self._trigger.update(now_s)
                for motor in self._motors.values():
                    await motor.update(now_s)
            await self._alarm.sleep(self._due_s(posted_s + _POST_S) - self._world.now_s())

    def _due_s(self, post_s: float) -> float:
        """World time of what comes next: a beat, a post, an edge, a gate's edge, a motion's end."""
        now_s = self._world.now_s()
        due_s = min(now_s + _BEAT_S, post_s, self._hardware.next_s(now_s))
        for motor in self._motors.values():
            if not motor.at_rest.is_set():
                due_s = min(due_s, motor.axis.end_s)
        return max(due_s, now_s + _SHORTEST_S)

    async def _beat(self, now_s: float) -> None:
        """Beat all channels; after a silence everything has stopped."""
        # The gate first: edges up to its fall are latched with the plan that was.
        silent = not self._hardware.beat(now_s)
        for motor in self._motors.values():
            if not motor.axis.beat(now_s):
                silent = True
                await motor.lose()
        await self._lenses.beat(now_s)
        if silent:
            self._hardware.disarm()
            _log.warning("the controller was silent too long: axes stopped, trigger disarmed")


if __name__ == "__main__":
    raise SystemExit(main(Motion))
