"""The virtual beamline's camera: areaDetector names over CA, frames over PVA and into the ring."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any

import numpy as np

from voltomo.runtime.recorded_scan import RecordedScan
from voltomo.twin.area_detector import AreaDetector
from voltomo.twin.camera_engine import Acquisition, CameraEngine, CameraFrame, CameraState
from voltomo.twin.frame_publisher import QUEUE_SIZE, FramePublisher, PublisherCounts
from voltomo.twin.frame_ring import FrameRing
from voltomo.twin.frame_source import FrameSource, Sight
from voltomo.twin.image_formation import PhantomCamera
from voltomo.twin.image_plugins import GROUPS, ImagePlugins
from voltomo.twin.ioc import Scene, demand_alive
from voltomo.twin.ioc import main as run_ioc
from voltomo.twin.prepared_source import PreparedFrames
from voltomo.twin.replay_source import ReplayFrames
from voltomo.twin.ring_size import FASTEST_PER_S, free_bytes, ring_slots
from voltomo.twin.settings import TwinSettings
from voltomo.twin.stage_errors import StageErrors

_log = logging.getLogger(__name__)

_POLL_S = 0.05


def make_source(settings: TwinSettings) -> FrameSource:
    """The source that the settings ask for.

    Raises
    ------
    ValueError
        A replay without a file.
    RecordingUnreadable
        The file of a replay cannot be played.
    """
    camera = settings.camera
    if camera.source == "replay":
        if camera.replay_file is None:
            raise ValueError("a replay needs a recorded scan; name it as replay_file")
        recorded = RecordedScan.read(camera.replay_file, camera.replay_scale)
        return ReplayFrames(recorded, camera.pixel_um)
    phantom = PhantomCamera(
        camera.model_copy(update={"energy_keV": settings.energy_keV}),
        settings.seed,
        settings.flux_per_cm2_s,
    )
    if camera.prerendered:
        fluence = settings.flux_per_cm2_s * camera.counts_exposure_s
        return PreparedFrames(phantom, camera.columns * camera.pixel_um * 1e-3, fluence)
    phantom.warm_up()
    return phantom


class CameraIoc:
    """Camera, PVA plugin and image plugins: PVs over the engine."""

    def __init__(self, scene: Scene) -> None:
        source = make_source(scene.settings)
        rows, columns = source.shape
        wanted = scene.settings.camera
        slots = ring_slots(2 * rows * columns, wanted.ring_stall_s, wanted.ring_MB, free_bytes())
        _log.info(
            "the frame ring holds %d frames, %.1f s at %g/s", slots, slots / FASTEST_PER_S,
            FASTEST_PER_S,
        )  # fmt: skip
        ring = FrameRing.create(scene.folder.frame_ring, rows, columns, slots)
        self._channel = scene.prefix + "Cam:Pva1:Image"
        first = CameraFrame(np.zeros(source.shape, np.uint16), 0, 0.0)
        self._publisher = FramePublisher(self._channel, first)
        sight = Sight(
            StageErrors(scene.settings.errors, scene.settings.seed),
            rows,
            columns,
            wanted.pixel_um,
            wanted.row_delay_us * 1e-6,
        )
        self._engine = CameraEngine(scene.world, source, ring, self._publish, sight)
        self._shape = source.shape
        self._counted_before = {"cam1": 0, "Pva1": 0}
        self._rate = (time.monotonic(), 0, 0.0)
        self._shown: object = None
        self._updating = asyncio.Lock()
        self.pvs = AreaDetector(scene.prefix + "Cam:", ("cam1:", "Pva1:", *GROUPS))
        self._plugins = ImagePlugins(self.pvs)
        self.pvs.on_put("cam1:Acquire", self._acquire_put, readback_follows=False)
        self.pvs.on_put("cam1:AcquireTime", self._exposure_put)
        self.pvs.on_put("cam1:AcquirePeriod", self._exposure_put)
        self.pvs.on_put("cam1:ArrayCallbacks", self._callbacks_put)
        self.pvs.on_put("cam1:ArrayCounter", self._counter_put, readback_follows=False)
        self.pvs.on_put("Pva1:ArrayCounter", self._posted_put, readback_follows=False)
        self.pvs.on_put("Pva1:EnableCallbacks", self._enable_put)

    def _publish(self, frame: CameraFrame) -> None:
        self._publisher.publish(frame)
        self._plugins.offer(frame)

    @property
    def pvdb(self) -> dict[str, Any]:
        """Channels by their full names."""
        return self.pvs.channels

    async def _acquire_put(self, value: str) -> None:
        """A put with completion returns when the acquisition is over."""
        if value == "Done":
            self._engine.abort()
        elif not self._engine.state.acquiring:
            mode = self.pvs.value("cam1:ImageMode")
            number = {"Single": 1, "Multiple": int(self.pvs.value("cam1:NumImages"))}.get(mode, 0)
            self._engine.acquire(
                Acquisition(
                    exposure_s=self.pvs.value("cam1:AcquireTime"),
                    period_s=self.pvs.value("cam1:AcquirePeriod"),
                    number=number,
                    external=self.pvs.value("cam1:TriggerMode") == "External",
                )
            )
            await self.update()
        while self._engine.state.acquiring:
            await asyncio.sleep(0.005)
        await self.update()

    async def _exposure_put(self, _: float) -> None:
        self._engine.change(
            self.pvs.value("cam1:AcquireTime"), self.pvs.value("cam1:AcquirePeriod")
        )

    async def _callbacks_put(self, value: str) -> None:
        self._engine.callbacks = value == "Enable"

    async def _enable_put(self, value: str) -> None:
        self._publisher.enabled = value == "Enable"

    async def _counter_put(self, value: int) -> None:
        self._counted_before["cam1"] = self._engine.state.frames - int(value)

    async def _posted_put(self, value: int) -> None:
        self._counted_before["Pva1"] = self._publisher.counts.posted - int(value)

    async def _show_fixed(self) -> None:
        rows, columns = self._shape
        sizes = {
            "cam1:ArraySizeX_RBV": columns,
            "cam1:ArraySizeY_RBV": rows,
            "cam1:ArraySize_RBV": rows * columns * 2,
            "cam1:MaxSizeX_RBV": columns,
            "cam1:MaxSizeY_RBV": rows,
            "cam1:SizeX": columns,
            "cam1:SizeX_RBV": columns,
            "cam1:SizeY": rows,
            "cam1:SizeY_RBV": rows,
            "Pva1:ArraySize0_RBV": columns,
            "Pva1:ArraySize1_RBV": rows,
            "Pva1:ArraySizeX_RBV": columns,
            "Pva1:ArraySizeY_RBV": rows,
            "Pva1:ArraySize_RBV": rows * columns * 2,
            "Pva1:NDimensions_RBV": 2,
            "Pva1:PvName_RBV": self._channel,
            "Pva1:QueueSize": QUEUE_SIZE,
            "Pva1:QueueSize_RBV": QUEUE_SIZE,
        }
        await self.pvs.show(sizes)

    def _frames_per_second(self, frames: int) -> float:
        now_s, (then_s, before, rate) = time.monotonic(), self._rate
        if now_s - then_s >= 1.0:
            rate = round((frames - before) / (now_s - then_s), 2)
            self._rate = (now_s, frames, rate)
        return rate

    async def update(self) -> None:
        """Show the engine's state, where anything has changed."""
        # Whoever waits for an acquisition must not go on while its end is still being posted.
        async with self._updating:
            state, counts = self._engine.state, replace(self._publisher.counts)
            now = (state, counts, self._publisher.waiting, self._counted_before.copy())
            # A rate falls to nothing by itself.
            if now == self._shown and self._rate[2] == 0:
                self._rate = (time.monotonic(), state.frames, 0.0)
                return
            await self._post(state, counts)
            self._shown = now

    async def _post(self, state: CameraState, counts: PublisherCounts) -> None:
        acquire = "Acquire" if state.acquiring else "Done"
        rate = self._frames_per_second(state.frames)
        await self.pvs.show(
            {
                "cam1:ArrayCounter_RBV": state.frames - self._counted_before["cam1"],
                "cam1:NumImagesCounter_RBV": state.images,
                "cam1:UniqueId_RBV": _signed(state.unique_id),
                "cam1:TimeStamp_RBV": state.time_s,
                "cam1:ArrayRate_RBV": rate,
                "cam1:DetectorState_RBV": "Acquire" if state.acquiring else "Idle",
                "cam1:Acquire_RBV": acquire,
                "Pva1:ArrayCounter_RBV": counts.posted - self._counted_before["Pva1"],
                "Pva1:DroppedArrays_RBV": counts.dropped,
                "Pva1:QueueFree": QUEUE_SIZE - self._publisher.waiting,
                "Pva1:QueueUse": self._publisher.waiting,
                "Pva1:UniqueId_RBV": _signed(state.unique_id),
                "Pva1:TimeStamp_RBV": state.time_s,
                "Pva1:ArrayRate_RBV": rate,
            }
        )
        if self.pvs.value("cam1:Acquire") != acquire:
            await self.pvs.show({"cam1:Acquire": acquire})

    async def run(self) -> None:
        """Keep the PVs at what the engine does."""
        self._engine.start()
        self._plugins.start()
        try:
            await self._show_fixed()
            while True:
                demand_alive(camera=self._engine, publisher=self._publisher, plugins=self._plugins)
                await self.update()
                await self._plugins.show()
                await asyncio.sleep(_POLL_S)
        finally:
            self._engine.end()
            self._plugins.end()
            self._publisher.end()


def _signed(unique_id: int) -> int:
    """As the 32 bit number that a PV holds."""
    return (unique_id + (1 << 31)) % (1 << 32) - (1 << 31)


if __name__ == "__main__":
    raise SystemExit(run_ioc(CameraIoc))
