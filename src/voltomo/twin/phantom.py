"""The sample of the virtual beamline: a small cylindrical cell, made of shapes, from a seed.

Outside in: polymer casing, electrolyte, aluminium foil, a wound graphite anode layer, separator,
and a cathode core of NMC particles (log-normal radii, some hollow) in binder and electrolyte,
with a bubble or two. All upright shapes are elliptic cylinders, the particles are spheres, so that
projections at any angle are exact.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.attenuation import mu_total, refraction_delta
from voltomo.dose.materials import material
from voltomo.twin.projector import (
    add_cylinders,
    add_spheres,
    draw_cylinders,
    draw_spheres,
    place_spheres,
)

Floats = NDArray[np.float32]

_LARGEST_LINE_INTEGRAL = 2.3
"""A transmission of 10 %: a thicker or heavier cell is thinned to it, as if it were porous."""

# Outer radius of each layer, in half field widths, from the casing inwards.
_LAYERS = (
    ("PEEK", 0.84),
    ("electrolyte", 0.79),
    ("aluminium", 0.74),
    ("graphite", 0.725),
    ("PE", 0.62),
    ("electrolyte", 0.58),
)
_CORE = 0.56
_MEDIAN_RADIUS = 0.055
_RADIUS_SPREAD = 0.28
_HOLLOW_PART = 0.25


@dataclass(frozen=True)
class Phantom:
    """Shapes in pixels from the axis, and what each adds to attenuation and refraction.

    Attributes
    ----------
    cylinders : array, shape (n, 5)
        x, y, semi-axes, direction in radians.
    cylinder_values : array, shape (n, 2)
        Attenuation and refraction decrement, per pixel, more than what lies around.
    spheres : array, shape (m, 4)
        x, y, row, radius.
    signs : array, shape (m,)
        +1 particle, −1 hollow in a particle.
    sphere_values : tuple
        Attenuation and refraction decrement of the particles, per pixel, more than around.
    """

    rows: int
    columns: int
    pixel_um: float
    energy_keV: float
    axis_column: float
    cylinders: NDArray[np.float64]
    cylinder_values: NDArray[np.float64]
    spheres: NDArray[np.float64]
    signs: NDArray[np.float64]
    sphere_values: tuple[float, float]

    @classmethod
    def make(
        cls,
        seed: int,
        columns: int,
        rows: int,
        pixel_um: float,
        energy_keV: float,
        axis_column: float | None = None,
    ) -> Phantom:
        """A cell that fits into the field at every angle; the same seed gives the same cell.

        Parameters
        ----------
        seed : int
        columns, rows : int
            Of the detector.
        pixel_um : float
            Pixel size at the sample.
        energy_keV : float
            Photon energy.
        axis_column : float, optional
            Column of the rotation axis; the middle if not given.
        """
        axis = (columns - 1) / 2 if axis_column is None else axis_column
        half = min(axis + 0.5, columns - 0.5 - axis)
        random = np.random.default_rng((seed, 0x7077))
        layers = _cylinders(random, half)
        particles = _particles(random, half, rows)
        hollow = random.random(len(particles)) < _HOLLOW_PART
        hollows = particles[hollow].copy()
        hollows[:, 3] *= random.uniform(0.3, 0.55, len(hollows))
        made = cls(
            rows=rows,
            columns=columns,
            pixel_um=pixel_um,
            energy_keV=energy_keV,
            axis_column=axis,
            cylinders=layers,
            cylinder_values=_layer_values(len(layers), energy_keV, pixel_um),
            spheres=np.vstack([particles, hollows]),
            signs=np.concatenate([np.ones(len(particles)), -np.ones(len(hollows))]),
            sphere_values=_more("NMC811", "electrolyte", energy_keV, pixel_um),
        )
        return made._thinned()

    def _thinned(self) -> Phantom:
        peak = max(float(self.projection(angle)[0].max()) for angle in (0.0, 45.0, 90.0, 135.0))
        part = min(1.0, _LARGEST_LINE_INTEGRAL / peak)
        attenuation, refraction = self.sphere_values
        return Phantom(
            **{
                **self.__dict__,
                "cylinder_values": self.cylinder_values * part,
                "sphere_values": (attenuation * part, refraction * part),
            }
        )

    def projection(
        self, angle_deg: float, shift_columns: float = 0.0, shift_rows: float = 0.0
    ) -> tuple[Floats, Floats]:
        """Line integrals at a stage angle.

        Parameters
        ----------
        angle_deg : float
            Of the rotation.
        shift_columns, shift_rows : float
            How far the sample, axis included, is moved over the detector.

        Returns
        -------
        attenuation, path : arrays, shape (rows, columns), float32
            ∫µ dl, and ∫δ dl in metres.
        """
        angle, axis = math.radians(angle_deg), self.axis_column + shift_columns
        profiles = np.zeros((2, self.columns))
        add_cylinders(profiles, self.cylinders, self.cylinder_values, angle, axis)
        lengths = np.zeros((self.rows, self.columns), np.float32)
        add_spheres(lengths, self.spheres, self.signs, angle, axis, shift_rows)
        attenuation = lengths * np.float32(self.sphere_values[0])
        attenuation += profiles[0].astype(np.float32)
        path = lengths * np.float32(self.sphere_values[1])
        path += profiles[1].astype(np.float32)
        path *= np.float32(self.pixel_um * 1e-6)
        return attenuation, path

    def slice_attenuation(self, row: float) -> Floats:
        """Truth of a slice: attenuation per pixel, shape (columns, columns), ``image[y, x]``.

        The axis is at the middle, ``(columns - 1) / 2``, wherever it falls on the detector.
        """
        image = np.zeros((self.columns, self.columns))
        centre = (self.columns - 1) / 2
        draw_cylinders(image, self.cylinders, self.cylinder_values[:, 0].copy(), centre, 8)
        values = self.signs * self.sphere_values[0]
        draw_spheres(image, self.spheres, values, centre, float(row), 4)
        return image.astype(np.float32)


def _more(name: str, around: str, energy_keV: float, pixel_um: float) -> tuple[float, float]:
    """Attenuation per pixel and δ of a material, more than those of what lies around it."""
    inner, outer = material(name), material(around) if around else None
    mu_per_cm = mu_total(inner, energy_keV)
    delta = refraction_delta(inner, energy_keV)
    if outer is not None:
        mu_per_cm -= mu_total(outer, energy_keV)
        delta -= refraction_delta(outer, energy_keV)
    return mu_per_cm * pixel_um * 1e-4, delta


def _cylinders(random: np.random.Generator, half: float) -> NDArray[np.float64]:
    """Layers from outside in, slightly out of round and off centre, then bubbles."""
    shapes: list[tuple[float, ...]] = []
    x, y = random.normal(0, 0.006 * half, 2)
    for number, (_, radius) in enumerate(_LAYERS):
        squeeze = 1.0 if number < 2 else float(random.uniform(0.985, 1.0))
        turn = float(random.uniform(0, math.pi))
        shapes.append((float(x), float(y), radius * half, radius * half * squeeze, turn))
    for _ in range(3):
        angle, distance = random.uniform(0, 2 * math.pi), 0.765 * half
        size = random.uniform(0.012, 0.018) * half
        shapes.append(
            (
                float(x + distance * math.cos(angle)),
                float(y + distance * math.sin(angle)),
                float(size),
                float(size * 0.8),
                float(angle),
            )
        )
    return np.array(shapes)


def _layer_values(count: int, energy_keV: float, pixel_um: float) -> NDArray[np.float64]:
    values = [_more(_LAYERS[0][0], "", energy_keV, pixel_um)]
    for (outer, _), (inner, _) in pairwise(_LAYERS):
        values.append(_more(inner, outer, energy_keV, pixel_um))
    attenuation, delta = _more("electrolyte", "", energy_keV, pixel_um)
    values += [(-attenuation, -delta)] * (count - len(values))
    return np.array(values)


def _particles(random: np.random.Generator, half: float, rows: int) -> NDArray[np.float64]:
    """Particles of the core, packed at random from the largest to the smallest."""
    core, median = _CORE * half, _MEDIAN_RADIUS * half
    margin = 3 * median
    tall = rows + 2 * margin
    wanted = max(4, int(0.36 * math.pi * core**2 * tall / (4.19 * median**3 * 1.4)))
    tries = wanted * 40
    radii = median * np.exp(random.normal(0, _RADIUS_SPREAD, tries))
    radii = np.minimum(radii, 2.2 * median)
    # Large ones first within batches, so that small ones fill what is left.
    radii = np.sort(radii.reshape(40, -1), axis=1)[:, ::-1].ravel()
    candidates = np.empty((tries, 4))
    distance = (core - radii) * np.sqrt(random.random(tries))
    direction = random.uniform(0, 2 * math.pi, tries)
    candidates[:, 0] = distance * np.cos(direction)
    candidates[:, 1] = distance * np.sin(direction)
    candidates[:, 2] = random.uniform(-margin, rows + margin, tries)
    candidates[:, 3] = radii
    placed = np.zeros((wanted, 4))
    return placed[: place_spheres(placed, candidates, 0.02 * median)]
