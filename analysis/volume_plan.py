"""How a volume is made within the memory that is free: promised before it is begun."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from voltomo.analysis.reconstructor import VolumeGeometry
from voltomo.analysis.typed_scipy import fast_length
from voltomo.analysis.volume_kernels import (
    ALIGNED,
    MARGIN,
    RUNS_LENGTH,
    TILE,
    VIEWS_IN_A_PASS,
)

LARGEST_TILT_DEG = 75.0
ROWS_FILTERED_AT_ONCE = 128
PLANES_AT_ONCE = 16
_BINNINGS = (1, 2, 4, 8, 16)
# Fewer views at a time cost more than thinner slabs: the second group is for where all is too much.
_BLOCKS = ((32, 16), (8, 4))
_THINNEST_SLAB = 16
_PADDING = 1.5
# What one part of the work leaves to the allocator, and Python's own objects.
_SUNDRIES = 3 * 2**20


@dataclass(frozen=True)
class VolumePlan:
    """Sizes of a volume and of the steps in which it is made.

    Attributes
    ----------
    size, depth : int
        Voxels across and along the axis, in voxels.
    binning : int
        Detector pixels along the edge of a voxel.
    slab : int
        Voxels along the axis that are held at a time; `depth` where all of them are.
    block : int
        Views that are back-projected together.
    threads : int
        Threads that work.
    promised_bytes : int
        Upper bound of the memory that the work takes beyond what the process had before.
    note : str
        What the plan does otherwise than asked for, and why; empty if nothing.
    """

    size: int
    depth: int
    binning: int
    slab: int
    block: int
    threads: int
    promised_bytes: int
    note: str = ""

    @property
    def slabs(self) -> list[tuple[int, int]]:
        """First and last voxel along the axis of each slab, last exclusive."""
        return [
            (first, min(first + self.slab, self.depth)) for first in range(0, self.depth, self.slab)
        ]


def plan_volume(
    geometry: VolumeGeometry,
    size: int | None = None,
    depth: int | None = None,
    *,
    grows: bool = False,
    free_bytes: int | None = None,
    binning: int = 1,
    threads: int = 1,
) -> VolumePlan:
    """Choose slab, block and binning so that a volume fits the memory.

    Parameters
    ----------
    geometry : VolumeGeometry
        Detector, axis, roll and tilt.
    size, depth : int, optional
        Extent across and along the axis in detector pixels; the columns and rows of the
        detector by default.
    grows : bool
        The volume grows view by view and so must be held as a whole; else it is made slab by
        slab from projections that can be read again.
    free_bytes : int, optional
        Memory that may be taken; what the machine has free now by default.
    binning : int
        Smallest number of detector pixels along the edge of a voxel.
    threads : int
        Threads that will work.

    Returns
    -------
    VolumePlan
        With the largest slab, or the least binning, that fits.

    Raises
    ------
    ValueError
        If the tilt is too large, or sizes make no sense.
    MemoryError
        If even the coarsest volume does not fit.
    """
    if not geometry.tilt_deg <= LARGEST_TILT_DEG:
        raise ValueError(
            f"Volumes are made up to a tilt of {LARGEST_TILT_DEG:g} deg, not {geometry.tilt_deg}: "
            f"beyond it the axis lies along the beam. Nothing was reconstructed: check tilt_deg."
        )
    across = geometry.columns if size is None else size
    along = geometry.rows if depth is None else depth
    if min(across, along, binning, threads) < 1:
        raise ValueError(
            f"A volume needs sizes, binning and threads of 1 or more, not {across} across, {along} "
            f"along the axis, {binning} and {threads}."
        )
    free = free_memory_bytes() if free_bytes is None else free_bytes
    smallest = math.inf
    for bins in (b for b in _BINNINGS if b >= binning):
        if bins * 4 > min(geometry.rows, geometry.columns, 2 * across):
            break
        for plan in _candidates(geometry, across // bins, -(-along // bins), bins, grows, threads):
            smallest = min(smallest, plan.promised_bytes)
            if plan.promised_bytes <= free:
                return _explained(plan, geometry, across, along, binning, grows, free)
    raise MemoryError(
        f"A volume of {across} x {across} x {along} pixels needs {_GB(smallest)} even at its "
        f"coarsest; {_GB(free)} are free. Nothing was begun: ask for less, or free memory."
    )


def _candidates(
    geometry: VolumeGeometry, size: int, depth: int, bins: int, grows: bool, threads: int
) -> Iterator[VolumePlan]:
    """Plans of one binning, the fastest first."""
    most_slabs = 1 if grows else max(1, depth // _THINNEST_SLAB)
    for blocks in _BLOCKS:
        for slabs in range(1, most_slabs + 1):
            slab = -(-depth // slabs)
            for block in blocks:
                promised = promised_bytes(geometry, size, slab, bins, block, threads)
                yield VolumePlan(size, depth, bins, slab, block, threads, promised)


def _explained(
    plan: VolumePlan,
    geometry: VolumeGeometry,
    across: int,
    along: int,
    binning: int,
    grows: bool,
    free: int,
) -> VolumePlan:
    if plan.binning == binning:
        return plan
    wanted = promised_bytes(
        geometry, across // binning, -(-along // binning), binning, _BLOCKS[-1][-1], plan.threads
    )
    reason = "as a whole, since it grows with the views," if grows else "even in thin slabs"
    note = (
        f"A volume of {across} x {across} x {along} pixels needs {_GB(wanted)} {reason} and "
        f"{_GB(free)} are free: it is binned by {plan.binning}, to {plan.size} x {plan.size} x "
        f"{plan.depth} voxels in {_GB(plan.promised_bytes)}."
    )
    return replace(plan, note=note)


def _GB(count: float) -> str:
    return f"{count / 1e9:.3g} GB"


def reach_levels(size: int, tilt_deg: float) -> int:
    """Levels that the disc of the volume reaches above and below a slab, in voxels."""
    return math.ceil(size / 2 * math.tan(math.radians(tilt_deg))) + 2


def laid_levels(depth: int, reach: int) -> int:
    """Levels of a view that is laid out for `depth` voxels."""
    return -(-(depth + 2 * reach + 2) // ALIGNED) * ALIGNED


def laid_columns(size: int) -> int:
    """Columns of a view that is laid out for a disc of that diameter."""
    return 2 * math.ceil(size / 2) + 2 * MARGIN + 2


def rows_of_slab(
    geometry: VolumeGeometry, size: int, first_z: float, last_z: float, bins: int
) -> tuple[int, int]:
    """Binned detector rows that voxels from `first_z` to `last_z` need, last exclusive.

    Heights are in voxels from the middle of the detector.
    """
    tilt = math.radians(geometry.tilt_deg)
    rows, columns = geometry.rows // bins, geometry.columns // bins
    lean = size / 2 * math.sin(tilt)
    climb = abs(math.sin(math.radians(geometry.roll_deg))) * columns
    middle = (rows - 1) / 2
    first = math.floor(middle + first_z * math.cos(tilt) - lean - climb) - 2
    last = math.ceil(middle + last_z * math.cos(tilt) + lean + climb) + 3
    first = min(max(first, 0), max(rows - 4, 0))
    return first, max(min(last, rows), min(first + 4, rows))


def promised_bytes(
    geometry: VolumeGeometry, size: int, slab: int, bins: int, block: int, threads: int
) -> int:
    """Memory for a slab of `size` x `size` x `slab` voxels: what is held, and what passes."""
    reach = reach_levels(size, geometry.tilt_deg)
    columns = geometry.columns // bins
    half = (slab - 1) / 2
    first, last = rows_of_slab(geometry, size, -half, half, bins)
    rows = max(last - first, 4)
    # Of the cylinder alone, and what is copied from it at a time while what was is still in use.
    held = math.ceil(math.pi / 4 * (size + 1) ** 2) * slab + 2 * PLANES_AT_ONCE * size * size
    held += block * rows * columns
    held += block * laid_columns(size) * laid_levels(slab, reach)
    length = fast_length(math.ceil(_PADDING * columns))
    passing = RUNS_LENGTH + 12 * TILE * TILE + 2 * VIEWS_IN_A_PASS * TILE * TILE
    # Of the filter: rows in pairs as complex numbers, their transform, and the result.
    passing += min(rows, ROWS_FILTERED_AT_ONCE) * (2 * length + columns)
    read = rows * bins * columns * bins * (1 if bins == 1 else 2)
    return 4 * (held + threads * passing + read) + _SUNDRIES


def free_memory_bytes() -> int:
    """Memory that the machine has free, its caches of files included.

    Raises
    ------
    OSError
        If the system does not tell; give `free_bytes` by hand.
    """
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise OSError("The system does not say how much memory is free: give it by hand.")
