"""Volumes that are larger than the memory, slab by slab from projections that can be read again."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.reconstructor import VolumeGeometry
from voltomo.analysis.volume import VolumeReconstructor
from voltomo.analysis.volume_plan import PLANES_AT_ONCE, VolumePlan


class Projections(Protocol):
    """Line integrals that are read in parts: an array, a memory map, a dataset of an open file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Views, rows, columns."""
        ...

    def __getitem__(self, place: tuple[int, slice], /) -> Any:
        """Some rows of one view."""
        ...


def reconstruct_slabs(
    projections: Projections,
    angles_deg: ArrayLike,
    geometry: VolumeGeometry,
    plan: VolumePlan,
    weights_rad: ArrayLike | None = None,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Make a volume slab by slab, within the memory that the plan promised.

    Parameters
    ----------
    projections : Projections (views, rows, columns)
        Line integrals. Every slab reads of each view the rows that it needs.
    angles_deg : array_like (views,)
        Angles at mid-exposure, in any order.
    geometry : VolumeGeometry
        Detector, axis, roll and tilt.
    plan : VolumePlan
        From `voltomo.analysis.volume_plan.plan_volume`, for this geometry.
    weights_rad : array_like (views,), optional
        See `VolumeReconstructor.add`.

    Yields
    ------
    first : int
        Number of the first plane, from 0 on.
    planes : float32 (at most 16, N, N)
        Attenuation per detector pixel; z, y, x.

    Raises
    ------
    ValueError
        If there is not one angle and one weight a view, or a view cannot be used.
    """
    angles = np.asarray(angles_deg, np.float64)
    weights = None if weights_rad is None else np.asarray(weights_rad, np.float64)
    views = projections.shape[0]
    if angles.shape != (views,) or (weights is not None and weights.shape != angles.shape):
        raise ValueError(
            f"There must be one angle and one weight a view; there are {views} views, angles "
            f"{angles.shape}" + ("." if weights is None else f" and weights {weights.shape}.")
        )
    for number in range(len(plan.slabs)):
        slab = VolumeReconstructor(geometry, plan, number)
        rows = slice(*slab.rows_needed)
        for view in range(views):
            part = np.asarray(projections[view, rows], np.float32)
            weight = None if weights is None else float(weights[view])
            slab.add(part, float(angles[view]), weight)
        for first in range(slab.first, slab.last, PLANES_AT_ONCE):
            yield first, slab.planes(first, min(first + PLANES_AT_ONCE, slab.last))
        del slab
