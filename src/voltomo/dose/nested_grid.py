"""Numbers on cubic voxels of several sizes at once, added up where they meet.

Voxels are 2^level millimetres wide and aligned at the origin, so that each lies in exactly one of
every coarser level. What a point has received is the sum over all levels. Blocks of 16 voxels a
side are kept where something was added, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOCK", "Cells", "NestedGrid", "level_below"]

Floats = NDArray[np.float64]
Key = tuple[int, int, int, int]
"""Level, and number of the block along x, y and z."""

BLOCK = 16
_BITS = 4


def level_below(size_mm: float) -> int:
    """The coarsest level whose voxels are no wider than a size."""
    return int(np.floor(np.log2(size_mm) + 1e-9))


@dataclass(frozen=True)
class Cells:
    """Parts of space with one value each, without overlap.

    Attributes
    ----------
    values : array, shape (channels, n)
        Sums over all levels.
    volume_mm3 : array, shape (n,)
        Of each part.
    centre_mm : array, shape (n, 3)
        Middle of its voxel.
    """

    values: Floats
    volume_mm3: Floats
    centre_mm: Floats


class NestedGrid:
    """A sparse stack of aligned grids.

    Parameters
    ----------
    channels : int
        Numbers kept for each voxel.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.everywhere: Floats = np.zeros(channels)
        self._blocks: dict[Key, Floats] = {}

    @property
    def levels(self) -> tuple[int, ...]:
        """Levels in use, finest first."""
        return tuple(sorted({key[0] for key in self._blocks}))

    def add(self, level: int, first: tuple[int, int, int], values: Floats) -> None:
        """Add values to a box of voxels.

        Parameters
        ----------
        level : int
            Voxels are 2^level mm wide.
        first : (int, int, int)
            Number of the box's first voxel along x, y and z; voxel i spans i to i + 1 widths.
        values : array, shape (channels, nx, ny, nz)
            What is added.
        """
        shape = values.shape[1:]
        blocks = [
            range(first[a] >> _BITS, ((first[a] + shape[a] - 1) >> _BITS) + 1) for a in range(3)
        ]
        for bx in blocks[0]:
            for by in blocks[1]:
                for bz in blocks[2]:
                    self._add_block(level, (bx, by, bz), first, values)

    def _add_block(
        self, level: int, block: tuple[int, int, int], first: tuple[int, int, int], values: Floats
    ) -> None:
        here: list[slice] = []
        there: list[slice] = []
        for number, start, count in zip(block, first, values.shape[1:], strict=True):
            low = max(number * BLOCK, start)
            high = min((number + 1) * BLOCK, start + count)
            here.append(slice(low - start, high - start))
            there.append(slice(low - number * BLOCK, high - number * BLOCK))
        part = values[:, here[0], here[1], here[2]]
        if not np.any(part):
            return
        key = (level, *block)
        if key not in self._blocks:
            self._blocks[key] = np.zeros((self.channels, BLOCK, BLOCK, BLOCK))
        self._blocks[key][:, there[0], there[1], there[2]] += part

    def at(self, points_mm: Floats) -> Floats:
        """Sums at points.

        Parameters
        ----------
        points_mm : array, shape (n, 3)
            In the frame of the grid.

        Returns
        -------
        array, shape (channels, n)
        """
        total = np.repeat(self.everywhere[:, None], points_mm.shape[0], axis=1)
        for level in self.levels:
            voxel = np.floor(points_mm / 2.0**level).astype(np.int64)
            block, inner = voxel >> _BITS, voxel & (BLOCK - 1)
            for number in range(points_mm.shape[0]):
                bx, by, bz = (int(b) for b in block[number])
                found = self._blocks.get((level, bx, by, bz))
                if found is not None:
                    i, j, k = inner[number]
                    total[:, number] += found[:, i, j, k]
        return total

    def hottest(self, channel: int) -> tuple[float, tuple[float, float, float] | None]:
        """The largest sum of a channel, and the middle of its voxel in mm; None if nowhere."""
        best, place = float(self.everywhere[channel]), None
        for key, values in self._sums():
            mine = values[channel]
            at = int(np.argmax(mine))
            if float(mine.flat[at]) > best:
                best = float(mine.flat[at])
                inner = np.unravel_index(at, mine.shape)
                width = 2.0 ** key[0]
                x, y, z = ((key[1 + a] * BLOCK + int(inner[a]) + 0.5) * width for a in range(3))
                place = (x, y, z)
        return best, place

    def cells(self) -> Cells:
        """All of space where something was added, each part once, at the finest level there is."""
        values: list[Floats] = [np.empty((self.channels, 0))]
        volumes: list[Floats] = [np.empty(0)]
        centres: list[Floats] = [np.empty((0, 3))]
        index = np.indices((BLOCK,) * 3).reshape(3, -1).T
        uncovered = self._uncovered()
        for key, sums in self._sums():
            free = uncovered[key].ravel()
            kept = free > 1e-9
            width = 2.0 ** key[0]
            values.append(sums.reshape(self.channels, -1)[:, kept])
            volumes.append(free[kept] * width**3)
            first = np.array(key[1:], dtype=np.float64) * BLOCK
            centres.append((first + index[kept] + 0.5) * np.float64(width))
        return Cells(
            np.concatenate(values, axis=1), np.concatenate(volumes), np.concatenate(centres)
        )

    def _sums(self) -> Iterator[tuple[Key, Floats]]:
        """Blocks with all coarser levels added, finest first."""
        levels = self.levels
        for key in sorted(self._blocks):
            total = self._blocks[key] + self.everywhere[:, None, None, None]
            for level in levels:
                if level > key[0]:
                    total = total + self._from_above(key, level)
            yield key, total

    def _from_above(self, key: Key, level: int) -> Floats | float:
        """Values of a coarser level over a block, shaped to be added to it."""
        up = level - key[0]
        values = self._blocks.get(_above(key, level))
        if values is None:
            return 0.0
        voxels = max(BLOCK >> up, 1)
        # A block spans so many voxels of the coarser level, or lies within one.
        start = [((number * BLOCK) >> up) & (BLOCK - 1) for number in key[1:]]
        part = values[(slice(None), *(slice(s, s + voxels) for s in start))]
        times = BLOCK // voxels
        for axis in (1, 2, 3):
            part = np.repeat(part, times, axis=axis)
        return part

    def _uncovered(self) -> dict[Key, Floats]:
        """Part of each voxel that no finer block covers, for each block, shape (16, 16, 16)."""
        free = {key: np.ones((BLOCK,) * 3) for key in self._blocks}
        for key in self._blocks:
            # Blocks are nested or apart: what holds the nearest one above is covered by that.
            coarser = (level for level in self.levels if level > key[0])
            above = next((k for k in (_above(key, le) for le in coarser) if k in free), None)
            if above is None:
                continue
            up = above[0] - key[0]
            first = [((n * BLOCK) >> up) & (BLOCK - 1) for n in key[1:]]
            voxels = max(BLOCK >> up, 1)
            share = min((BLOCK / 2.0**up) ** 3, 1.0)
            free[above][tuple(slice(s, s + voxels) for s in first)] -= share
        return free


def _above(key: Key, level: int) -> Key:
    """The block of a coarser level that holds this one."""
    up = level - key[0]
    return level, key[1] >> up, key[2] >> up, key[3] >> up
