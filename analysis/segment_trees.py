"""Boosted trees as plain arrays: no library and no code is loaded with them.

Every tree is complete: a node asks whether one feature lies above a threshold, and its answer is
the next node's number. So all pixels take the same number of steps, and none of them branches.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel

BLOCK = 512
"""Pixels that are taken through all trees together, so that they stay in the first cache."""


@dataclass(frozen=True)
class Trees:
    """A boosted ensemble of decision trees for several classes.

    Attributes
    ----------
    feature : uint8 (trees, 2^depth − 1)
        Which feature each node asks for; children of node n are 2n + 1 and 2n + 2.
    threshold : float32 (trees, 2^depth − 1)
        A value above it goes to the second child.
    leaf : float32 (trees, 2^depth)
        What each end adds to its class.
    start : float32 (classes,)
        What each class begins with; trees take turns in the order of the classes.
    """

    feature: NDArray[np.uint8]
    threshold: NDArray[np.float32]
    leaf: NDArray[np.float32]
    start: NDArray[np.float32]

    @property
    def digest(self) -> str:
        """SHA-256 of all numbers, in hexadecimal digits: the same weights, the same digest."""
        hashed = hashlib.sha256()
        for field in fields(self):
            hashed.update(np.ascontiguousarray(getattr(self, field.name)).tobytes())
        return hashed.hexdigest()

    @classmethod
    def of_arrays(cls, held: Mapping[str, NDArray[Any]], prefix: str) -> Trees:
        """Trees from arrays with a prefix to their names.

        Raises
        ------
        ValueError
            One is missing, or they do not fit together.
        """
        names = {field.name: f"{prefix}_{field.name}" for field in fields(cls)}
        missing = [name for name in names.values() if name not in held]
        if missing:
            raise ValueError(f"The weights hold no trees: {', '.join(missing)} are missing.")
        trees = cls(**{name: held[key] for name, key in names.items()})
        inner = trees.feature.shape[1]
        fits = (
            trees.threshold.shape == trees.feature.shape
            and trees.leaf.shape == (len(trees.feature), inner + 1)
            and (inner + 1) & inner == 0
        )
        if not fits:
            raise ValueError("The weights hold trees whose parts do not fit together.")
        return trees

    def arrays(self, prefix: str) -> dict[str, NDArray[Any]]:
        """As `of_arrays` takes them."""
        return {f"{prefix}_{field.name}": getattr(self, field.name) for field in fields(self)}

    def probabilities(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability of each class.

        Parameters
        ----------
        values : float32 (features, n)
            Of n pixels.

        Returns
        -------
        float32 (classes, n)
        """
        count = values.shape[1]
        raw = np.empty((len(self.start), count), np.float32)
        raw[:] = self.start[:, None]
        padded = np.empty((values.shape[0], BLOCK), np.float32)
        places = np.empty(BLOCK, np.uint32)
        ascend(values, self.feature, self.threshold, self.leaf, padded, places, raw)
        raw -= raw.max(axis=0)
        np.exp(raw, out=raw)
        raw /= raw.sum(axis=0)
        return raw


@kernel
def ascend(
    values: NDArray[np.float32],
    feature: NDArray[np.uint8],
    threshold: NDArray[np.float32],
    leaf: NDArray[np.float32],
    block: NDArray[np.float32],
    places: NDArray[np.uint32],
    raw: NDArray[np.float32],
) -> None:
    """Add to `raw` (classes, n) what all trees say of `values` (features, n)."""
    classes, inner = raw.shape[0], feature.shape[1]
    depth = 0
    while (1 << depth) - 1 < inner:
        depth += 1
    for first in range(0, values.shape[1], block.shape[1]):
        some = min(block.shape[1], values.shape[1] - first)
        for number in range(values.shape[0]):
            source, target = values[number, first : first + some], block[number]
            for pixel in range(some):
                target[pixel] = source[pixel]
        for tree in range(feature.shape[0]):
            asked, limits, ends = feature[tree], threshold[tree], leaf[tree]
            out = raw[tree % classes, first : first + some]
            for pixel in range(some):
                places[pixel] = 0
            for _ in range(depth):
                for pixel in range(some):
                    node = places[pixel]
                    step = np.uint32(block[asked[node], pixel] > limits[node])
                    places[pixel] = np.uint32(2) * node + np.uint32(1) + step
            for pixel in range(some):
                out[pixel] += ends[places[pixel] - np.uint32(inner)]


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz`` file; nothing in it runs."""
    with np.load(path, allow_pickle=False) as file:
        return {name: np.asarray(file[name]) for name in file.files}
