"""A small Monte Carlo of its own: photons that step through a cell until they first interact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def first_interactions(
    start_cm: Floats,
    direction: Floats,
    layer_at: Callable[[Floats], Ints],
    mu_per_cm: Floats,
    reach_cm: float,
    rng: np.random.Generator,
) -> Ints:
    """Photons that first interact in each layer, by Woodcock's rejection.

    Parameters
    ----------
    start_cm, direction : array, shape (n, 3) and (3,)
        Where photons start, outside the cell, and where they go.
    layer_at : callable
        Number of the layer at points, -1 outside the cell.
    mu_per_cm : array, shape (layers,)
        Attenuation in each.
    reach_cm : float
        Behind so long a way there is nothing more.
    rng : Generator
        Of all chances.
    """
    counts = np.zeros(mu_per_cm.size, dtype=np.int64)
    highest = float(mu_per_cm.max())
    way_cm = np.zeros(start_cm.shape[0])
    flying = np.arange(start_cm.shape[0])
    while flying.size:
        way_cm[flying] += rng.exponential(1 / highest, flying.size)
        flying = flying[way_cm[flying] < reach_cm]
        layer = layer_at(start_cm[flying] + way_cm[flying, None] * direction)
        mu = np.where(layer >= 0, mu_per_cm[layer], 0.0)
        stopped = rng.random(flying.size) < mu / highest
        counts += np.bincount(layer[stopped], minlength=mu_per_cm.size)
        flying = flying[~stopped]
    return counts
