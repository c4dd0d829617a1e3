"""A beamline of names only, and a driver that answers a plan's messages or interrupts it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any

import numpy as np
from bluesky import Msg

from voltomo.model.frame_table import Frames
from voltomo.model.geometry import Geometry
from voltomo.model.scan_spec import ScanSpec


def without_origins(monkeypatch: Any) -> None:
    """Let bluesky make plans without noting where each was made, which takes most of the time."""
    monkeypatch.setattr("bluesky.utils.traceback", SimpleNamespace(format_stack=lambda: ["", ""]))


class Named:
    """A device that has a name and one value."""

    def __init__(self, name: str, value: Any = None) -> None:
        self.name = name
        self.value = value
        self.hints = {"fields": [name]}
        self.limits = (-1e9, 1e9)
        self.released = 0
        self.parent = None

    def __repr__(self) -> str:
        return self.name

    def check_value(self, value: float) -> None:
        low, high = self.limits
        if not low <= value <= high:
            raise ValueError(f"beyond {low:g} … {high:g}")

    def lost(self) -> str | None:
        return self.value

    def release(self) -> None:
        self.released += 1

    def last_frames(self) -> Frames:
        stamps = np.arange(12, dtype=np.float64) * 0.025 - 4711.0
        return Frames(stamps, np.arange(12), np.arange(12))


def beamline() -> Any:
    """A beamline whose devices do nothing."""
    rotation = Named("rotation", 0.0)
    rotation.velocity = Named("velocity", 90.0)  # type: ignore[attr-defined]
    rotation.acceleration = Named("acceleration", 0.3)  # type: ignore[attr-defined]
    rotation.maximum_velocity = Named("vmax", 180.0)  # type: ignore[attr-defined]
    sample_stage = Named("sample_stage")
    sample_stage.x = Named("sample_x", 0.5)  # type: ignore[attr-defined]
    sample_stage.z = Named("sample_z", 2.0)  # type: ignore[attr-defined]
    shutter = Named("shutter")
    shutter.state = Named("shutter_state", "Closed")  # type: ignore[attr-defined]
    shutter.travel_s = Named("shutter_travel", 0.015)  # type: ignore[attr-defined]
    lease = Named("lease")
    lease.stops = Named("lease_stops", 3)  # type: ignore[attr-defined]
    return SimpleNamespace(
        rotation=rotation,
        sample_stage=sample_stage,
        shutter=shutter,
        camera=Named("camera"),
        trigger=Named("trigger"),
        beam_monitor=Named("beam_monitor", 1.0),
        energy=Named("energy", 20.0),
        lease=lease,
        watch=Named("watch"),
    )


def spec(**changes: Any) -> ScanSpec:
    """A small scan."""
    geometry = Geometry(rows=8, columns=8, pixel_um=2.5, step_deg=1.8, projections=100)
    values: dict[str, Any] = {
        "sample": "cell",
        "geometry": geometry,
        "exposure_s": 0.02,
        "period_s": 0.025,
        "flats_before": 5,
        "flats_after": 5,
        "darks": 5,
    }
    return ScanSpec(**(values | changes))


class Driver:
    """Runs a plan message by message.

    Parameters
    ----------
    interrupt : callable, optional
        Given the number of a message and the message, returns an exception to throw there.
    """

    def __init__(self, interrupt: Callable[[int, Msg], Exception | None] | None = None) -> None:
        self.messages: list[Msg] = []
        self.interrupted_at: int | None = None
        self._interrupt = interrupt
        self._trigger_index = 0

    def run(self, plan: Generator[Msg, Any, Any]) -> Any:
        """Run to the end; returns what the plan returns, raises what it raises."""
        answer: Any = None
        error: Exception | None = None
        while True:
            try:
                message = plan.send(answer) if error is None else plan.throw(error)
            except StopIteration as end:
                return end.value
            number = len(self.messages)
            self.messages.append(message)
            error = self._interrupt(number, message) if self._interrupt else None
            if error is not None and self.interrupted_at is None:
                self.interrupted_at = number
            answer = self._answer(message)

    def _answer(self, message: Msg) -> Any:
        if message.command == "open_run":
            return "0123456789abcdef"
        if message.command == "read":
            if not isinstance(message.obj, Named):
                return message.obj.read()
            return {message.obj.name: {"value": message.obj.value, "timestamp": 0.0}}
        if message.command == "wait":
            return True
        if message.command == "collect" and message.obj.name == "trigger":
            first = self._trigger_index
            if first >= 12:
                return []
            self._trigger_index = 12
            times = [0.025 * k for k in range(12)]
            data = {
                "trigger_index": list(range(12)),
                "trigger_time_s": times,
                "trigger_angle_deg": [0.0] * 12,
            }
            return [{"data": data, "timestamps": {}}]
        return None

    def of(self, command: str, name: str | None = None) -> list[tuple[int, Msg]]:
        """Messages with this command, on the device of this name."""
        return [
            (number, message)
            for number, message in enumerate(self.messages)
            if message.command == command
            and (name is None or getattr(message.obj, "name", None) == name)
        ]
