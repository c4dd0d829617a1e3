"""A coarse volume of the views that are kept, at any moment of a scan."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.crew import share
from voltomo.analysis.plane import Plane
from voltomo.analysis.plane_buffer import ViewBuffer
from voltomo.analysis.plane_kernels import add_to_plane
from voltomo.analysis.reconstructor import VolumeGeometry
from voltomo.analysis.resampling import bin_frame


@dataclass(frozen=True)
class BinnedVolumePlan:
    """What a coarse volume will be, and what it will take, before it is made.

    Attributes
    ----------
    size : int
        Voxels along x and y.
    levels : int
        Voxels along z; as high as the field.
    step : float
        Edge of a voxel in detector pixels.
    binning : int
        Detector pixels along the edge of a pixel of the views that it is made of.
    promise_bytes : int
        Upper bound of the memory that making it takes, the views that are kept left out.
    """

    size: int
    levels: int
    step: float
    binning: int
    promise_bytes: int

    @classmethod
    def of(cls, geometry: VolumeGeometry, size: int, view_binning: int, threads: int = 1) -> (
        "BinnedVolumePlan"
    ):  # fmt: skip
        """Plan a volume as wide as the field.

        Parameters
        ----------
        geometry : VolumeGeometry
            Of the views.
        size : int
            Voxels along x and y, at most as many as a kept view has columns.
        view_binning : int
            Binning of the views that are kept.
        threads : int
            Threads that will work.

        Raises
        ------
        ValueError
            If the size cannot be had.
        """
        finest = geometry.columns // view_binning
        if not 8 <= size <= finest:
            raise ValueError(
                f"expected a volume of 8 to {finest} voxels along an edge, as the views are kept "
                f"binned by {view_binning}; got {size}. No volume was made: ask for another size"
            )
        step = geometry.columns / size
        binning = view_binning * max(1, int(step / view_binning + 1e-9))
        levels = max(1, math.ceil(geometry.rows / step))
        coarse = (geometry.rows // binning + 1) * (geometry.columns // binning + 1)
        promise = 4 * (levels * size * size + coarse) + 64 * levels * threads + 65536
        return cls(size, levels, step, binning, promise)


def binned_volume(
    geometry: VolumeGeometry,
    plan: BinnedVolumePlan,
    buffer: ViewBuffer,
    scale: float = 1.0,
    threads: int = 1,
) -> NDArray[np.float32]:
    """Back-project the views that are kept now onto a coarse grid.

    Every view is binned to the voxels before, so that noise does not alias. Views may be added to
    the buffer meanwhile, as long as none is forgotten.

    Parameters
    ----------
    geometry : VolumeGeometry
        Of the views.
    plan : BinnedVolumePlan
        Made for this geometry and the buffer's binning.
    buffer : ViewBuffer
        Filtered views with their weights.
    scale : float
        Factor of the weighted sum.
    threads : int
        Threads that work, each on levels of its own.

    Returns
    -------
    float32 (levels, size, size)
        ``volume[z, y, x]``, attenuation per detector pixel.
    """
    views, angles, weights = buffer.held()
    volume = np.zeros((plan.levels, plan.size, plan.size), np.float32)
    rows, columns = geometry.rows // plan.binning, geometry.columns // plan.binning
    coarse = np.zeros((rows + 1, columns + 1), np.float32)
    middle = (plan.levels - 1) / 2
    levels = [
        Plane(plan.size, plan.size, (0.0, 0.0, (z - middle) * plan.step), step=plan.step)
        for z in range(plan.levels)
    ]
    for frame, angle, weight in zip(views, angles, weights, strict=True):
        bin_frame(frame, plan.binning // buffer.binning, rows, columns, coarse)

        def add(_: int, z: int, angle: float = float(angle), weight: float = float(weight)) -> None:
            place = levels[z].on_detector(geometry, angle) / plan.binning
            place[:2] -= (plan.binning - 1) / (2 * plan.binning)
            add_to_plane(volume[z], coarse, place, scale * weight, 0, plan.size)

        share(threads, add, range(plan.levels))
    return volume
