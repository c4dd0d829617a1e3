"""The arithmetic of a scan: paths, windows, steps, beam time, disk. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

from voltomo.model.beam_window import BeamWindow
from voltomo.model.scan_spec import Block, ScanSpec, Stop

SETTLING_S = 0.1
"""A stage runs at constant speed for so long before the first trigger."""

OPENING_MARGIN_S = 0.03
"""The guard adds margins to every opening; this is more than they are."""

STEP_ARMING_S = 0.5
"""From the end of a move to the first trigger of a stop, at most."""


@dataclass(frozen=True)
class SweepPath:
    """From where to where the stage runs in a sweep, and how fast (deg, deg/s)."""

    approach_deg: float
    end_deg: float
    velocity_deg_s: float


@dataclass(frozen=True)
class Pace:
    """How the stage moves from stop to stop: speed (deg/s), and time from rest to it (s)."""

    velocity_deg_s: float
    acceleration_s: float

    def move_s(self, distance_deg: float) -> float:
        """Time of a move from rest to rest, at constant acceleration and at most at speed."""
        way, at_speed = abs(distance_deg), self.velocity_deg_s * self.acceleration_s
        if way >= at_speed:
            return way / self.velocity_deg_s + self.acceleration_s
        return 2 * sqrt(way * self.acceleration_s / self.velocity_deg_s)


def run_up_deg(velocity_deg_s: float, acceleration_s: float) -> float:
    """Angle that a stage needs from rest to a steady speed.

    Parameters
    ----------
    velocity_deg_s : float
        Speed of the sweep, positive.
    acceleration_s : float
        Time from rest to that speed, at constant acceleration.
    """
    return velocity_deg_s * (acceleration_s / 2 + SETTLING_S)


def sweep_path(block: Block, velocity_deg_s: float, acceleration_s: float) -> SweepPath:
    """Path of the stage for a block that triggers by position.

    The run-down is as long as the run-up, so that the last exposure sees a steady speed.

    Raises
    ------
    ValueError
        The block is not triggered by position.
    """
    if block.start_deg is None or block.step_deg is None:
        raise ValueError(f"the block {block.name} is not triggered by position")
    direction = 1.0 if block.step_deg > 0 else -1.0
    away = direction * (run_up_deg(velocity_deg_s, acceleration_s) + abs(block.step_deg))
    last_deg = block.start_deg + block.step_deg * (block.count - 1)
    return SweepPath(block.start_deg - away, last_deg + away, velocity_deg_s)


def approach_deg(block: Block, velocity_deg_s: float, acceleration_s: float) -> float:
    """Where the stage has to stand before a sweep begins."""
    if block.stepped:
        return block.stops[0].angle_deg
    return sweep_path(block, velocity_deg_s, acceleration_s).approach_deg


def stage_ends_deg(spec: ScanSpec, acceleration_s: float) -> list[tuple[str, float]]:
    """The farthest angles of every sweep, run-up and run-down included, with its name."""
    ends: list[tuple[str, float]] = []
    for block in spec.blocks():
        if block.targets_deg is not None:
            ends += [(block.name, min(block.targets_deg)), (block.name, max(block.targets_deg))]
        elif block.kind == "sweep":
            path = sweep_path(block, spec.velocity_deg_s, acceleration_s)
            ends += [(block.name, path.approach_deg), (block.name, path.end_deg)]
    return ends


def lease_groups(block: Block, steps_per_lease: int) -> list[tuple[Stop, ...]]:
    """Stops of a sweep, as many together as share a lease; all of them for 0."""
    stops = block.stops
    each = steps_per_lease or len(stops)
    return [stops[first : first + each] for first in range(0, len(stops), each)]


def beam_seconds(block: Block, window: BeamWindow) -> float:
    """Open time that is asked for: 5 % of margin and 0.1 s included."""
    return 1.05 * window.open_s(block) + 0.1


def moves_s(stops: Sequence[Stop], pace: Pace) -> list[float]:
    """Time from each stop to the next, arming included."""
    return [
        pace.move_s(after.angle_deg - before.angle_deg) + STEP_ARMING_S
        for before, after in pairwise(stops)
    ]


def steps_beam_seconds(
    spec: ScanSpec, stops: Sequence[Stop], window: BeamWindow, pace: Pace
) -> float:
    """Open time of a lease for some stops: between them, too, where the gate is the lease."""
    ends_s = window.lead_s + window.tail_s + window.travel_s
    exposed_s = sum((stop.count - 1) * spec.period_s + ends_s for stop in stops)
    if spec.gate == "lease":
        return 1.05 * (exposed_s + sum(moves_s(stops, pace))) + STEP_ARMING_S
    return 1.05 * exposed_s + 0.1 + OPENING_MARGIN_S * (len(stops) - 1)


def scan_beam_seconds(spec: ScanSpec, window: BeamWindow, pace: Pace) -> float:
    """Open time of all blocks with beam."""
    seconds = 0.0
    for block in spec.blocks():
        if block.stepped:
            groups = lease_groups(block, spec.steps_per_lease)
            seconds += sum(steps_beam_seconds(spec, stops, window, pace) for stops in groups)
        elif block.lit:
            seconds += beam_seconds(block, window)
    return seconds


def trigger_deadline_s(period_s: float, longest_move_s: float = 0.0) -> float:
    """How long the count of latched triggers may stand still before the beam is closed."""
    return max(1.0, 5 * period_s) + 2 * longest_move_s


def scan_bytes(spec: ScanSpec) -> int:
    """Size of all frames of a scan, two bytes a pixel."""
    return spec.triggers * spec.geometry.rows * spec.geometry.columns * 2
