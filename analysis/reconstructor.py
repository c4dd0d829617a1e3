"""What every reconstruction backend offers, whatever its method.

One convention for all of them, that of `voltomo.model.geometry`: parallel beam; pixel centres at
integers; a point (x, y) of the slice projects to ``u = axis + x cos(angle) + y sin(angle)``; in the
slice ``x = column - (N - 1) / 2`` and ``y = row - (N - 1) / 2``; in a volume of depth D likewise
``z = index - (D - 1) / 2``; values are attenuation per detector pixel.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class SliceGeometry(Protocol):
    """The part of `voltomo.model.geometry.Geometry` that a reconstruction needs."""

    @property
    def columns(self) -> int:
        """Columns of a detector row."""
        ...

    @property
    def axis(self) -> float:
        """Column of the rotation axis."""
        ...

    @property
    def roll_deg(self) -> float:
        """Rotation of the axis in the detector plane."""
        ...

    @property
    def tilt_deg(self) -> float:
        """0 = axis normal to the beam."""
        ...


class VolumeGeometry(SliceGeometry, Protocol):
    """What the reconstruction of a volume needs besides."""

    @property
    def rows(self) -> int:
        """Rows of the detector."""
        ...


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do; ask before relying on it.

    Attributes
    ----------
    name : str
        Name of the backend for reports.
    grows : bool
        `recon` may be called between two `add`, at any number of views.
    any_order : bool
        Views may come in any order and at any angle, without being announced.
    largest_tilt_deg : float
        Largest `tilt_deg` of the geometry (0 = tomography only).
    """

    name: str
    grows: bool
    any_order: bool
    largest_tilt_deg: float


class Reconstructor(Protocol):
    """Turns sinograms into slices: `prepare` once, then `recon_slices` as often as wanted."""

    @property
    def capabilities(self) -> Capabilities:
        """What this backend can do."""
        ...

    @property
    def memory_promise_bytes(self) -> int:
        """Upper bound of the memory held at any time, known after `prepare`.

        What the caller gave, and slices that were returned to him, are not counted.
        """
        ...

    def prepare(
        self,
        geometry: SliceGeometry,
        angles_deg: ArrayLike | None = None,
        size: int | None = None,
        weights_rad: ArrayLike | None = None,
    ) -> None:
        """Take a scan's geometry, and forget the one before.

        Parameters
        ----------
        geometry : SliceGeometry
            Detector columns, rotation axis, roll and tilt.
        angles_deg : array_like (views,), optional
            The angles to come: for `recon_slices`, and for backends that must know them
            (`capabilities.any_order`).
        size : int, optional
            N of the N x N slice; the number of columns by default.
        weights_rad : array_like (views,), optional
            Arc of the half turn that each of these views stands for; from the angles, by
            `weights.angular_weights`, by default.

        Raises
        ------
        ValueError
            If the backend cannot serve the geometry, or angles or weights cannot be right.
        """
        ...

    def recon_slices(self, sinograms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Reconstruct whole slices at the prepared angles.

        Parameters
        ----------
        sinograms : float32 (slices, views, columns)
            Line integrals along the detector row of each slice.

        Returns
        -------
        float32 (slices, N, N)
            Attenuation per pixel.

        Raises
        ------
        ValueError
            If no angles were prepared, the shape is not theirs, or values are not finite.
        """
        ...


class GrowingReconstructor(Reconstructor, Protocol):
    """Also grows one slice: `prepare`, then `add` views, and `recon` when wanted."""

    def add(
        self, projection: NDArray[np.float32], angle_deg: float, weight_rad: float | None = None
    ) -> None:
        """Add one view.

        Parameters
        ----------
        projection : float32 (columns,)
            Line integrals along the detector row of the slice.
        angle_deg : float
            Angle at mid-exposure.
        weight_rad : float, optional
            Arc of the half turn that this view stands for (`weights.angular_weights`).
            By default all views get an equal share. A slice uses one way or the other.

        Raises
        ------
        ValueError
            If the row has the wrong length or values that are not finite.
        """
        ...

    def recon(self) -> NDArray[np.float32]:
        """Return the slice of all views so far, float32 (N, N), attenuation per pixel."""
        ...
