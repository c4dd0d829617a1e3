"""One volume in a process of its own: ``python -m benchmarks.volume_case N TILT SLABS``.

Prints one line of JSON. Kernels are compiled before the clock starts; the memory is that of the
process beyond what it had then, at its highest, as the kernel counts it.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.volume_source import Balls
from voltomo.analysis.volume import VolumeReconstructor
from voltomo.analysis.volume_plan import PLANES_AT_ONCE, VolumePlan, plan_volume
from voltomo.analysis.volume_slabs import reconstruct_slabs
from voltomo.analysis.warmup import warm_up
from voltomo.model.geometry import Geometry


def memory_mb(field: str) -> float:
    """``VmRSS`` or ``VmHWM`` of this process, in MB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"the system does not tell {field}")


class Seen:
    """Takes planes and keeps what tells whether they are right."""

    def __init__(self, source: Balls) -> None:
        self._source = source
        self.inside: list[float] = []

    def take(self, first: int, planes: np.ndarray) -> None:
        """Look at the middles of the balls in these planes."""
        half = (self._source.n - 1) / 2
        for x, y, z, _ in self._source.balls:
            plane = round(z + half) - first
            if 0 <= plane < len(planes):
                self.inside.append(float(planes[plane, round(y + half), round(x + half)]))


def grown(source: Balls, geometry: Geometry, plan: VolumePlan, seen: Seen) -> tuple[int, float]:
    """Hold the whole volume while views come; returns updates and seconds after the last."""
    volume = VolumeReconstructor(geometry, plan)
    everything = slice(0, source.n)
    last = time.perf_counter()
    for view, angle_deg in enumerate(source.angles_deg):
        frame = source[view, everything]
        last = time.perf_counter()
        volume.add(frame, float(angle_deg))
    for first in range(0, plan.depth, PLANES_AT_ONCE):
        seen.take(first, volume.planes(first, min(first + PLANES_AT_ONCE, plan.depth)))
    return volume.updates, time.perf_counter() - last


def by_slabs(source: Balls, geometry: Geometry, plan: VolumePlan, seen: Seen) -> int:
    """Make it slab by slab; returns updates."""
    for first, planes in reconstruct_slabs(source, source.angles_deg, geometry, plan):
        seen.take(first, planes)
    across = np.arange(plan.size) - (plan.size - 1) / 2
    disc = across[:, None] ** 2 + across[None, :] ** 2 <= plan.size**2 / 4
    return int(np.count_nonzero(disc)) * plan.depth * source.n


def measure(n: int, tilt_deg: float, free_mb: float) -> dict[str, Any]:
    """Make one volume of n^3 voxels from n views; by slabs where `free_mb` is given."""
    source = Balls(n, tilt_deg)
    turn_deg = 180.0 if tilt_deg == 0 else 360.0
    geometry = Geometry(
        rows=n, columns=n, pixel_um=1.0, tilt_deg=tilt_deg, step_deg=turn_deg / n, projections=n
    )
    free_bytes = round(free_mb * 1e6) if free_mb else None
    plan = plan_volume(geometry, grows=not free_mb, free_bytes=free_bytes)
    seen = Seen(source)
    warm_up()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before_mb = memory_mb("VmRSS")
    wall, cpu = time.perf_counter(), time.process_time()
    if free_mb:
        updates = by_slabs(source, geometry, plan, seen)
        late_s = time.perf_counter() - wall
    else:
        updates, late_s = grown(source, geometry, plan, seen)
    cpu_s = time.process_time() - cpu - source.cpu_s
    return {
        "n": n,
        "tilt_deg": tilt_deg,
        "views": n,
        "slabs": len(plan.slabs),
        "binning": plan.binning,
        "s": round(time.perf_counter() - wall, 2),
        "cpu_s": round(cpu_s, 3),
        "peak_mb": round(memory_mb("VmHWM") - before_mb, 1),
        "promised_mb": round(plan.promised_bytes / 1e6, 1),
        "last_frame_to_volume_s": round(late_s, 3),
        "gups_core": round(updates / cpu_s / 1e9, 2),
        "value_in_balls": round(float(np.mean(seen.inside)), 3),
    }


if __name__ == "__main__":
    made = measure(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))
    sys.stdout.write(json.dumps(made) + "\n")
