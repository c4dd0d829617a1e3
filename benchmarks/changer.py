"""A sample changer for benchmarks of the guard: one PV that names the sample that is mounted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from caproto.server import PVGroup, PvpropertyString, pvproperty

from voltomo.twin.ioc import Scene, main


class ChangerRecords(PVGroup):
    """Channels under ``…Changer:``."""

    sample = pvproperty(name="Sample", value="bench", dtype=PvpropertyString)


class Changer:
    """Serves the name."""

    def __init__(self, scene: Scene) -> None:
        self._records = ChangerRecords(prefix=f"{scene.prefix}Changer:")

    @property
    def pvdb(self) -> Mapping[str, Any]:
        """All channels."""
        return self._records.pvdb

    async def run(self) -> None:
        """Nothing changes by itself."""
        while True:
            await asyncio.sleep(1.0)


if __name__ == "__main__":
    raise SystemExit(main(Changer))
