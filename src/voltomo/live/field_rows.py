"""Flats and darks of the one row that makes a live slice."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.normalise import mean_field
from voltomo.model.scan_spec import Block

FieldKind = Literal["flats", "darks"]


class FieldRows:
    """Rows of the flats and darks that hold; those of a later block replace those before it."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[int, NDArray[Any]]] = {}
        self._means: dict[str, NDArray[np.float32]] = {}
        self._blocks: dict[str, Block] = {}
        self.clear()

    def clear(self) -> None:
        """Forget all rows, not which blocks they are of."""
        self._rows = {"flats": {}, "darks": {}}
        self._means.clear()

    def drop(self, block: Block) -> None:
        """Forget what is of a block that is taken again."""
        if self._blocks.get(block.kind) is block:
            # Where all is taken again, flats of earlier blocks come first, and hold until then.
            del self._blocks[block.kind]
            self._rows[block.kind] = {}
            self._means.pop(block.kind, None)

    def take(self, block: Block, index: int, counts: NDArray[Any]) -> None:
        """Take the row, shape (columns,), of a flat or dark; an earlier block's is passed over."""
        known = self._blocks.get(block.kind, block)
        if block.first < known.first:
            return
        if block is not known:
            self._rows[block.kind] = {}
        self._blocks[block.kind] = block
        self._rows[block.kind][index] = counts
        self._means.pop(block.kind, None)

    @property
    def ready(self) -> bool:
        """Whether there are both."""
        return all(self._rows.values())

    def mean(self, kind: FieldKind) -> NDArray[np.float32]:
        """Mean of the flats or darks, without zingers, shape (columns,)."""
        if kind not in self._means:
            rows = self._rows[kind]
            self._means[kind] = mean_field(np.stack([rows[index] for index in sorted(rows)]))
        return self._means[kind]

    def flat_means(self) -> list[float]:
        """Mean of the row of each flat, darks taken off."""
        dark = float(self.mean("darks").mean())
        return [float(row.mean()) - dark for row in self._rows["flats"].values()]


def mean_of_views(
    transmissions: NDArray[np.float64], flat_means: list[float]
) -> tuple[float, float | None]:
    """Mean of the views, and what the scatter of the flats makes it uncertain by.

    Parameters
    ----------
    transmissions : array, shape (views,)
        Mean transmission of each view.
    flat_means : list of float
        Mean of each flat; with fewer than three there is no uncertainty.
    """
    mean, flats = float(transmissions.mean()), np.array(flat_means)
    if flats.size < 3 or flats.mean() <= 0:
        return mean, None
    scatter = float(flats.std(ddof=1) / flats.mean())
    return mean, mean * scatter * float(np.sqrt(1 / flats.size + 1 / transmissions.size))
