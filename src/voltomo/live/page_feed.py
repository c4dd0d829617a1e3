"""What the page shows, gathered from the PVs: read-only, latest value wins."""

from __future__ import annotations

import asyncio
import json
import math
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.live.run_follower import RunFollower, RunStarted, RunStopped
from voltomo.model.pv_names import PvNames

ShownSlice = tuple[NDArray[np.float32], int, int]

_HEADER = struct.Struct("<HHiffI")

OWN_NUMBERS = {
    "dose_Gy": "Guard:Dose",
    "dose_rate_Gy_s": "Guard:DoseRate",
    "dose_left_Gy": "Guard:BudgetDose",
    "seconds_left": "Guard:BudgetSeconds",
    "frames_in": "Live:FramesIn",
    "frames_processed": "Live:FramesProcessed",
    "lost_frames": "Live:LostFrames",
    "latency_p50_ms": "Live:LatencyP50",
    "latency_p99_ms": "Live:LatencyP99",
    "transmission": "Live:Transmission",
    "snr": "Live:SNR",
}
OWN_WORDS = {
    "guard": "Guard:State",
    "guard_reason": "Guard:Reason",
    "live": "Live:State",
    "verdicts": "Live:Verdicts",
    "sample": "Guard:Sample",
}


def numbers_shown(prefix: str, pvs: PvNames) -> dict[str, str]:
    """PVs of the numbers on the page: voltomo's own under ``prefix``, and the beamline's."""
    beamline = {
        "triggers_latched": f"{pvs.trigger}Count_RBV",
        "ring_current_mA": pvs.ring_current,
        "angle_deg": f"{pvs.rotation}.RBV",
    }
    own = {name: prefix + pv for name, pv in OWN_NUMBERS.items()}
    return own | {name: pv for name, pv in beamline.items() if pv is not None}


def words_shown(prefix: str, pvs: PvNames) -> dict[str, str]:
    """PVs of the words on the page."""
    own = {name: prefix + pv for name, pv in OWN_WORDS.items()}
    return own | {"shutter": f"{pvs.shutter}State_RBV"}


def encode_slice(image: NDArray[np.float32], trigger: int, frames: int) -> bytes:
    """One binary message: header (width, height, trigger, low, high, frames) and 8-bit pixels.

    Grey values run from the 0.5th to the 99.5th percentile of some of the pixels, ``low`` and
    ``high``.
    """
    some = image[:: max(1, image.shape[0] // 256), :: max(1, image.shape[1] // 256)]
    low, high = (float(v) for v in np.percentile(some, (0.5, 99.5)))
    span = high - low if high > low else 1.0
    grey = np.clip((image - low) * (255.0 / span), 0, 255).astype(np.uint8)
    height, width = image.shape
    return _HEADER.pack(width, height, trigger, low, high, frames) + grey.tobytes()


@dataclass
class Feed:
    """The state that viewers share; ``changed`` wakes them."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    slice_number: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _slice: ShownSlice | None = None
    _picture: bytes = b""
    _pictured: int = 0

    def message(self) -> str:
        """All values as JSON."""
        return json.dumps(self.values | {"utc_s": time.time()}, allow_nan=False)

    def picture(self) -> bytes:
        """The latest slice, encoded once for all viewers and only if somebody looks."""
        if self._slice is not None and self._pictured != self.slice_number:
            self._pictured = self.slice_number
            self._picture = encode_slice(*self._slice)
        return self._picture

    async def set(self, name: str, value: Any) -> None:
        """Take a value."""
        self.values[name] = value
        async with self.changed:
            self.changed.notify_all()

    async def show(self, image: NDArray[np.float32], trigger: int, frames: int) -> None:
        """Take a slice."""
        self._slice = (image, trigger, frames)
        self.slice_number += 1
        async with self.changed:
            self.changed.notify_all()


async def gather_values(feed: Feed, prefix: str, pvs: PvNames) -> None:
    """Monitor all PVs; one that is absent stays absent, and comes when it comes."""
    import aioca

    def numbers(name: str) -> Any:
        async def take(value: Any) -> None:
            # JSON knows no infinity, such as the seconds that are left without dose.
            known = getattr(value, "ok", True) and math.isfinite(value)
            await feed.set(name, float(value) if known else None)

        return take

    def words(name: str) -> Any:
        async def take(value: Any) -> None:
            await feed.set(name, str(value) if getattr(value, "ok", True) else None)

        return take

    for name, pv in numbers_shown(prefix, pvs).items():
        aioca.camonitor(pv, numbers(name), notify_disconnect=True)
    for name, pv in words_shown(prefix, pvs).items():
        kind = aioca.DBR_CHAR_STR if name in ("guard_reason", "verdicts") else aioca.DBR_STRING
        aioca.camonitor(pv, words(name), datatype=kind, notify_disconnect=True)


async def gather_slices(feed: Feed, prefix: str) -> Any:
    """Monitor the live slice."""
    from p4p.client.asyncio import Context

    context = Context("pva", nt=False)

    async def take(value: Any) -> None:
        sizes = [int(dimension["size"]) for dimension in value["dimension"]]
        frames = next((a["value"] for a in value["attribute"] if a["name"] == "frames"), None)
        if frames is None:
            # A worker that has just started has no slice yet; the last one stays on the page.
            return
        image = np.asarray(value["value"], np.float32).reshape(sizes[::-1])
        await feed.show(image, int(value["uniqueId"]), int(frames))

    return context, context.monitor(f"{prefix}Live:Slice", take)


async def gather_runs(feed: Feed, run_log: Path) -> None:
    """Follow the run log for what is scanned and how far it should go."""
    follower = RunFollower(run_log)
    while True:
        for event in await asyncio.to_thread(follower.poll):
            if isinstance(event, RunStarted):
                await feed.set("scan_uid", event.uid)
                await feed.set("triggers", event.spec.triggers)
                await feed.set("exit_status", None)
                await feed.set("seconds", sum(block.seconds for block in event.spec.blocks()))
            elif isinstance(event, RunStopped):
                await feed.set("exit_status", event.exit_status)
        await asyncio.sleep(0.2)
