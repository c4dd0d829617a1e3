"""How many frames the ring between camera and writer holds: by seconds, bytes, and what is free."""

from __future__ import annotations

from pathlib import Path

FASTEST_PER_S = 100.0
"""Frames a second that the ring is sized for."""

FREE_PART = 0.25
"""Never more than this part of the memory that is free."""

_FEWEST = 8
_MB = 2**20


def ring_slots(frame_bytes: int, stall_s: float, most_MB: float, free_bytes: int) -> int:
    """Frames that a ring holds.

    Parameters
    ----------
    frame_bytes : int
        Of one frame.
    stall_s : float
        For so long the writer may stand still at `FASTEST_PER_S`, where memory allows.
    most_MB : float
        Memory that the ring may take.
    free_bytes : int
        Memory that is free.

    Raises
    ------
    MemoryError
        There is not memory for a handful of frames.
    """
    most_bytes = min(most_MB * _MB, FREE_PART * free_bytes)
    slots = min(round(stall_s * FASTEST_PER_S), int(most_bytes // frame_bytes))
    if slots < _FEWEST:
        raise MemoryError(
            f"the ring between camera and writer may take {most_bytes / _MB:.0f} MB, a quarter of "
            f"what is free or the limit in its settings, and {_FEWEST} frames need "
            f"{_FEWEST * frame_bytes / _MB:.0f} MB; the camera was not started; free memory or "
            "read smaller frames"
        )
    return slots


def free_bytes() -> int:
    """Memory that can be had without swapping, within the limit of this process's group."""
    free = _meminfo("MemAvailable")
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
    except (OSError, ValueError):
        # No such limit, or one without an end.
        return free
    return max(0, min(free, limit - used))


def _meminfo(name: str) -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/meminfo does not tell {name}")
