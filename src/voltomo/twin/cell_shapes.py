"""A small cylindrical cell, from a seed.

Outside in: polymer casing, electrolyte, aluminium foil, a wound graphite anode layer, separator,
and a cathode core of NMC particles (log-normal radii, some hollow) in binder and electrolyte,
with a bubble or two. Layers are endless elliptic cylinders, particles spheres.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.projector import place_spheres
from voltomo.twin.shapes import Shapes, more_than_around, with_hollows

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


def make_cell(seed: int, half: float, rows: int, energy_keV: float, pixel_um: float) -> Shapes:
    """A cell that fits into a field of half this width at every angle."""
    random = np.random.default_rng((seed, 0x7077))
    layers = _cylinders(random, half)
    spheres, signs = with_hollows(random, _particles(random, half, rows))
    return Shapes(
        cylinders=layers,
        cylinder_values=_layer_values(len(layers), energy_keV, pixel_um),
        discs=np.empty((0, 5)),
        disc_values=np.empty((0, 2)),
        spheres=spheres,
        signs=signs,
        sphere_values=more_than_around("NMC811", "electrolyte", energy_keV, pixel_um),
    )


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
    values = [more_than_around(_LAYERS[0][0], "", energy_keV, pixel_um)]
    for (outer, _), (inner, _) in pairwise(_LAYERS):
        values.append(more_than_around(inner, outer, energy_keV, pixel_um))
    attenuation, delta = more_than_around("electrolyte", "", energy_keV, pixel_um)
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
