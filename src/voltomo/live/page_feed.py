"""What the page shows, gathered from the PVs: read-only, latest value wins."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import struct
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.live.image_server import CHANNELS
from voltomo.live.positions import PLANES
from voltomo.live.run_follower import RunFollower, RunStarted, RunStopped
from voltomo.model.pv_names import PvNames
from voltomo.model.verdict_words import METRIC_NAMES, NOT_JUDGED, UNIT_SIGNS

_HEADER = struct.Struct("<HHiffIiI")

OWN_NUMBERS = {
    "dose_Gy": "Guard:Dose",
    "dose_rate_Gy_s": "Guard:DoseRate",
    "dose_left_Gy": "Guard:BudgetDose",
    "seconds_left": "Guard:BudgetSeconds",
    "frames_in": "Live:FramesIn",
    "frames_processed": "Live:FramesProcessed",
    "lost_frames": "Live:LostFrames",
    "views_waiting": "Live:ViewsWaiting",
    "views_dropped": "Live:ViewsDropped",
    "redraw_ms": "Live:RedrawTime",
    "latency_p50_ms": "Live:LatencyP50",
    "latency_p99_ms": "Live:LatencyP99",
    "transmission": "Live:Transmission",
    "snr": "Live:SNR",
}
OWN_WORDS = {
    "guard": "Guard:State",
    "guard_reason": "Guard:Reason",
    "live": "Live:State",
    "live_reason": "Live:Reason",
    "verdicts": "Live:Verdicts",
    "sample": "Guard:Sample",
}

LONG_WORDS = ("guard_reason", "live_reason", "verdicts")


@dataclass(frozen=True)
class ShownSlice:
    """A slice as the worker published it: attenuation per pixel, and what it rests on."""

    image: NDArray[np.float32]
    last_trigger: int
    frames: int
    row: int
    scan_uid: str = ""
    plane: str = "xy"
    position: str = ""


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


def encode_slice(shown: ShownSlice) -> bytes:
    """One binary message: header and 8-bit pixels.

    The header is width, height, trigger, low, high, frames, row, and number of the plane in
    `PLANES`. Grey values run from the 0.5th to the 99.5th percentile of some of the pixels,
    ``low`` and ``high``.
    """
    image = shown.image
    some = image[:: max(1, image.shape[0] // 256), :: max(1, image.shape[1] // 256)]
    low, high = (float(v) for v in np.percentile(some, (0.5, 99.5)))
    span = high - low if high > low else 1.0
    grey = np.clip((image - low) * (255.0 / span), 0, 255).astype(np.uint8)
    height, width = image.shape
    plane = PLANES.index(shown.plane)
    header = _HEADER.pack(
        width, height, shown.last_trigger, low, high, shown.frames, shown.row, plane
    )
    return header + grey.tobytes()


@dataclass
class Feed:
    """The state that viewers share; ``changed`` wakes them."""

    values: dict[str, Any] = field(default_factory=dict[str, Any])
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _shown: dict[str, ShownSlice] = field(default_factory=dict[str, ShownSlice])
    _number: dict[str, int] = field(default_factory=dict[str, int])
    _pictures: dict[str, tuple[int, bytes]] = field(default_factory=dict[str, tuple[int, bytes]])

    def message(self) -> str:
        """All values as JSON, with the words for them."""
        words = {"metric_names": METRIC_NAMES, "unit_signs": UNIT_SIGNS, "not_judged": NOT_JUDGED}
        return json.dumps(self.values | words | {"utc_s": time.time()}, allow_nan=False)

    def number(self, plane: str = "xy") -> int:
        """How many images of a plane there have been."""
        return self._number.get(plane, 0)

    def picture(self, plane: str = "xy") -> bytes:
        """The scan's latest image of a plane, encoded once for all and only if somebody looks.

        Empty before there is one; an image of another scan is not shown under this one's name.
        """
        shown = self._shown.get(plane)
        if shown is None or shown.scan_uid != self.values.get("scan_uid"):
            return b""
        number, picture = self._pictures.get(plane, (-1, b""))
        if number != self.number(plane):
            picture = encode_slice(shown)
            self._pictures[plane] = (self.number(plane), picture)
        return picture

    async def set(self, name: str, value: Any) -> None:
        """Take a value."""
        await self.take({name: value})

    async def take(self, values: dict[str, Any]) -> None:
        """Take values that belong together."""
        self.values |= values
        async with self.changed:
            self.changed.notify_all()

    async def show(self, shown: ShownSlice) -> None:
        """Take an image of a plane."""
        self._shown[shown.plane] = shown
        self._number[shown.plane] = self.number(shown.plane) + 1
        self.values["positions"] = self.values.get("positions", {}) | {shown.plane: shown.position}
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
        kind = aioca.DBR_CHAR_STR if name in LONG_WORDS else aioca.DBR_STRING
        aioca.camonitor(pv, words(name), datatype=kind, notify_disconnect=True)


class Slices:
    """The live planes, fetched only while somebody looks: large ones cost their copying.

    Parameters
    ----------
    feed : Feed
        Gets every image.
    prefix : str
        First part of the names of their PVs.
    """

    def __init__(self, feed: Feed, prefix: str) -> None:
        from p4p.client.asyncio import Context

        self._feed = feed
        self._channels = {plane: prefix + name for plane, name in CHANNELS.items()}
        self._context = Context("pva", nt=False)
        self._monitors: list[Any] = []
        self._viewers = 0

    @contextlib.asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Fetch images for one more viewer."""
        self._viewers += 1
        if not self._monitors:
            self._monitors = [
                self._context.monitor(channel, partial(self._take, plane))
                for plane, channel in self._channels.items()
            ]
        try:
            yield
        finally:
            self._viewers -= 1
            if self._viewers == 0:
                self._end()

    def _end(self) -> None:
        for monitor in self._monitors:
            monitor.close()
        self._monitors = []

    def close(self) -> None:
        """Fetch no more."""
        self._end()
        self._context.close()

    async def _take(self, plane: str, value: Any) -> None:
        sizes = [int(dimension["size"]) for dimension in value["dimension"]]
        words = {attribute["name"]: attribute["value"] for attribute in value["attribute"]}
        if not words.get("frames"):
            # Nothing to look at yet; the last image stays on the page.
            return
        image = np.asarray(value["value"], np.float32).reshape(sizes[::-1])
        await self._feed.show(
            ShownSlice(
                image,
                int(value["uniqueId"]),
                int(words["frames"]),
                int(words["row"]),
                str(words["scan_uid"]),
                plane,
                str(words.get("position", "")),
            )
        )


async def gather_runs(feed: Feed, run_log: Path) -> None:
    """Follow the run log for what is scanned, how far it should go, and how it ended."""
    follower = RunFollower(run_log)
    while True:
        events = await asyncio.to_thread(follower.poll)
        for event in events:
            if isinstance(event, RunStarted):
                await feed.take(run_values(event))
            elif isinstance(event, RunStopped):
                await feed.take({"exit_status": event.exit_status, "exit_reason": event.reason})
        if events:
            await feed.set("heard_utc_s", time.time())
        await asyncio.sleep(0.2)


def run_values(started: RunStarted) -> dict[str, Any]:
    """What the page shows of a run that began; a pixel size that nobody recorded is left out."""
    geometry = started.spec.geometry
    return {
        "scan_uid": started.uid,
        "scanned": started.spec.sample,
        "source": started.source,
        "software_guard_only": started.software_guard_only,
        "started_utc_s": started.utc_s,
        "triggers": started.spec.triggers,
        "views": geometry.projections,
        "pixel_um": None if "pixel size" in started.assumed else geometry.pixel_um,
        "seconds": sum(block.seconds for block in started.spec.blocks()),
        "exit_status": None,
        "exit_reason": "",
    }
