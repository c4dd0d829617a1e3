"""A beam process that delivers nonsense: text for counts, an invalid energy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from caproto import AlarmSeverity, AlarmStatus
from caproto.server import PVGroup, PvpropertyString, pvproperty

from voltomo.twin.ioc import Scene, main


class OddRecords(PVGroup):
    """The two channels that the guard reads."""

    monitor = pvproperty(name="Monitor", value="off", dtype=PvpropertyString)
    energy_rbv = pvproperty(name="Energy_RBV", value=60.0)


class OddBeam:
    """Serves them; the flux of the world goes on as it was laid down."""

    def __init__(self, scene: Scene) -> None:
        self._world = scene.world
        self._records = OddRecords(prefix=f"{scene.prefix}Beam:")

    @property
    def pvdb(self) -> Mapping[str, Any]:
        """All channels."""
        return self._records.pvdb

    async def run(self) -> None:
        """Beat for the world, and post nonsense."""
        alarm: Any = self._records.energy_rbv.alarm
        await alarm.write(status=AlarmStatus.READ, severity=AlarmSeverity.INVALID_ALARM)
        while True:
            for name in ("flux", "energy"):
                self._world.channel(name).beat()
            await self._records.monitor.write("off", verify_value=False)
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    raise SystemExit(main(OddBeam))
