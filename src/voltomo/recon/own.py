"""The own reconstruction of whole slabs: gridding, in several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.gridding import GriddingReconstructor
from voltomo.analysis.gridding_kernels import LANES
from voltomo.analysis.reconstructor import Capabilities, SliceGeometry


class OwnReconstructor:
    """`voltomo.analysis.gridding.GriddingReconstructor`, a few slices to each thread.

    Implements `voltomo.analysis.reconstructor.Reconstructor`.

    Parameters
    ----------
    threads : int
        How many work at a time; each holds the memory of one reconstructor.
    """

    capabilities = Capabilities("own", grows=False, any_order=False, largest_tilt_deg=0.0)

    def __init__(self, threads: int) -> None:
        self._each = [GriddingReconstructor() for _ in range(threads)]
        self._prepared: Any = None

    @property
    def memory_promise_bytes(self) -> int:
        """Upper bound of what is held besides sinograms given and slices returned."""
        return sum(one.memory_promise_bytes for one in self._each)

    def prepare(
        self,
        geometry: SliceGeometry,
        angles_deg: ArrayLike | None = None,
        size: int | None = None,
        weights_rad: ArrayLike | None = None,
    ) -> None:
        """See `Reconstructor.prepare`; the same again costs nothing."""
        angles = np.asarray([] if angles_deg is None else angles_deg, np.float64)
        asked = (geometry.columns, geometry.axis, geometry.tilt_deg, size, angles.tobytes())
        if weights_rad is None and asked == self._prepared:
            return
        for one in self._each:
            one.prepare(geometry, angles_deg, size, weights_rad)
        self._prepared = asked if weights_rad is None else None

    def recon_slices(self, sinograms: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Reconstructor.recon_slices`."""
        threads = len(self._each)
        blocks = [sinograms[i : i + LANES] for i in range(0, len(sinograms), LANES)]

        def some(number: int) -> list[NDArray[np.float32]]:
            return [self._each[number].recon_slices(block) for block in blocks[number::threads]]

        slices: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(blocks)
        with ThreadPoolExecutor(threads) as pool:
            for number, made in enumerate(pool.map(some, range(threads))):
                slices[number::threads] = made
        return np.concatenate(slices)

    def close(self) -> None:
        """Nothing is left behind."""
