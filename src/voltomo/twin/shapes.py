"""The shapes of a sample in pixels, and what materials add to them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.attenuation import mu_total, refraction_delta
from voltomo.dose.materials import material
from voltomo.twin.grains import Grains

Doubles = NDArray[np.float64]

_HOLLOW_PART = 0.25


@dataclass(frozen=True)
class Shapes:
    """Shapes in pixels from the axis, and what each adds to attenuation and refraction.

    Attributes
    ----------
    cylinders : array, shape (n, 5)
        Endless along the axis: x, y, semi-axes, direction in radians.
    cylinder_values : array, shape (n, 2)
        Attenuation and refraction decrement, per pixel, more than what lies around.
    discs : array, shape (k, 5)
        Across the axis: x, y, height above the middle row, radius, half the thickness.
    disc_values : array, shape (k, 2)
    spheres : array, shape (m, 4)
        x, y, row at which it falls without tilt, radius.
    signs : array, shape (m,)
        +1 particle, −1 hollow in a particle.
    sphere_values : tuple
        Attenuation and refraction decrement of the particles, per pixel, more than around.
    grains : Grains
        Spheres of other stuffs, with cracks; none in most samples.
    """

    cylinders: Doubles
    cylinder_values: Doubles
    discs: Doubles
    disc_values: Doubles
    spheres: Doubles
    signs: Doubles
    sphere_values: tuple[float, float]
    grains: Grains = field(default_factory=Grains)

    def thinned(self, part: float) -> Shapes:
        """The same shapes of a thinner stuff."""
        attenuation, refraction = self.sphere_values
        return replace(
            self,
            cylinder_values=self.cylinder_values * part,
            disc_values=self.disc_values * part,
            sphere_values=(attenuation * part, refraction * part),
            grains=self.grains.thinned(part),
        )

    def scaled(self, factor: float, middle_row: float, new_middle_row: float) -> Shapes:
        """The same shapes, larger in pixels by a factor: seen with smaller pixels."""
        cylinders, discs, spheres = self.cylinders.copy(), self.discs.copy(), self.spheres.copy()
        cylinders[:, :4] *= factor
        discs *= factor
        spheres[:, 2] -= middle_row
        spheres *= factor
        spheres[:, 2] += new_middle_row
        # Attenuation is per pixel; the decrement has no unit.
        per_pixel = np.array([1 / factor, 1.0])
        attenuation, refraction = self.sphere_values
        return Shapes(
            cylinders,
            self.cylinder_values * per_pixel,
            discs,
            self.disc_values * per_pixel,
            spheres,
            self.signs,
            (attenuation / factor, refraction),
            self.grains.scaled(factor),
        )


def more_than_around(
    name: str, around: str, energy_keV: float, pixel_um: float
) -> tuple[float, float]:
    """Attenuation per pixel and δ of a material, more than those of what lies around it."""
    inner, outer = material(name), material(around) if around else None
    mu_per_cm = mu_total(inner, energy_keV)
    delta = refraction_delta(inner, energy_keV)
    if outer is not None:
        mu_per_cm -= mu_total(outer, energy_keV)
        delta -= refraction_delta(outer, energy_keV)
    return mu_per_cm * pixel_um * 1e-4, delta


def with_hollows(
    random: np.random.Generator, particles: Doubles
) -> tuple[Doubles, NDArray[np.float64]]:
    """Particles, some of them hollow, and their signs."""
    hollow = random.random(len(particles)) < _HOLLOW_PART
    hollows = particles[hollow].copy()
    hollows[:, 3] *= random.uniform(0.3, 0.55, len(hollows))
    signs = np.concatenate([np.ones(len(particles)), -np.ones(len(hollows))])
    return np.vstack([particles, hollows]), signs
