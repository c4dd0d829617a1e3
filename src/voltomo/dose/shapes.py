"""Shapes of cells: how much of each layer the beam passes before it reaches a point.

Pouch and coin cells are sheets, cylindrical cells and capillaries are shells about the rotation
axis. Both answer the same question for points that are laid over every layer in slices: the path
in each layer from where the beam enters to the point. Lengths are in cm, in the sample's frame
(`voltomo.dose.beam_frame`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.layers import StackLayer

__all__ = ["Mounting", "Shape", "Sheets", "Shells", "Slices"]

Floats = NDArray[np.float64]

Mounting = Literal["upright", "flat"]
"""Sheets with the rotation axis in their plane (tomography), or normal to it (laminography)."""

_EDGE_ON = 1e-9
_WITHIN = 1e-12
_PLACES = 5
_AZIMUTHS = 24
_POINTS_AT_MOST = 300


@dataclass(frozen=True)
class Slices:
    """Points over a shape: each layer cut into slices of equal volume, at some places beside.

    Attributes
    ----------
    points_cm : array, shape (places, boundaries, 3)
        Points on the boundaries of the slices, layer after layer.
    layer : array of int, shape (boundaries,)
        Which layer a boundary belongs to; neighbours of one layer hold a slice between them.
    """

    points_cm: Floats
    layer: NDArray[np.int64]


class Shape(Protocol):
    """A cell in the beam."""

    @property
    def layers(self) -> tuple[StackLayer, ...]:
        """Layers, in the order in which the beam meets them at an angle of 0."""
        ...

    @property
    def width_cm(self) -> float:
        """Largest extent across the rotation axis."""
        ...

    def slices(self, beam_width_cm: float) -> Slices:
        """Points over what the beam reaches of every layer while the sample turns."""
        ...

    def upstream_cm(self, points_cm: Floats, direction: Floats) -> Floats:
        """Path in each layer from where the beam enters to the point.

        Parameters
        ----------
        points_cm : array, shape (..., 3)
            Points within the shape.
        direction : array, shape (3,)
            Along the beam; a unit vector.

        Returns
        -------
        array, shape (..., layers)
        """
        ...


@dataclass(frozen=True)
class Sheets:
    """Flat layers, centred on the rotation axis: pouch and coin cells.

    Attributes
    ----------
    layers : tuple of StackLayer
        In the order in which the beam meets them at an angle of 0.
    width_cm : float
        Width of a pouch across the axis (and across the other side), diameter of a coin.
    mounting : {"upright", "flat"}
        How the rotation axis lies in it.
    disc : bool
        Whether it is round.
    """

    layers: tuple[StackLayer, ...]
    width_cm: float
    mounting: Mounting = "upright"
    disc: bool = False

    @property
    def edges_cm(self) -> Floats:
        """Depths at which layers begin and end, from the face that the beam meets, (n + 1,)."""
        return np.array(list(accumulate((each.thickness_cm for each in self.layers), initial=0.0)))

    def slices(self, beam_width_cm: float) -> Slices:
        """See `Shape.slices`."""
        edges = self.edges_cm
        depth, layer = _boundaries(edges)
        # Where the beam stays at all angles, however the sheet is turned about its middle.
        lit = math.sqrt(max(beam_width_cm**2 - float(edges[-1]) ** 2, 0.0))
        half = min(lit, self.width_cm) / 2 * (1 - _EDGE_ON)
        place = np.linspace(-half, half, _PLACES)
        local = np.zeros((_PLACES, depth.size, 3))
        local[..., 0] = place[:, None]
        local[..., 2] = depth - edges[-1] / 2
        return Slices(self._to_sample(local), layer)

    def upstream_cm(self, points_cm: Floats, direction: Floats) -> Floats:
        """See `Shape.upstream_cm`."""
        edges = self.edges_cm
        local = self._to_local(points_cm)
        along, depth = self._to_local(direction), local[..., 2] + edges[-1] / 2
        back = self._to_the_rim(local, along)
        if abs(along[2]) > _EDGE_ON:
            face = depth if along[2] > 0 else edges[-1] - depth
            back = np.minimum(back, face / abs(along[2]))
            entry = depth - back * along[2]
            first, last = np.minimum(entry, depth), np.maximum(entry, depth)
            inside = np.minimum(last[..., None], edges[1:]) - np.maximum(
                first[..., None], edges[:-1]
            )
            return np.maximum(inside, 0.0) / abs(along[2])
        own = (depth[..., None] >= edges[:-1]) & (depth[..., None] < edges[1:])
        return np.where(own, back[..., None], 0.0)

    def _to_the_rim(self, local: Floats, along: Floats) -> Floats:
        """Way against the beam to the rim of the sheets."""
        half = self.width_cm / 2
        if self.disc:
            across = float(along[0] ** 2 + along[1] ** 2)
            if across < _EDGE_ON**2:
                return np.full(local.shape[:-1], math.inf)
            ahead = local[..., 0] * along[0] + local[..., 1] * along[1]
            room = half**2 - local[..., 0] ** 2 - local[..., 1] ** 2
            return (ahead + np.sqrt(np.maximum(ahead**2 + across * room, 0.0))) / across
        back = np.full(local.shape[:-1], math.inf)
        for axis in (0, 1):
            if abs(along[axis]) > _EDGE_ON:
                place = local[..., axis] * math.copysign(1.0, along[axis])
                back = np.minimum(back, (place + half) / abs(along[axis]))
        return np.maximum(back, 0.0)

    def _to_local(self, vector: Floats) -> Floats:
        """From the sample's frame to (across, other side, depth)."""
        x, y, z = vector[..., 0], vector[..., 1], vector[..., 2]
        # Flat sheets lie across the axis, whose upper end leans towards the source.
        return np.stack([x, z, y] if self.mounting == "upright" else [x, y, -z], axis=-1)

    def _to_sample(self, local: Floats) -> Floats:
        across, other, depth = local[..., 0], local[..., 1], local[..., 2]
        both = [across, depth, other] if self.mounting == "upright" else [across, other, -depth]
        return np.stack(both, axis=-1)


@dataclass(frozen=True)
class Shells:
    """Round layers about the rotation axis: cylindrical cells and capillaries, long along it.

    Attributes
    ----------
    layers : tuple of StackLayer
        From outside inwards; the last fills the middle, its thickness is its radius.
    """

    layers: tuple[StackLayer, ...]

    @property
    def width_cm(self) -> float:
        """The diameter."""
        return 2 * float(self.radii_cm[0])

    @property
    def radii_cm(self) -> Floats:
        """Outer radius of each layer, and 0, shape (n + 1,)."""
        inwards = [each.thickness_cm for each in reversed(self.layers)]
        return np.array(list(accumulate(inwards, initial=0.0)))[::-1]

    def slices(self, beam_width_cm: float) -> Slices:
        """See `Shape.slices`; all of every shell comes into the beam at some angle."""
        squared, layer = _boundaries(self.radii_cm**2)
        radius = np.sqrt(np.maximum(squared, 0.0))
        azimuth = np.arange(_AZIMUTHS) * (2 * math.pi / _AZIMUTHS)
        points = np.zeros((_AZIMUTHS, radius.size, 3))
        points[..., 0] = np.cos(azimuth)[:, None] * radius
        points[..., 1] = np.sin(azimuth)[:, None] * radius
        return Slices(points, layer)

    def upstream_cm(self, points_cm: Floats, direction: Floats) -> Floats:
        """See `Shape.upstream_cm`."""
        across = float(direction[0] ** 2 + direction[1] ** 2)
        ahead = points_cm[..., 0] * direction[0] + points_cm[..., 1] * direction[1]
        squared = points_cm[..., 0] ** 2 + points_cm[..., 1] ** 2
        radii = self.radii_cm
        # Against the beam by t the distance from the axis is r^2 - 2 t ahead + t^2 across.
        root = ahead[..., None] ** 2 + across * (radii**2 - squared[..., None])
        reach = np.sqrt(np.maximum(root, 0.0))
        last, first = ahead[..., None] + reach, ahead[..., None] - reach
        inside = np.where(root > 0, np.maximum(last, 0.0) - np.maximum(first, 0.0), 0.0) / across
        return np.maximum(inside[..., :-1] - inside[..., 1:], 0.0)


def _boundaries(edges: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Cut between neighbouring edges into equal parts; their boundaries, just within each."""
    layers = edges.size - 1
    parts = int(np.clip(_POINTS_AT_MOST // layers, 2, 12))
    share = np.linspace(_WITHIN, 1 - _WITHIN, parts + 1)
    cut = edges[:-1, None] + np.diff(edges)[:, None] * share
    return cut.ravel(), np.repeat(np.arange(layers), parts + 1)
