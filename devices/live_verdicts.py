"""The live worker as a plan sees it: verdicts and progress, by Channel Access."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import Any

from ophyd import Component, Device, EpicsSignal, EpicsSignalRO
from pydantic import ValidationError

from voltomo.model.verdict import Verdict

log = logging.getLogger(__name__)

_FIGURES = (
    "frames_in", "frames_processed", "frames_streamed", "views_waiting", "views_dropped",
    "latency_p50_ms", "latency_p99_ms",
)  # fmt: skip


class LiveVerdicts(Device):
    """Verdicts, progress and the slice's height.

    A scan never depends on it: where the worker is away, there are no verdicts, and no verdict
    is unknown, not good. Whatever the methods tell was heard before; none waits for the worker.
    """

    command = Component(EpicsSignal, "Command", string=True, kind="omitted")
    verdicts_json = Component(
        EpicsSignalRO, "Verdicts", string=True, kind="omitted", auto_monitor=True
    )
    scan_uid = Component(EpicsSignalRO, "ScanUid", string=True, kind="omitted", auto_monitor=True)
    state = Component(EpicsSignalRO, "State", string=True, kind="normal", auto_monitor=True)
    reason = Component(EpicsSignalRO, "Reason", string=True, kind="omitted", auto_monitor=True)
    height_row = Component(EpicsSignal, "Height", kind="config", auto_monitor=True)
    lost_frames = Component(EpicsSignalRO, "LostFrames", kind="normal", auto_monitor=True)
    mean_transmission = Component(EpicsSignalRO, "Transmission", kind="normal", auto_monitor=True)
    snr = Component(EpicsSignalRO, "SNR", kind="hinted", auto_monitor=True)
    frames_in = Component(EpicsSignalRO, "FramesIn", kind="normal", auto_monitor=True)
    frames_processed = Component(EpicsSignalRO, "FramesProcessed", kind="normal", auto_monitor=True)
    frames_streamed = Component(EpicsSignalRO, "FramesStreamed", kind="normal", auto_monitor=True)
    views_waiting = Component(EpicsSignalRO, "ViewsWaiting", kind="normal", auto_monitor=True)
    views_dropped = Component(EpicsSignalRO, "ViewsDropped", kind="normal", auto_monitor=True)
    latency_p50_ms = Component(EpicsSignalRO, "LatencyP50", kind="normal", auto_monitor=True)
    latency_p99_ms = Component(EpicsSignalRO, "LatencyP99", kind="normal", auto_monitor=True)

    def __init__(self, prefix: str = "", *, name: str, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self._heard: dict[str, Any] = {}
        for signal in ("verdicts_json", *_FIGURES):
            getattr(self, signal).subscribe(self._hearing(signal), run=False)

    def _hearing(self, name: str) -> Callable[..., None]:
        def heard(value: Any, **_: Any) -> None:
            self._heard[name] = value

        return heard

    def tell(self, text: str) -> None:
        """Give the worker an order without waiting; an absent worker hears nothing."""
        if not self.command.connected:
            return
        try:
            self.command.put(text, wait=False)
        except (TimeoutError, ConnectionError) as error:
            # It went away just now; it finds the scan in the run log when it comes back.
            log.warning("the live worker was not told: %s", error)

    def _said(self, scan_uid: str) -> dict[str, Any]:
        """What the worker said last, if it was of this scan and the worker is there."""
        text = self._heard.get("verdicts_json")
        return parse_said(str(text), scan_uid) if text and self.verdicts_json.connected else {}

    def verdicts(self, scan_uid: str) -> dict[str, Verdict]:
        """Latest verdict of each metric on this scan; those on other scans are ignored."""
        return verdicts_in(self._said(scan_uid), scan_uid)

    def state_of(self, scan_uid: str) -> str:
        """The worker's state, empty where it does not speak of this scan."""
        return str(self._said(scan_uid).get("state", ""))

    def measuring(self, scan_uid: str) -> bool:
        """Whether verdicts on what the slice is now are still to come."""
        return bool(self._said(scan_uid).get("measuring", False))

    def no_slice(self, scan_uid: str) -> str:
        """Why this scan has no live slice and no verdicts; empty while they may come."""
        said = self._said(scan_uid)
        return str(said.get("reason", "")) if said.get("state") == "No slice" else ""

    def progress(self) -> dict[str, float | None]:
        """Numbers of the live path, as a report keeps them; None where none was heard."""
        heard = {name: self._heard.get(name) for name in _FIGURES}
        return {
            name: None if value is None or not math.isfinite(value) else float(value)
            for name, value in heard.items()
        }


def parse_said(text: str, scan_uid: str) -> dict[str, Any]:
    """The worker's JSON, if it is of this scan; nonsense says nothing."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) and said.get("scan_uid") == scan_uid else {}


def verdicts_in(said: dict[str, Any], scan_uid: str) -> dict[str, Verdict]:
    """Verdicts on one scan in what the worker said; nonsense gives none."""
    try:
        made = [Verdict.model_validate(item) for item in said.get("verdicts", [])]
    except (TypeError, ValidationError):
        return {}
    return {verdict.metric: verdict for verdict in made if verdict.scan_uid == scan_uid}
