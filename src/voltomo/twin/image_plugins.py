"""The camera's image plugins: region, transformation, processing, statistics, chained by ports.

They take the newest frame when they are through with the last one, at most `MOST_PER_S` a second:
pictures for the eye. Files and the stream of frames do not go through them.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np

from voltomo.twin import image_operations as operations
from voltomo.twin.area_detector import AreaDetector
from voltomo.twin.camera_engine import CameraFrame
from voltomo.twin.image_operations import Image, Processing

GROUPS: tuple[str, ...] = ("ROI1:", "Trans1:", "Proc1:", "Stats1:")
MOST_PER_S = 10.0
_CAMERA = "CAM"
_ARRAYS = 1024


class ImagePlugins:
    """A thread that computes; `show` posts from the server's loop.

    Parameters
    ----------
    pvs : AreaDetector
        Serves `GROUPS` and ``cam1:``.
    """

    def __init__(self, pvs: AreaDetector) -> None:
        self._pvs = pvs
        self._memory = Processing()
        self._lock = threading.Lock()
        self._newest: CameraFrame | None = None
        self._results: dict[str, Any] = {}
        self._counts = dict.fromkeys(GROUPS, 0)
        self._dropped = 0
        self._wake = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="image plugins", daemon=True)
        pvs.on_put("Proc1:SaveBackground", self._save_put("background"), readback_follows=False)
        pvs.on_put("Proc1:SaveFlatField", self._save_put("flat"), readback_follows=False)
        pvs.on_put("Proc1:ResetFilter", self._reset_put, readback_follows=False)
        for group in GROUPS:
            pvs.on_put(f"{group}ArrayCounter", self._counter_put(group), readback_follows=False)

    def start(self) -> None:
        """Begin to look at frames."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Stop the thread."""
        self._ending = True
        self._wake.set()
        self._thread.join(timeout=1.5)

    def offer(self, frame: CameraFrame) -> None:
        """A new frame; one that was not taken yet is dropped."""
        if any(self._enabled(group) for group in GROUPS):
            with self._lock:
                self._dropped += self._newest is not None
                self._newest = frame
            self._wake.set()

    async def show(self) -> None:
        """Post what was computed since the last time."""
        with self._lock:
            results, self._results = self._results, {}
        for name, value in results.items():
            channel = self._pvs[name]
            await channel.write(_plain(value), verify_value=False)

    def _enabled(self, group: str) -> bool:
        return self._pvs.value(f"{group}EnableCallbacks") == "Enable"

    def _save_put(self, what: str) -> Any:
        async def save(value: str) -> None:
            if value == "Yes":
                last = self._memory.last
                setattr(self._memory, what, last.copy() if last.size else None)
                valid = "Valid" if last.size else "Invalid"
                name = {"background": "Background", "flat": "FlatField"}[what]
                await self._pvs.show({f"Proc1:Valid{name}_RBV": valid, f"Proc1:Save{name}": "No"})

        return save

    async def _reset_put(self, value: str) -> None:
        if value == "Yes":
            self._memory.filtered = 0
            await self._pvs.show({"Proc1:ResetFilter": "No"})

    def _counter_put(self, group: str) -> Any:
        async def count(value: int) -> None:
            self._counts[group] = int(value)
            await self._pvs.show({f"{group}ArrayCounter_RBV": int(value)})

        return count

    def _run(self) -> None:
        while not self._ending:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                frame, self._newest = self._newest, None
            if frame is not None:
                began_s = time.monotonic()
                self._take(frame)
                time.sleep(max(0.0, began_s + 1 / MOST_PER_S - time.monotonic()))

    def _take(self, frame: CameraFrame) -> None:
        """Send a frame along all plugins, each behind the port that it names."""
        images: dict[str, Image] = {_CAMERA: frame.image}
        found: dict[str, Any] = {}
        waiting = [group for group in GROUPS if self._enabled(group)]
        while waiting:
            ready = [g for g in waiting if self._pvs.value(f"{g}NDArrayPort") in images]
            if not ready:
                # A port that nobody has, or one that is not enabled: nothing arrives.
                break
            for group in ready:
                source = images[self._pvs.value(f"{group}NDArrayPort")]
                began_s = time.monotonic()
                out, own = self._compute(group, source)
                images[str(self._pvs.value(f"{group}PortName_RBV"))] = out
                self._counts[group] += 1
                own |= self._described(group, out, frame, time.monotonic() - began_s)
                found |= {group + name: value for name, value in own.items()}
            waiting = [group for group in waiting if group not in ready]
        with self._lock:
            self._results |= found

    def _compute(self, group: str, image: Image) -> tuple[Image, dict[str, Any]]:
        own = _Values(self._pvs, group)
        if group == "ROI1:":
            return operations.region(image, own)
        if group == "Trans1:":
            return operations.transformed(image, own), {}
        if group == "Proc1:":
            out = operations.processed(image, own, self._memory)
            self._memory.last = image.astype(np.float64)
            return out, {"NumFiltered_RBV": self._memory.filtered}
        results = operations.statistics(image, own)
        return image, {f"{name}_RBV": value for name, value in results.items()}

    def _described(
        self, group: str, image: Image, frame: CameraFrame, seconds: float
    ) -> dict[str, Any]:
        rows, columns = image.shape
        return {
            "ArrayCounter_RBV": self._counts[group],
            "ArraySize0_RBV": columns,
            "ArraySize1_RBV": rows,
            "ArraySizeX_RBV": columns,
            "ArraySizeY_RBV": rows,
            "ArraySize_RBV": int(image.nbytes),
            "DataType_RBV": str(image.dtype).title().replace("Uint", "UInt"),
            "DroppedArrays_RBV": self._dropped,
            "ExecutionTime_RBV": seconds * 1e3,
            "NDimensions_RBV": 2,
            "TimeStamp_RBV": frame.time_s,
            "UniqueId_RBV": (frame.unique_id + (1 << 31)) % (1 << 32) - (1 << 31),
        }


class _Values(dict[str, Any]):
    """Settings of a plugin, read when they are asked for."""

    def __init__(self, pvs: AreaDetector, group: str) -> None:
        super().__init__()
        self._pvs, self._group = pvs, group

    def __missing__(self, name: str) -> Any:
        return self._pvs.value(self._group + name)


def _plain(value: Any) -> Any:
    return value[:_ARRAYS].tolist() if isinstance(value, np.ndarray) else value
