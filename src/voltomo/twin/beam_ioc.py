"""The twin's beam over Channel Access: energy, attenuator, photon shutter, ring, place, monitor."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from caproto.server import PVGroup, PvpropertyEnum, pvproperty

from voltomo.twin.answering import Answering
from voltomo.twin.ioc import PutRefused, Scene, main, on_put
from voltomo.twin.source import ENERGY_KEV_PER_S, ENERGY_KEV_PER_S2, Source

_LOOP_S = 0.04
_MONITOR_S = 0.08
_RING_S = 1.0
_LOST_MA = 1.0
LOW_KEV, HIGH_KEV = 8.0, 60.0


class BeamRecords(PVGroup):
    """Channels under ``…Beam:``."""

    energy = pvproperty(name="Energy", value=20.0, units="keV", precision=4)
    energy_rbv = pvproperty(name="Energy_RBV", value=20.0, units="keV", precision=4, read_only=True)
    energy_moving = pvproperty(name="Energy_Moving", value=0, read_only=True)
    attenuator = pvproperty(name="Attenuator", value=1.0, precision=5, doc="transmission, 0 to 1")
    attenuator_rbv = pvproperty(name="Attenuator_RBV", value=1.0, precision=5, read_only=True)
    ring_current = pvproperty(
        name="RingCurrent", value=0.0, units="mA", precision=3, read_only=True
    )
    top_up_in = pvproperty(
        name="TopUpIn", value=-1.0, units="s", precision=1, read_only=True, doc="-1: none planned"
    )
    position_x = pvproperty(name="PositionX", value=0.0, units="um", precision=2, read_only=True)
    position_y = pvproperty(name="PositionY", value=0.0, units="um", precision=2, read_only=True)
    photon_shutter = pvproperty(
        name="PhotonShutter",
        value="Open",
        enum_strings=["Close", "Open"],
        dtype=PvpropertyEnum,
        doc="upstream of monitor and attenuator; slow",
    )
    photon_shutter_rbv = pvproperty(
        name="PhotonShutter_RBV",
        value="Open",
        enum_strings=["Closed", "Open", "Moving"],
        dtype=PvpropertyEnum,
        read_only=True,
    )
    monitor = pvproperty(
        name="Monitor",
        value=0.0,
        units="counts/s",
        precision=1,
        read_only=True,
        doc="upstream of the shutter",
    )
    diode = pvproperty(
        name="Diode",
        value=0.0,
        units="A",
        precision=15,
        read_only=True,
        doc="silicon, 300 um, behind a pinhole of 0.25 mm2 in the middle of the beam",
    )

    def __init__(self, prefix: str, source: Source) -> None:
        super().__init__(prefix=prefix)
        on_put(self.energy, self.put_energy)
        on_put(self.attenuator, self.put_attenuator)
        on_put(self.photon_shutter, self.put_photon_shutter)
        self.source = source
        self._monitor_due_s = self._ring_due_s = 0.0
        self._lost = False

    async def put_energy(self, value: float) -> float:
        """Begin to go there; Energy_Moving rises before the put returns."""
        if not LOW_KEV <= value <= HIGH_KEV:
            raise PutRefused(
                f"Energy goes from {LOW_KEV:g} to {HIGH_KEV:g} keV; {value:g} was asked for; "
                "it was kept"
            )
        await self.energy_moving.write(1, verify_value=False)
        self.source.energy.move(float(value), ENERGY_KEV_PER_S, ENERGY_KEV_PER_S2)
        return value

    async def put_attenuator(self, value: float) -> float:
        """Move filters."""
        if not 0 <= value <= 1:
            raise PutRefused(
                f"Attenuator is a transmission from 0 to 1, not {value:g}; it was kept"
            )
        self.source.attenuate(float(value))
        await self.attenuator_rbv.write(float(value), verify_value=False)
        return value

    async def put_photon_shutter(self, value: Any) -> str:
        """Open or close; it takes its time."""
        wanted = str(value) in ("Open", "1")
        self.source.open_front_end(wanted)
        await self._post(photon_shutter_rbv="Moving")
        return "Open" if wanted else "Close"

    async def start(self) -> None:
        """Fill the channels from the world."""
        is_open = self.source.front_end_open
        await self.photon_shutter.write("Open" if is_open else "Close", verify_value=False)
        energy = self.source.energy
        await self.energy.write_metadata(lower_ctrl_limit=LOW_KEV, upper_ctrl_limit=HIGH_KEV)
        await self.energy.write(energy.at(energy.end_s)[0], verify_value=False)
        for channel in (self.attenuator, self.attenuator_rbv):
            await channel.write(self.source.transmission, verify_value=False)

    async def update(self, now_s: float) -> None:
        """Post what has changed; the monitor is never the same twice, the ring hardly changes."""
        energy = self.source.energy
        await self._post(
            energy_rbv=round(energy.at(now_s)[0], 5), energy_moving=int(now_s < energy.end_s)
        )
        if now_s >= self._monitor_due_s:
            self._monitor_due_s = now_s + _MONITOR_S - _LOOP_S / 2
            await self.monitor.write(self.source.monitor_counts_s(now_s), verify_value=False)
            await self.diode.write(self.source.diode_A(now_s), verify_value=False)
            await self._post_beam(now_s)
        if now_s >= self._ring_due_s:
            self._ring_due_s = now_s + _RING_S
            await self._post(
                ring_current=self.source.ring_current_mA(now_s),
                top_up_in=round(self.source.ring.next_top_up_s(now_s), 1),
            )

    async def _post_beam(self, now_s: float) -> None:
        """What rarely changes, and counts at once when it does."""
        source = self.source
        if self._lost != (source.ring_current_mA(now_s) < _LOST_MA):
            self._lost = not self._lost
            self._ring_due_s = now_s
        x_um, y_um = source.position_um(now_s)
        open_part = source.front_end(now_s)
        state = "Moving" if 0 < open_part < 1 else "Open" if open_part else "Closed"
        await self._post(
            position_x=round(x_um, 2), position_y=round(y_um, 2), photon_shutter_rbv=state
        )

    async def _post(self, **values: float | str) -> None:
        for name, value in values.items():
            channel = getattr(self, name)
            if channel.value != value:
                await channel.write(value, verify_value=False)


class Beam:
    """The source and its channels."""

    def __init__(self, scene: Scene) -> None:
        self._world = scene.world
        self._source = Source(scene.world, scene.settings)
        self._answering = Answering(scene.world, scene.settings)
        self._records = BeamRecords(f"{scene.prefix}Beam:", self._source)

    @property
    def pvdb(self) -> Mapping[str, Any]:
        """All channels."""
        return self._records.pvdb

    async def run(self) -> None:
        """Beat and post at 25 Hz."""
        await self._records.start()
        while True:
            now_s = self._world.now_s()
            self._source.beat(now_s)
            self._answering.beat(now_s)
            await self._records.update(now_s)
            await asyncio.sleep(_LOOP_S)


if __name__ == "__main__":
    raise SystemExit(main(Beam))
