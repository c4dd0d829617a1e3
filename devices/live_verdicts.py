"""The live worker as a plan sees it: verdicts and progress, by Channel Access."""

from __future__ import annotations

import json
from typing import Any

from ophyd import Component, Device, EpicsSignal, EpicsSignalRO
from pydantic import ValidationError

from voltomo.model.verdict import Verdict


class LiveVerdicts(Device):
    """Verdicts, progress and the slice's height.

    A scan never depends on it: where the worker is away, there are no verdicts, and no verdict
    is unknown, not good.
    """

    command = Component(EpicsSignal, "Command", string=True, kind="omitted", lazy=True)
    verdicts_json = Component(EpicsSignalRO, "Verdicts", string=True, kind="omitted")
    scan_uid = Component(EpicsSignalRO, "ScanUid", string=True, kind="omitted")
    state = Component(EpicsSignalRO, "State", string=True, kind="normal")
    height_row = Component(EpicsSignal, "Height", kind="config")
    lost_frames = Component(EpicsSignalRO, "LostFrames", kind="normal")
    mean_transmission = Component(EpicsSignalRO, "Transmission", kind="normal")
    snr = Component(EpicsSignalRO, "SNR", kind="hinted")
    frames_in = Component(EpicsSignalRO, "FramesIn", kind="normal")
    frames_processed = Component(EpicsSignalRO, "FramesProcessed", kind="normal")
    frames_streamed = Component(EpicsSignalRO, "FramesStreamed", kind="normal")
    latency_p50_ms = Component(EpicsSignalRO, "LatencyP50", kind="normal")
    latency_p99_ms = Component(EpicsSignalRO, "LatencyP99", kind="normal")

    def tell(self, text: str) -> None:
        """Give the worker an order without waiting; an absent worker hears nothing."""
        if self.command.connected:
            self.command.put(text, wait=False)

    def verdicts(self, scan_uid: str) -> dict[str, Verdict]:
        """Latest verdict of each metric on this scan; those on other scans are ignored."""
        if not self.verdicts_json.connected:
            return {}
        return parse_verdicts(str(self.verdicts_json.get()), scan_uid)

    def progress(self) -> dict[str, Any]:
        """Numbers of the live path, as a report keeps them."""
        names = ("frames_in", "frames_processed", "latency_p50_ms", "latency_p99_ms")
        return {name: getattr(self, name).get() for name in names}


def parse_verdicts(text: str, scan_uid: str) -> dict[str, Verdict]:
    """Verdicts on one scan out of the worker's JSON; nonsense gives none."""
    try:
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("scan_uid") != scan_uid:
            return {}
        made = [Verdict.model_validate(item) for item in data.get("verdicts", [])]
    except (ValueError, ValidationError):
        return {}
    return {verdict.metric: verdict for verdict in made if verdict.scan_uid == scan_uid}
