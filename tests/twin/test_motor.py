"""A motion has one beginning and one end, whatever comes between."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from voltomo.twin.motor import Motor, MotorRange
from voltomo.twin.stage_axis import StageAxis
from voltomo.twin.world import World

RANGE = MotorRange("deg", -720, 1080, 90, 180, 0.3, 1e-4)


@pytest.mark.parametrize("steps", range(12))
def test_a_motion_that_begins_is_not_called_done_meanwhile(tmp_path: Path, steps: int) -> None:
    """The controller's loop looks for ends at any moment, also in the midst of a beginning."""

    async def begin() -> Motor:
        axis = StageAxis(World.create(tmp_path / "world.bin", seed=1), "rotation")
        axis.beat(axis.now_s())
        motor = Motor("VT:Stage:Rotation", axis, RANGE)
        await motor.start()
        written = motor._set

        async def slow(**values: object) -> None:
            await asyncio.sleep(0)
            await written(**values)

        motor._set = slow
        putting = asyncio.ensure_future(motor.accept(20.0))
        for _ in range(steps):
            await asyncio.sleep(0)
        await motor.finish(axis.now_s())
        await putting
        return motor

    motor = asyncio.run(begin())
    assert not motor.at_rest.is_set()
    assert motor._fields.done_moving_to_value.value == 0
    assert motor._fields.dial_desired_value.value == 20.0
