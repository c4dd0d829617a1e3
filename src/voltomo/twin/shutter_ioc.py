"""The twin's shutter controller over Channel Access."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from caproto.server import PVGroup, PvpropertyEnum, PvpropertyString, pvproperty

from voltomo.twin.ioc import Alarm, PutRefused, Scene, main, on_put
from voltomo.twin.shutter_controller import Change, ShutterController

_log = logging.getLogger(__name__)


class ShutterRecords(PVGroup):
    """Channels under ``…Shutter:``."""

    enable = pvproperty(name="Enable", value=0, doc="counter; a change is a heartbeat, 0 closes")
    stale_time = pvproperty(name="StaleTime", value=0.5, units="s", precision=3)
    gate_mode = pvproperty(
        name="GateMode",
        value="TriggerWindow",
        enum_strings=["Lease", "TriggerWindow"],
        dtype=PvpropertyEnum,
    )
    state_rbv = pvproperty(
        name="State_RBV",
        value="Closed",
        enum_strings=["Closed", "Opening", "Open", "Closing", "Fault"],
        dtype=PvpropertyEnum,
        read_only=True,
    )
    position_rbv = pvproperty(name="Position_RBV", value=0.0, precision=3, read_only=True)
    travel_time_rbv = pvproperty(
        name="TravelTime_RBV", value=0.015, units="s", precision=4, read_only=True
    )
    enabled_rbv = pvproperty(name="Enabled_RBV", value=0, read_only=True)
    manual = pvproperty(name="Manual", value=0, doc="1: opened by hand past the guard")
    fault_text = pvproperty(name="FaultText", value="", dtype=PvpropertyString, read_only=True)

    def __init__(self, prefix: str, controller: ShutterController, alarm: Alarm) -> None:
        super().__init__(prefix=prefix)
        self.alarm = alarm
        on_put(self.enable, self.put_enable)
        on_put(self.stale_time, self.put_stale_time)
        on_put(self.gate_mode, self.put_gate_mode)
        on_put(self.manual, self.put_manual)
        self.controller = controller

    async def put_enable(self, value: int) -> int:
        """Staleness counts from here."""
        self.controller.put_enable(int(value))
        self.alarm.ring()
        return value

    async def put_stale_time(self, value: float) -> float:
        """Between 0.1 and 5 s."""
        if not 0.1 <= value <= 5:
            raise PutRefused(f"StaleTime must be 0.1 to 5 s, {value:g} was asked for; it was kept")
        self.controller.stale_s = float(value)
        self.alarm.ring()
        return value

    async def put_gate_mode(self, value: str) -> str:
        """Whether the gate is asked too."""
        self.controller.gate_mode = "Lease" if value == "Lease" else "TriggerWindow"
        self.alarm.ring()
        return value

    async def put_manual(self, value: int) -> int:
        """By hand."""
        self.controller.manual = bool(value)
        self.alarm.ring()
        return int(bool(value))


class Shutter:
    """The controller and its channels."""

    def __init__(self, scene: Scene) -> None:
        self._world = scene.world
        settings = scene.settings
        self._controller = ShutterController(scene.world, settings.stale_s, settings.travel_s)
        self._alarm = Alarm()
        self._records = ShutterRecords(f"{scene.prefix}Shutter:", self._controller, self._alarm)

    @property
    def pvdb(self) -> Mapping[str, Any]:
        """All channels."""
        return self._records.pvdb

    async def run(self) -> None:
        """Drive the blade whenever something is due; post what changed."""
        records, controller = self._records, self._controller
        await records.stale_time.write(controller.stale_s, verify_value=False)
        await records.travel_time_rbv.write(controller.travel_s, verify_value=False)
        await records.state_rbv.write(controller.state, verify_value=False)
        enabled = False
        while True:
            now_s = self._world.now_s()
            for change in controller.step(now_s):
                await self._post(change)
            if enabled != controller.enabled(now_s):
                enabled = not enabled
                await records.enabled_rbv.write(int(enabled), verify_value=False)
            now_s = self._world.now_s()
            await self._alarm.sleep(controller.next_look_s(now_s) - now_s)

    async def _post(self, change: Change) -> None:
        """State first, stamped with the moment at which it came about."""
        records = self._records
        stamp = self._world.utc_s(change.world_s)
        await records.state_rbv.write(change.state, verify_value=False, timestamp=stamp)
        open_part = self._controller.position(self._world.now_s())
        await records.position_rbv.write(open_part, verify_value=False)
        await records.fault_text.write(self._controller.fault, verify_value=False)
        if change.state == "Fault":
            _log.warning("%s", self._controller.fault)


if __name__ == "__main__":
    raise SystemExit(main(Shutter))
