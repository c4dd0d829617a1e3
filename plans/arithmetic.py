"""The arithmetic of a fly scan: paths, windows, beam time, disk. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

from voltomo.model.beam_window import BeamWindow
from voltomo.model.scan_spec import Block, ScanSpec

SETTLING_S = 0.1
"""A stage runs at constant speed for so long before the first trigger."""


@dataclass(frozen=True)
class SweepPath:
    """From where to where the stage runs in a sweep, and how fast (deg, deg/s)."""

    approach_deg: float
    end_deg: float
    velocity_deg_s: float


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


def first_approach_deg(spec: ScanSpec, acceleration_s: float) -> float:
    """Where the stage has to stand before the first sweep."""
    first = next(block for block in spec.blocks() if block.kind == "sweep")
    return sweep_path(first, spec.velocity_deg_s, acceleration_s).approach_deg


def beam_seconds(block: Block, window: BeamWindow) -> float:
    """Open time that is asked for: 5 % of margin and 0.1 s included."""
    return 1.05 * window.open_s(block) + 0.1


def scan_beam_seconds(spec: ScanSpec, window: BeamWindow) -> float:
    """Open time of all blocks with beam."""
    lit = [block for block in spec.blocks() if block.kind in ("flats", "sweep")]
    return sum(beam_seconds(block, window) for block in lit)


def trigger_deadline_s(period_s: float) -> float:
    """How long the count of latched triggers may stand still before the beam is closed."""
    return max(1.0, 5 * period_s)


def scan_bytes(spec: ScanSpec) -> int:
    """Size of all frames of a scan, two bytes a pixel."""
    return spec.triggers * spec.geometry.rows * spec.geometry.columns * 2
