"""The virtual beamline's file writer: areaDetector's HDF5 plugin, in a process of its own."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

from voltomo.twin.area_detector import AreaDetector
from voltomo.twin.ioc import Scene, demand_alive
from voltomo.twin.ioc import main as run_ioc
from voltomo.twin.writer_engine import WriterEngine, WriterState

_log = logging.getLogger(__name__)

_POLL_S = 0.04
_WAIT_S = 0.005


class BadPath(Exception):
    """The file's folder, name or template is missing or wrong."""


def file_name(template: str, folder: str, name: str, number: int) -> Path:
    """Path that a template in C's manner makes of folder, name and number.

    Raises
    ------
    BadPath
        A part is empty, or the template does not fit the parts.
    """
    if not template or not folder or not name:
        raise BadPath(
            f"a capture needs folder, name and template; seen: folder {folder!r}, name {name!r}, "
            f"template {template!r}; nothing was captured; write FilePath, FileName, FileTemplate"
        )
    # As in C, the template may use fewer than all three parts, and %.3d has zeros in front.
    parts = (folder, name, number)[: len(re.findall(r"%[^%]*?[sd]", template))]
    try:
        return Path(template % parts)
    except (TypeError, ValueError) as error:
        raise BadPath(
            f"the file template {template!r} does not take folder, name, number ({error}); "
            "nothing was captured; '%s%s_%6.6d.h5' is the usual one"
        ) from error


class WriterIoc:
    """The plugin's PVs over the writer's engine."""

    def __init__(self, scene: Scene) -> None:
        self._engine = WriterEngine(scene.world, scene.folder.frame_ring)
        self.pvs = AreaDetector(scene.prefix + "Cam:", ("HDF1:",))
        self._folder = str(scene.folder.frames)
        self._lost_before = 0
        self._counted_before = 0
        self._shown: object = None
        self._updating = asyncio.Lock()
        self.pvs.on_put("HDF1:FilePath", self._path_put, readback_follows=False)
        self.pvs.on_put("HDF1:Capture", self._capture_put, readback_follows=False)
        self.pvs.on_put("HDF1:DroppedArrays", self._dropped_put, readback_follows=False)
        self.pvs.on_put("HDF1:ArrayCounter", self._counter_put, readback_follows=False)
        self.pvs.on_put("HDF1:EnableCallbacks", self._enable_put)

    @property
    def pvdb(self) -> dict[str, Any]:
        """Channels by their full names."""
        return self.pvs.channels

    async def _show(self, **values: Any) -> None:
        await self.pvs.show({f"HDF1:{name}": value for name, value in values.items()})

    async def _enable_put(self, value: str) -> None:
        self._engine.enabled = value == "Enable"

    async def _dropped_put(self, value: int) -> None:
        self._lost_before = self._engine.state.lost - int(value)

    async def _counter_put(self, value: int) -> None:
        self._counted_before = self._engine.state.seen - int(value)

    async def _path_put(self, value: str) -> None:
        path = value.rstrip("/") + "/" if value else ""
        if path and self.pvs.value("HDF1:CreateDirectory") != 0:
            try:
                Path(path).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                await self._show(WriteMessage=f"{path} cannot be made: {error}")
        exists = "Yes" if path and Path(path).is_dir() else "No"
        await self._show(FilePath_RBV=path, FilePath=path, FilePathExists_RBV=exists)

    async def _capture_put(self, value: str) -> None:
        if value == "Done":
            self._engine.close()
        elif not self._engine.state.capturing:
            await self._open()
        while self._engine.state.capturing:
            await asyncio.sleep(_WAIT_S)
        await self.update()

    async def _open(self) -> None:
        number = int(self.pvs.value("HDF1:FileNumber"))
        limit = int(self.pvs.value("HDF1:NumCapture"))
        if self.pvs.value("HDF1:FileWriteMode") == "Single":
            limit = 1
        try:
            path = file_name(
                self.pvs.value("HDF1:FileTemplate"),
                self.pvs.value("HDF1:FilePath_RBV"),
                self.pvs.value("HDF1:FileName"),
                number,
            )
            if not path.parent.is_dir():
                raise BadPath(f"the folder {path.parent} does not exist; nothing was captured")
            self._engine.open(path, max(limit, 0))
        except (BadPath, OSError, RuntimeError, ValueError) as error:
            _log.error("%s", error)
            await self._show(WriteStatus="Write error", WriteMessage=str(error)[:1000])
            await self.pvs["HDF1:Capture"].write("Done", verify_value=False)
            return
        _log.info("capture to %s", path)
        await self._show(
            FullFileName_RBV=str(path),
            WriteStatus="Write OK",
            WriteMessage="",
            NumCaptured_RBV=0,
            NumCapture_RBV=limit,
        )
        if self.pvs.value("HDF1:AutoIncrement") == "Yes":
            await self._show(FileNumber=number + 1, FileNumber_RBV=number + 1)
        await self.update()

    async def update(self) -> None:
        """Show the engine's state, where anything has changed."""
        # Whoever waits for a capture must not go on while its end is still being posted.
        async with self._updating:
            state = self._engine.state
            now = (state, self._lost_before, self._counted_before)
            if now != self._shown:
                await self._post(state)
                self._shown = now

    async def _post(self, state: WriterState) -> None:
        await self._show(
            NumCaptured_RBV=state.captured,
            ArrayCounter_RBV=state.seen - self._counted_before,
            DroppedArrays_RBV=state.lost - self._lost_before,
            QueueSize=state.slots,
            QueueSize_RBV=state.slots,
            QueueFree=state.slots - state.waiting,
            QueueUse=state.waiting,
            UniqueId_RBV=state.unique_id,
            TimeStamp_RBV=state.time_s,
            ArraySize0_RBV=state.shape[1],
            ArraySize1_RBV=state.shape[0],
            ArraySizeX_RBV=state.shape[1],
            ArraySizeY_RBV=state.shape[0],
            ArraySize_RBV=state.shape[0] * state.shape[1] * 2,
            NDimensions_RBV=2,
            SWMRActive_RBV="Active" if state.capturing else "Off",
        )
        if state.error:
            await self._show(WriteStatus="Write error", WriteMessage=state.error[:1000])
        capture = "Capture" if state.capturing else "Done"
        if self.pvs.value("HDF1:Capture_RBV") != capture:
            await self._show(Capture_RBV=capture, Capture=capture)

    async def run(self) -> None:
        """Keep the PVs at what the engine does."""
        self._engine.start()
        try:
            await self._path_put(self._folder)
            while self._engine.state.slots == 0:
                demand_alive(writer=self._engine)
                await asyncio.sleep(_POLL_S)
            # What was lost while this process was dead is no loss of its own.
            self._lost_before = self._engine.state.lost
            while True:
                demand_alive(writer=self._engine)
                await self.update()
                await asyncio.sleep(_POLL_S)
        finally:
            self._engine.end()


if __name__ == "__main__":
    raise SystemExit(run_ioc(WriterIoc))
