"""Grains of an electrode: spheres, each of its own stuff, with cracks and hollows in some."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.grain_kernels import add_grains, add_voids, draw_grains, label_grains
from voltomo.twin.projector import centres

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]


class Kind(IntEnum):
    """What a pixel of the truth is; 0 is what nobody asks about: casing and beyond."""

    OUTSIDE = 0
    PORE = 1
    BINDER = 2
    ACTIVE = 3
    CRACK = 4
    METAL = 5
    GAS = 6


def _none(width: int) -> Doubles:
    return np.empty((0, width))


def _no_numbers() -> NDArray[np.int64]:
    return np.empty(0, np.int64)


@dataclass(frozen=True)
class Grains:
    """Spheres with values of their own, and voids within some of them; none by default.

    Attributes
    ----------
    spheres : array, shape (n, 4)
        x, y, height above the middle row, radius, in pixels; later ones lie in or over earlier.
    values : array, shape (n, 2)
        Attenuation and refraction decrement, per pixel, more than what lies around.
    kinds : int array, shape (n,)
        `Kind` of each.
    voids : array, shape (k, 8)
        x, y, height and radius of a ball, the normal of a slab through its middle, half its width.
    hosts : int array, shape (k,)
        The sphere that each void lies in, in rising order.
    void_kinds : int array, shape (k,)
        `Kind.CRACK`, or `Kind.PORE` for hollows.
    void_values : tuple
        What a void has more than the grain round it.
    core_radius : float
        The truth is known within this distance of the axis.
    """

    spheres: Doubles = field(default_factory=lambda: _none(4))
    values: Doubles = field(default_factory=lambda: _none(2))
    kinds: NDArray[np.int64] = field(default_factory=_no_numbers)
    voids: Doubles = field(default_factory=lambda: _none(8))
    hosts: NDArray[np.int64] = field(default_factory=_no_numbers)
    void_kinds: NDArray[np.int64] = field(default_factory=_no_numbers)
    void_values: tuple[float, float] = (0.0, 0.0)
    core_radius: float = 0.0

    def thinned(self, part: float) -> Grains:
        """The same grains of a thinner stuff."""
        attenuation, refraction = self.void_values
        return replace(
            self, values=self.values * part, void_values=(attenuation * part, refraction * part)
        )

    def scaled(self, factor: float) -> Grains:
        """The same grains, larger in pixels by a factor: seen with smaller pixels."""
        voids = self.voids.copy()
        voids[:, :4] *= factor
        voids[:, 7] *= factor
        attenuation, refraction = self.void_values
        return replace(
            self,
            spheres=self.spheres * factor,
            # Attenuation is per pixel; the decrement has no unit.
            values=self.values * np.array([1 / factor, 1.0]),
            voids=voids,
            void_values=(attenuation / factor, refraction),
            core_radius=self.core_radius * factor,
        )

    def without(self, kind: Kind) -> Grains:
        """The same electrode as it was before these grains came; none of them may hold voids."""
        kept = self.kinds != kind
        numbers = np.cumsum(kept) - 1
        return replace(
            self,
            spheres=self.spheres[kept],
            values=self.values[kept],
            kinds=self.kinds[kept],
            hosts=numbers[self.hosts],
        )

    def add_to(
        self,
        images: Floats,
        pose: tuple[float, float, float],
        axis: float,
        moved: tuple[float, ...],
    ) -> None:
        """Add line integrals to images (2, rows, columns).

        Parameters
        ----------
        images : array
            Of attenuation and of refraction.
        pose : tuple
            Angle, tilt and roll in radians.
        axis : float
            Column of the rotation axis.
        moved : tuple
            How far the sample is moved across and up.
        """
        if not len(self.spheres):
            return
        angle, tilt, roll = pose
        rows = images.shape[1]
        middle = (rows - 1) / 2
        falling = self.spheres.copy()
        falling[:, 2] += middle
        place = (axis, middle, moved[0], moved[1])
        falls = centres(falling, angle, tilt, roll, place)
        add_grains(images, falls, self.spheres[:, 3].copy(), self.values)
        if len(self.voids):
            lengths = np.zeros(images.shape[1:], np.float32)
            view = (np.cos(roll), np.sin(roll), axis, middle)
            add_voids(
                lengths, self.spheres, self.voids, self.hosts, angle, tilt, view,
                (moved[0], moved[1]),
            )  # fmt: skip
            for image, value in zip(images, self.void_values, strict=True):
                image += lengths * np.float32(value)

    def draw(self, image: Doubles, height: float) -> None:
        """Add attenuation per pixel to a slice at a height above the middle row."""
        draw_grains(
            image, self.spheres, self.values[:, 0].copy(), self.voids, self.hosts,
            self.void_values[0], (image.shape[0] - 1) / 2, height, 4,
        )  # fmt: skip

    def labels(self, size: int, height: float) -> NDArray[np.uint8]:
        """`Kind` at the middle of each pixel of a slice (size, size) at a height."""
        centre = (size - 1) / 2
        away = np.arange(size) - centre
        inside = np.hypot(away[:, None], away[None, :]) < self.core_radius
        labels = np.where(inside, np.uint8(Kind.PORE), np.uint8(Kind.OUTSIDE))
        label_grains(
            labels, self.spheres, self.kinds, self.voids, self.hosts, self.void_kinds, centre,
            height,
        )  # fmt: skip
        labels[~inside] = Kind.OUTSIDE
        return labels
