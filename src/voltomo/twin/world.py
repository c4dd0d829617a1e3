"""The twin's one world: analytic trajectories, edges, frames and faults in one shared file.

Every process of the twin maps the same file. A channel (a motor, the shutter, the flux) has one
writer, which puts down pieces of parabolas; anyone evaluates them at any time. A writer beats its
channels; a channel whose writer has been silent for `GRACE_S` stands still where it was, but the
gate is low and the shutter closed: a dead controller stops its motors and closes its outputs.

World time is in seconds from the world's making, by the machine's monotonic clock, plus what was
skipped. The clocks of trigger hardware and camera are off by their own offset and skew.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from voltomo.twin import world_layout as layout

GRACE_S = 0.2
"""A channel without a heartbeat for this long stands still; gate and shutter are closed."""

CHANNELS = (
    "rotation",
    "sample_x",
    "sample_y",
    "sample_z",
    "gate",
    "shutter",
    "flux",
    "energy",
)
"""rotation in deg, sample_* in mm, gate 0/1 (trigger window), shutter 0…1 (open part),
flux in photons/s/cm² at the sample with the shutter open, energy in keV."""

_CLOSE_WHEN_DEAD = frozenset({"gate", "shutter"})
"""Outputs that a dead controller lets go: the gate falls, the shutter's spring closes it."""

_SEGMENTS = 8192
_EDGES = 262_144
_FAULTS = 256
_TABLES = ((layout.EDGE, _EDGES), (layout.FRAME, _EDGES), (layout.FAULT, _FAULTS))

FaultKind = Literal[
    "lose_after_numbering",
    "camera_misses",
    "duplicate_frame",
    "shutter_stuck_open",
    "shutter_stuck_closed",
    "monitor_frozen",
    "monitor_dead",
    "unique_id",
]

FATE_DELIVERED, FATE_LOST, FATE_MISSED = 0, 1, 2
"""Fate of a trigger at the camera: delivered, lost after numbering, not seen at all."""


@dataclass(frozen=True)
class Segment:
    """x(t) = x0 + v0 (t − t0) + a/2 (t − t0)² from t0 to t1; x stands still after t1."""

    t0: float
    t1: float
    x0: float
    v0: float = 0.0
    a: float = 0.0


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong on purpose.

    ``first`` and ``last`` (exclusive) are trigger indices for faults of frames; ``value`` is the
    fault's own number (``unique_id``: the number that the camera's counter is set to);
    ``at_s`` is the world time from which it holds.
    """

    kind: FaultKind
    first: int = -1
    last: int = -1
    value: float = 0.0
    at_s: float = 0.0


class Channel:
    """One trajectory. Only its owner calls ``put`` and ``beat``."""

    def __init__(self, world: World, name: str, state: Any, segments: Any) -> None:
        self._world = world
        self._state = state
        self._segments = segments
        self.name = name

    def put(self, segments: Iterable[Segment]) -> None:
        """Replace the future from the first segment's t0 on.

        Segments must follow each other in time. What lies before the first t0 stays.
        """
        pieces = list(segments)
        if not pieces:
            return
        state = self._state
        count = int(state["count"])
        state["version"] += 1
        while count > 0 and self._segments[(count - 1) % _SEGMENTS]["t0"] >= pieces[0].t0:
            count -= 1
        for piece in pieces:
            self._segments[count % _SEGMENTS] = (
                piece.t0,
                piece.t1,
                piece.x0,
                piece.v0,
                piece.a,
            )
            count += 1
        state["count"] = count
        state["beat_s"] = self._world.now_s()
        state["version"] += 1

    def beat(self) -> None:
        """Say that the owner lives; at 20 Hz or more."""
        self._state["beat_s"] = self._world.now_s()

    @property
    def beat_s(self) -> float:
        """World time of the owner's last heartbeat; far in the past before the first."""
        return float(self._state["beat_s"])

    @property
    def alive(self) -> bool:
        """Whether the owner's heart beats."""
        return self._world.now_s() - float(self._state["beat_s"]) <= GRACE_S

    def history(self) -> NDArray[Any]:
        """Segments so far, oldest first (structured: t0, t1, x0, v0, a)."""
        while True:
            before = int(self._state["version"])
            if before % 2 == 0:
                count = int(self._state["count"])
                first = max(0, count - _SEGMENTS)
                pieces = self._segments[np.arange(first, count) % _SEGMENTS].copy()
                if int(self._state["version"]) == before:
                    return cast("NDArray[Any]", pieces)
            time.sleep(0)

    def at(self, time_s: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Value at these world times; NaN before the first segment."""
        return self._evaluate(np.asarray(time_s, dtype=np.float64))[0]

    def velocity(self, time_s: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """Rate of change at these world times; 0 where it stands still."""
        return self._evaluate(np.asarray(time_s, dtype=np.float64))[1]

    def _evaluate(
        self, time_s: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        pieces = self.history()
        if pieces.size == 0:
            return np.full(time_s.shape, np.nan), np.zeros(time_s.shape)
        last_s = float(self._state["beat_s"]) + GRACE_S
        clamped = np.minimum(time_s, last_s)
        number = np.searchsorted(pieces["t0"], clamped, side="right") - 1
        piece = pieces[np.maximum(number, 0)]
        since = np.minimum(clamped, piece["t1"]) - piece["t0"]
        value = piece["x0"] + piece["v0"] * since + piece["a"] * since * since / 2
        moving = (clamped < piece["t1"]) & (time_s <= last_s)
        speed = np.where(moving, piece["v0"] + piece["a"] * since, 0.0)
        value = np.where(number < 0, np.nan, value)
        if self.name in _CLOSE_WHEN_DEAD:
            value = np.where(time_s > last_s, 0.0, value)
        return value, speed


class World:
    """The mapped file; `create` makes it, `open` joins it.

    Attributes
    ----------
    edges : table of index, time_s, angle_deg (true), latched_deg (by the encoder)
        Trigger edges as they happened; written by ``motion``.
    frames : table of index, unique_id, start_s, end_s, angle_deg (true, at mid-exposure),
        open_part, fluence_per_cm2 (through the shutter, at the sample), fate
        What the camera did with every trigger; written by ``camera``.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._header = np.frombuffer(self._map, layout.HEADER, 1)[0:1]
        if self._header["magic"][0] != b"voltomo1":
            raise ValueError(f"{path} is no world of this version; start the twin anew")
        offset = 4096
        self._states = np.frombuffer(self._map, layout.CHANNEL, len(CHANNELS), offset)
        offset += 4096
        rows = np.frombuffer(self._map, layout.SEGMENT, len(CHANNELS) * _SEGMENTS, offset)
        offset += rows.nbytes
        self._segments = rows.reshape(len(CHANNELS), _SEGMENTS)
        counts = np.frombuffer(self._map, layout.COUNT, 3, offset)
        offset += 4096
        tables: list[layout.Table] = []
        for place, (kind, count) in enumerate(_TABLES):
            rows = np.frombuffer(self._map, kind, count, offset)
            tables.append(layout.Table(counts[place : place + 1], rows))
            offset += rows.nbytes
        self.edges, self.frames, self._faults = tables

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        seed: int,
        trigger_offset_s: float = 0.0371,
        trigger_skew: float = 0.0,
        camera_offset_s: float = -4711.25,
        camera_skew: float = 23e-6,
        camera_jitter_s: float = 100e-6,
    ) -> World:
        """Make a new world; its time starts at 0.

        Parameters
        ----------
        seed : int
            Of everything random in it.
        trigger_offset_s, camera_offset_s : float
            Device clock minus UTC at the start.
        trigger_skew, camera_skew : float
            Relative rate errors of the device clocks.
        camera_jitter_s : float
            Scatter of the camera's stamps.
        """
        size = 4096 + 4096 + layout.SEGMENT.itemsize * len(CHANNELS) * _SEGMENTS + 4096
        size += (
            layout.EDGE.itemsize + layout.FRAME.itemsize
        ) * _EDGES + layout.FAULT.itemsize * _FAULTS
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
        with path.open("r+b") as file:
            header = np.zeros(1, layout.HEADER)
            header[0] = (
                b"voltomo1",
                seed,
                time.monotonic(),
                time.time(),
                0.0,
                trigger_offset_s,
                trigger_skew,
                camera_offset_s,
                camera_skew,
                camera_jitter_s,
            )
            file.write(header.tobytes())
        world = cls(path)
        world._states["beat_s"] = -1e9
        return world

    @classmethod
    def open(cls, path: Path) -> World:
        """Join a world that another process made."""
        return cls(path)

    @property
    def seed(self) -> int:
        """Seed of everything random."""
        return int(self._header["seed"][0])

    def now_s(self) -> float:
        """World time, monotonic."""
        header = self._header
        return time.monotonic() - float(header["monotonic_s"][0]) + float(header["skipped_s"][0])

    def utc_s(self, world_s: float | None = None) -> float:
        """True UTC at a world time, now if none is given."""
        return float(self._header["utc_s"][0]) + (self.now_s() if world_s is None else world_s)

    def from_utc_s(self, utc_s: float) -> float:
        """World time of a true UTC."""
        return utc_s - float(self._header["utc_s"][0])

    def trigger_clock_s(self, world_s: float) -> float:
        """What the trigger hardware's clock shows at a world time (near UTC)."""
        header = self._header
        drift = float(header["trigger_skew"][0]) * world_s
        return self.utc_s(world_s) + float(header["trigger_offset_s"][0]) + drift

    def camera_clock_s(self, world_s: float) -> float:
        """What the camera's clock shows at a world time, without its jitter."""
        header = self._header
        drift = float(header["camera_skew"][0]) * world_s
        return self.utc_s(world_s) + float(header["camera_offset_s"][0]) + drift

    @property
    def camera_jitter_s(self) -> float:
        """Scatter of the camera's stamps."""
        return float(self._header["camera_jitter_s"][0])

    def channel(self, name: str) -> Channel:
        """The trajectory of this name; see `CHANNELS`."""
        if name not in CHANNELS:
            raise KeyError(f"the world has no channel {name!r}; it has {', '.join(CHANNELS)}")
        number = CHANNELS.index(name)
        return Channel(self, name, layout.Row(self._states, number), self._segments[number])

    def inject(self, fault: Fault) -> None:
        """Let something go wrong."""
        self._faults.append(
            kind=fault.kind.encode(),
            first=fault.first,
            last=fault.last,
            value=fault.value,
            at_s=fault.at_s,
        )

    def heal(self) -> None:
        """Take all faults away."""
        self._faults.clear()

    def faults(self, kind: FaultKind) -> list[Fault]:
        """Faults of a kind, oldest first."""
        found: list[Fault] = []
        for row in self._faults.since(0):
            if row["kind"] == kind.encode():
                found.append(
                    Fault(
                        kind,
                        int(row["first"]),
                        int(row["last"]),
                        float(row["value"]),
                        float(row["at_s"]),
                    )
                )
        return found

    def has_fault(self, kind: FaultKind, index: int | None = None) -> bool:
        """Whether a fault of this kind holds now, for this trigger index if one is given."""
        now_s = self.now_s()
        return any(
            fault.at_s <= now_s and (index is None or fault.first <= index < fault.last)
            for fault in self.faults(kind)
        )
