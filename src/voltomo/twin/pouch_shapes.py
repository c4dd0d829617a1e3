"""A piece of a pouch cell, flat and wider than the field: what laminography is for. From a seed.

From top to bottom along the axis: aluminium foil of the pouch, copper, graphite, separator, cathode
of NMC particles in electrolyte, aluminium, foil of the pouch; a flat bubble lies on the separator.
Layers are round discs, particles spheres.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.projector import place_spheres
from voltomo.twin.shapes import Shapes, more_than_around, with_hollows

RADIUS = 3.0
"""Of the piece, in half field widths: its edge never comes into the field."""
_LAYERS = (
    ("electrolyte", "", -0.30, 0.30),
    ("aluminium", "electrolyte", 0.28, 0.30),
    ("copper", "electrolyte", 0.255, 0.265),
    ("graphite", "electrolyte", 0.12, 0.255),
    ("PE", "electrolyte", 0.05, 0.11),
    ("aluminium", "electrolyte", -0.265, -0.25),
    ("aluminium", "electrolyte", -0.30, -0.28),
)
"""Material, what lies around it, and its lower and upper side, in half field widths."""
_CATHODE = (-0.24, 0.04)
_MEDIAN_RADIUS = 0.05
_RADIUS_SPREAD = 0.28
_FILLED = 1.6
"""Particles lie within this distance of the axis, in half field widths."""


def make_pouch(seed: int, half: float, rows: int, energy_keV: float, pixel_um: float) -> Shapes:
    """A piece of a pouch in the middle of a field of half this width."""
    random = np.random.default_rng((seed, 0x90C4))
    discs = np.array(
        [
            (0.0, 0.0, (low + high) / 2 * half, RADIUS * half, (high - low) / 2 * half)
            for _, _, low, high in _LAYERS
        ]
    )
    values = np.array([more_than_around(n, o, energy_keV, pixel_um) for n, o, _, _ in _LAYERS])
    bubble, less = _bubble(random, half, energy_keV, pixel_um)
    spheres, signs = with_hollows(random, _particles(random, half, rows))
    return Shapes(
        cylinders=np.empty((0, 5)),
        cylinder_values=np.empty((0, 2)),
        discs=np.vstack([discs, bubble]),
        disc_values=np.vstack([values, less]),
        spheres=spheres,
        signs=signs,
        sphere_values=more_than_around("NMC811", "electrolyte", energy_keV, pixel_um),
    )


def _bubble(
    random: np.random.Generator, half: float, energy_keV: float, pixel_um: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A flat bubble between graphite and separator."""
    x, y = random.uniform(-0.3, 0.3, 2) * half
    attenuation, delta = more_than_around("electrolyte", "", energy_keV, pixel_um)
    place = np.array([[x, y, 0.115 * half, 0.22 * half, 0.005 * half]])
    return place, np.array([[-attenuation, -delta]])


def _particles(random: np.random.Generator, half: float, rows: int) -> NDArray[np.float64]:
    """Particles of the cathode, whole within its layer, from the largest to the smallest."""
    low, high = (side * half for side in _CATHODE)
    median, filled = _MEDIAN_RADIUS * half, _FILLED * half
    wanted = int(0.30 * math.pi * filled**2 * (high - low) / (4.19 * median**3 * 1.4))
    tries = wanted * 30
    radii = np.minimum(median * np.exp(random.normal(0, _RADIUS_SPREAD, tries)), (high - low) / 3)
    radii = np.sort(radii.reshape(30, -1), axis=1)[:, ::-1].ravel()
    candidates = np.empty((tries, 4))
    distance = (filled - radii) * np.sqrt(random.random(tries))
    direction = random.uniform(0, 2 * math.pi, tries)
    candidates[:, 0] = distance * np.cos(direction)
    candidates[:, 1] = distance * np.sin(direction)
    height = low + radii + (high - low - 2 * radii) * random.random(tries)
    candidates[:, 2] = height + (rows - 1) / 2
    candidates[:, 3] = radii
    placed = np.zeros((wanted, 4))
    return placed[: place_spheres(placed, candidates, 0.02 * median)]
