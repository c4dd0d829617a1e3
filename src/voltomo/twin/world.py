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
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from voltomo.twin import world_layout as layout
from voltomo.twin.channel import GRACE_S, SEGMENTS, Channel, ChannelMemory, Segment

__all__ = [
    "CHANNELS", "FATE_DELIVERED", "FATE_LOST", "FATE_MISSED", "GRACE_S", "Channel", "Fault",
    "FaultKind", "Segment", "World",
]  # fmt: skip

CHANNELS = (
    "rotation",
    "sample_x",
    "sample_y",
    "sample_z",
    "gate",
    "shutter",
    "flux",
    "energy",
    "tilt",
    "slit_left",
    "slit_right",
    "slit_bottom",
    "slit_top",
    "distance",
    "focus",
    "camera_roll",
    "pixel",
    "transmission",
    "front_end",
    "ring_current",
    "beam_x",
    "beam_y",
    "gas",
    "kinetics",
    "warmth",
    "cell_dose",
)
"""rotation and tilt in deg, sample_* in mm, gate 0/1 (trigger window), shutter 0…1 (open part),
flux in photons/s/cm² at the sample with the shutter open, energy in keV; slit_* in mm at the
sample from the middle of the field, distance (sample to detector) and focus in mm, camera_roll in
deg, pixel (size at the sample) in µm; transmission of the attenuator and front_end (photon
shutter) 0…1, ring_current in mA, beam_* (position) in µm; what the cell answers to the beam: gas
(free, in mm³), kinetics (what is left of them, mean), warmth in K, cell_dose (electrolyte, mean) in
Gy."""

_CLOSE_WHEN_DEAD = frozenset({"gate", "shutter"})
"""Outputs that a dead controller lets go: the gate falls, the shutter's spring closes it."""

_EDGES = 262_144
_FAULTS = 256
_MONOTONIC, _UTC, _SKIPPED = (layout.place_of(n) for n in ("monotonic_s", "utc_s", "skipped_s"))
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
    "beam_dump",
    "beam_moved_x",
    "beam_moved_y",
    "dust",
    "sample_slipped",
    "cycler_frozen",
    "cycler_trip",
]

FATE_DELIVERED, FATE_LOST, FATE_MISSED = 0, 1, 2
"""Fate of a trigger at the camera: delivered, lost after numbering, not seen at all."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong on purpose.

    ``first`` and ``last`` (exclusive) are trigger indices for faults of frames; ``value`` is the
    fault's own number (``unique_id``: the number that the camera's counter is set to;
    ``beam_dump``: seconds until the ring is filled again, 0 for as long as the fault stands;
    ``beam_moved_*``: µm; ``dust``: part of the light that a speck at
    column ``first`` and row ``last`` takes; ``sample_slipped``: mm across the beam);
    ``at_s`` is the world time from which it holds.
    """

    kind: FaultKind
    first: int = -1
    last: int = -1
    value: float = 0.0
    at_s: float = 0.0


class World:
    """The mapped file; `create` makes it, `open` joins it.

    Attributes
    ----------
    edges : table of index, time_s, angle_deg (true), latched_deg (by the encoder)
        Trigger edges as they happened; written by ``motion``.
    frames : table of index, unique_id, start_s, end_s, angle_deg (true, at mid-exposure),
        open_part, fluence_per_cm2 (through the shutter, at the sample), fate, tilt_deg (true),
        error_x_mm, error_z_mm (of axis and sample, by wobble and drift), lit_part (of the field,
        by the slits), row_delay_s (between rows of a rolling shutter, 0 for a global one; the
        times are those of the first row, the angle that of the middle one)
        What the camera did with every trigger; written by ``camera``.
    """

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._header = np.frombuffer(self._map, layout.HEADER, 1)[0:1]
        if self._header["magic"][0] != layout.MAGIC:
            raise ValueError(f"{path} is no world of this version; start the twin anew")
        memory = memoryview(self._map)
        self._floats = memory.cast("d")
        states, offset = 4096, 8192
        self._channels: dict[str, Channel] = {}
        for name in CHANNELS:
            ring = np.frombuffer(self._map, layout.SEGMENT, SEGMENTS, offset)
            place = ChannelMemory(memory, states, ring, offset)
            self._channels[name] = Channel(
                name, place, self.now_s, closes_when_dead=name in _CLOSE_WHEN_DEAD
            )
            states += layout.CHANNEL.itemsize
            offset += ring.nbytes
        counts = np.frombuffer(self._map, layout.COUNT, 3, offset)
        offset += 4096
        tables: list[layout.Table] = []
        for number, (kind, count) in enumerate(_TABLES):
            rows = np.frombuffer(self._map, kind, count, offset)
            tables.append(layout.Table(counts[number : number + 1], rows))
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
        size = 4096 + 4096 + layout.SEGMENT.itemsize * len(CHANNELS) * SEGMENTS + 4096
        size += (
            layout.EDGE.itemsize + layout.FRAME.itemsize
        ) * _EDGES + layout.FAULT.itemsize * _FAULTS
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.truncate(size)
        with path.open("r+b") as file:
            header = np.zeros(1, layout.HEADER)
            header[0] = (
                layout.MAGIC,
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
        for channel in world._channels.values():
            channel.beat_s = -1e9
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
        return time.monotonic() - self._floats[_MONOTONIC] + self._floats[_SKIPPED]

    def utc_s(self, world_s: float | None = None) -> float:
        """True UTC at a world time, now if none is given."""
        return self._floats[_UTC] + (self.now_s() if world_s is None else world_s)

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
        return self._channels[name]

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
