"""What really passed the shutter, from the world's own record and from nothing measured."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.world import GRACE_S, Channel, World

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(4)
"""Exact to degree 7: a product of three parabolas has 6 at most."""


def fluence(world: World, start_s: float, end_s: float, sample_out_mm: float = 4.0) -> float:
    """Photons/cm² that passed the shutter onto the sample.

    Parameters
    ----------
    start_s, end_s : float
        World times, both in the past.
    sample_out_mm : float
        The sample is in the beam while the magnitude of sample_x is below this.

    Returns
    -------
    float
        Integral over time of flux times open part, while the sample is in and the slits are not
        closed altogether.
    """
    flux, shutter, sample_x = (world.channel(name) for name in ("flux", "shutter", "sample_x"))
    blades = [world.channel(f"slit_{side}") for side in ("left", "right", "bottom", "top")]
    cuts = [_breaks(channel) for channel in (flux, shutter, sample_x, *blades)]
    cuts += [_crossings(sample_x, side) for side in (-sample_out_mm, sample_out_mm)]

    def rate(time_s: NDArray[np.float64]) -> NDArray[np.float64]:
        lateral = _known(sample_x, time_s)
        inside = np.abs(lateral) < sample_out_mm
        left, right, bottom, top = (blade.at(time_s) for blade in blades)
        # Where no slits are known, nothing is closed.
        shut = (right <= left) | (top <= bottom)
        return _known(flux, time_s) * _known(shutter, time_s) * (inside & ~shut)

    return _integral(rate, start_s, end_s, cuts)


def open_seconds(world: World, start_s: float, end_s: float) -> float:
    """Time-integral of the shutter's open part, s."""
    shutter = world.channel("shutter")
    return _integral(lambda time_s: _known(shutter, time_s), start_s, end_s, [_breaks(shutter)])


def open_intervals(world: World, start_s: float, end_s: float) -> list[tuple[float, float]]:
    """Spans of world time in which the shutter was not fully closed."""
    shutter = world.channel("shutter")
    edges = _edges(start_s, end_s, [_breaks(shutter)])
    middles = (edges[1:] + edges[:-1]) / 2
    spans: list[tuple[float, float]] = []
    for begin, end, part in zip(edges[:-1], edges[1:], _known(shutter, middles), strict=True):
        if part <= 0:
            continue
        if spans and spans[-1][1] == begin:
            spans[-1] = (spans[-1][0], float(end))
        else:
            spans.append((float(begin), float(end)))
    return spans


def _known(channel: Channel, time_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values, 0 before the channel's first."""
    return np.nan_to_num(channel.at(time_s), nan=0.0)


def _breaks(channel: Channel) -> NDArray[np.float64]:
    """Times at which the trajectory changes its form."""
    pieces = channel.history()
    return np.concatenate([pieces["t0"], pieces["t1"], [channel.beat_s + GRACE_S]])


def _crossings(channel: Channel, level: float) -> NDArray[np.float64]:
    """Times at which the trajectory may pass a level."""
    found: list[float] = []
    for piece in channel.history():
        roots = np.roots([piece["a"] / 2, piece["v0"], piece["x0"] - level])
        real = roots[np.isreal(roots)].real + piece["t0"]
        found += real[(real > piece["t0"]) & (real < piece["t1"])].tolist()
    return np.array(found)


def _edges(start_s: float, end_s: float, cuts: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Start, all cuts between, end."""
    inner = np.concatenate(cuts)
    inner = inner[(inner > start_s) & (inner < end_s)]
    return np.unique(np.concatenate([[start_s], inner, [end_s]]))


def _integral(
    rate: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    start_s: float,
    end_s: float,
    cuts: list[NDArray[np.float64]],
) -> float:
    """Gauss–Legendre on every smooth piece."""
    if end_s <= start_s:
        return 0.0
    edges = _edges(start_s, end_s, cuts)
    middles, halves = (edges[1:] + edges[:-1]) / 2, (edges[1:] - edges[:-1]) / 2
    time_s = middles[:, None] + halves[:, None] * _NODES
    return float(np.sum(rate(time_s) * _WEIGHTS * halves[:, None]))
