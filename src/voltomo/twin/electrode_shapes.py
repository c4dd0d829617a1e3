"""A plug of a composite electrode in a thin tube, with all that can be found in one. From a seed.

Spherical particles of NMC, some hollow, some cracked, some with a cap of binder on one side; lumps
of binder, fragments of copper, bubbles; electrolyte between them. Cracks go through the particle,
begin at its surface, or lie closed within it; those and the hollows are full of electrolyte.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.grain_kernels import place_apart
from voltomo.twin.grains import Grains, Kind
from voltomo.twin.shapes import Shapes, more_than_around

_TUBE, _CORE = 0.86, 0.80
"""Outer and inner radius of the tube, in half field widths."""
_MEDIAN_RADIUS, _RADIUS_SPREAD = 0.095, 0.28
_FILLED = 0.50
_TRIES = 60
"""Places that each grain may try before it is left out."""
_GAP = 0.008
_WITH_CAP, _HOLLOW, _CRACKED = 0.6, 0.25, 0.5
_ENDLESS = 1e9

Doubles = NDArray[np.float64]


def make_electrode(seed: int, half: float, rows: int, energy_keV: float, pixel_um: float) -> Shapes:
    """An electrode that fits into a field of half this width at every angle."""
    random = np.random.default_rng((seed, 0xE1EC))

    def more(name: str, around: str) -> tuple[float, float]:
        return more_than_around(name, around, energy_keV, pixel_um)

    values = {
        Kind.ACTIVE: more("NMC811", "electrolyte"),
        Kind.BINDER: more("PVDF", "electrolyte"),
        Kind.METAL: more("copper", "electrolyte"),
    }
    attenuation, delta = more("electrolyte", "")
    values[Kind.GAS] = (-attenuation, -delta)
    grains = _grains(random, half, rows, values, more("NMC811", "PVDF"))
    turn = float(random.uniform(0, math.pi))
    tube = [(0.0, 0.0, radius * half, radius * half, turn) for radius in (_TUBE, _CORE)]
    return Shapes(
        cylinders=np.array(tube),
        cylinder_values=np.array([more("PEEK", ""), more("electrolyte", "PEEK")]),
        discs=np.empty((0, 5)),
        disc_values=np.empty((0, 2)),
        spheres=np.empty((0, 4)),
        signs=np.empty(0),
        sphere_values=values[Kind.ACTIVE],
        grains=grains,
    )


def _candidates(random: np.random.Generator, half: float, rows: int) -> tuple[Doubles, Doubles]:
    """Places, and kinds, from what is placed first to what fills the gaps."""
    median, tall = _MEDIAN_RADIUS * half, rows + 6 * _MEDIAN_RADIUS * half
    space = math.pi * (_CORE * half) ** 2 * tall
    particles = int(_FILLED * space / (4.19 * median**3 * 1.4))
    rare = space * 5e-6 * (128 / half) ** 3
    wished = (
        (Kind.METAL, rare * 1.6, (0.025, 0.06)),
        (Kind.GAS, rare, (0.05, 0.14)),
        (Kind.ACTIVE, float(particles), None),
        (Kind.BINDER, 0.6 * particles, (0.05, 0.11)),
    )
    places: list[Doubles] = []
    kinds: list[Doubles] = []
    for kind, wish, between in wished:
        count = max(round(wish), 3)
        if between is None:
            radii = median * np.exp(random.normal(0, _RADIUS_SPREAD, count))
            # Large ones first, so that small ones fill what is left.
            radii = np.sort(np.minimum(radii, 2.2 * median))[::-1]
        else:
            radii = random.uniform(*between, count) * half
        radii = np.repeat(radii, _TRIES)
        distance = (_CORE * half - radii) * np.sqrt(random.random(len(radii)))
        direction = random.uniform(0, 2 * math.pi, len(radii))
        height = random.uniform(-tall / 2, tall / 2, len(radii))
        places.append(
            np.stack([distance * np.cos(direction), distance * np.sin(direction), height, radii], 1)
        )
        kinds.append(np.full(len(radii), float(kind)))
    return np.concatenate(places), np.concatenate(kinds)


def _grains(
    random: np.random.Generator,
    half: float,
    rows: int,
    values: dict[Kind, tuple[float, float]],
    more_than_binder: tuple[float, float],
) -> Grains:
    places, kinds = _candidates(random, half, rows)
    kept = place_apart(places, _TRIES, _GAP * half)
    places, kinds = places[kept], kinds[kept].astype(np.int64)
    spheres: list[Doubles] = []
    own: list[tuple[float, float]] = []
    own_kinds: list[int] = []
    voids: list[tuple[float, ...]] = []
    hosts: list[int] = []
    void_kinds: list[int] = []
    for place, number in zip(places, kinds, strict=True):
        kind = Kind(int(number))
        if kind is Kind.ACTIVE:
            inner = _particle(random, place)
            capped = bool(inner[3] < place[3])
            if capped:
                spheres.append(place)
                own.append(values[Kind.BINDER])
                own_kinds.append(int(Kind.BINDER))
            for void, what in _voids(random, inner, half):
                voids.append(void)
                hosts.append(len(spheres))
                void_kinds.append(int(what))
            place = inner
            own.append(more_than_binder if capped else values[Kind.ACTIVE])
        else:
            own.append(values[kind])
        spheres.append(place)
        own_kinds.append(int(kind))
    active = values[Kind.ACTIVE]
    return Grains(
        spheres=np.array(spheres),
        values=np.array(own),
        kinds=np.array(own_kinds, np.int64),
        voids=np.array(voids).reshape(-1, 8),
        hosts=np.array(hosts, np.int64),
        void_kinds=np.array(void_kinds, np.int64),
        void_values=(-active[0], -active[1]),
        core_radius=_CORE * half,
    )


def _direction(random: np.random.Generator) -> Doubles:
    along = random.normal(size=3)
    return along / np.linalg.norm(along)


def _particle(random: np.random.Generator, place: Doubles) -> Doubles:
    """The particle within its place: smaller and to one side where binder caps it."""
    if random.random() >= _WITH_CAP:
        return place
    thickness = random.uniform(0.14, 0.24) * place[3]
    inner = place.copy()
    inner[:3] += _direction(random) * thickness
    inner[3] -= thickness
    return inner


def _voids(
    random: np.random.Generator, particle: Doubles, half: float
) -> list[tuple[tuple[float, ...], Kind]]:
    """A hollow or cracks, or none."""
    middle, radius = particle[:3], float(particle[3])
    found: list[tuple[tuple[float, ...], Kind]] = []
    draw = random.random()
    if draw < _HOLLOW:
        ball = (*middle, random.uniform(0.3, 0.55) * radius)
        found.append(((*ball, 1.0, 0.0, 0.0, _ENDLESS), Kind.PORE))
    elif draw < _HOLLOW + _CRACKED and radius > 0.055 * half:
        for _ in range(int(random.integers(1, 4))):
            normal, across = _direction(random), _direction(random)
            across -= normal * float(across @ normal)
            across /= np.linalg.norm(across)
            # Through the whole particle, from its surface inwards, or closed.
            reach, away = ((2.0, 0.1), (0.85, 0.75), (0.62, 0.12))[int(random.integers(3))]
            width = random.uniform(0.016, 0.032) * half
            ball = middle + (across * away + normal * random.uniform(-0.25, 0.25)) * radius
            found.append(((*ball, reach * radius, *normal, width), Kind.CRACK))
    return found
