"""The camera's turret of lenses: a choice that takes its time, and the pixel size behind it."""

from __future__ import annotations

from typing import Any

from caproto.server import PVGroup, PvpropertyEnum, PvpropertyString, pvproperty

from voltomo.twin.camera_settings import CameraSettings, LensSettings
from voltomo.twin.ioc import on_put
from voltomo.twin.stage_axis import take_over
from voltomo.twin.world import Segment, World

TURN_S = 1.0
"""Time in which the turret turns; the old lens acts until its end."""


class LensChanger(PVGroup):
    """Channels under ``…Detector:``; owner of the channel ``pixel``."""

    lens = pvproperty(name="Lens", value=0, dtype=PvpropertyEnum, enum_strings=["as declared"])
    lens_rbv = pvproperty(
        name="Lens_RBV", value="", dtype=PvpropertyString, read_only=True, doc="empty: it turns"
    )
    moving = pvproperty(name="Lens_Moving", value=0, read_only=True)
    pixel = pvproperty(name="PixelSize_RBV", value=0.0, units="um", precision=4, read_only=True)

    def __init__(self, prefix: str, world: World, settings: CameraSettings) -> None:
        super().__init__(prefix=prefix)
        self._world = world
        self._channel = world.channel("pixel")
        declared = LensSettings(name="as declared", pixel_um=settings.pixel_um)
        self._lenses = settings.lenses or (declared,)
        on_put(self.lens, self.put_lens)
        now_s = world.now_s()
        here = take_over(self._channel, now_s, settings.pixel_um)
        self._place = self._nearest(here)
        self._stands_s = now_s

    def _nearest(self, pixel_um: float) -> int:
        away = [abs(lens.pixel_um - pixel_um) for lens in self._lenses]
        return away.index(min(away))

    async def put_lens(self, value: Any) -> Any:
        """Turn another lens in."""
        names = [lens.name for lens in self._lenses]
        self._place = names.index(value) if value in names else int(value)
        now_s = self._world.now_s()
        self._stands_s = now_s + TURN_S
        pixel_um = self._lenses[self._place].pixel_um
        self._channel.put([Segment(self._stands_s, self._stands_s, pixel_um)])
        await self._show(moving=True)
        return value

    async def start(self) -> None:
        """Fill the channels."""
        names = [lens.name for lens in self._lenses]
        await self.lens.write_metadata(enum_strings=names)
        await self.lens.write(names[self._place], verify_value=False)
        await self._show(moving=False)

    async def beat(self, now_s: float) -> None:
        """Keep the channel alive; say when a lens stands."""
        self._channel.beat()
        if self.moving.value and now_s >= self._stands_s:
            await self._show(moving=False)

    async def _show(self, *, moving: bool) -> None:
        lens = self._lenses[self._place]
        await self.moving.write(int(moving), verify_value=False)
        await self.lens_rbv.write("" if moving else lens.name, verify_value=False)
        if not moving:
            await self.pixel.write(lens.pixel_um, verify_value=False)
