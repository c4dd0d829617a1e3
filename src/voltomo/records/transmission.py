"""Mean transmission of every projection: the first thing to look at after a scan."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.records.delivered import read_frames
from voltomo.records.scan import Scan

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Transmission:
    """Mean transmission of projections, arrays of shape (n,).

    ``time_s`` is seconds since the first of them, ``mean`` the ratio of mean counts above dark
    to those of the flats, 1 where nothing is in the beam. ``first_s`` is the first one's time on
    the trigger's clock, ``flat_counts`` the mean counts above dark of the flats, ``projections``
    how many valid ones there are.
    """

    time_s: Floats
    mean: Floats
    first_s: float = 0.0
    flat_counts: float = 0.0
    projections: int = 0


def transmission(scan: Scan, at_most: int = 600) -> Transmission:
    """Mean transmission over a scan, from evenly chosen projections.

    Parameters
    ----------
    at_most : int
        Projections that are read, to bound the time for large scans.

    Returns
    -------
    Transmission
        Empty where flats, darks or projections are lacking.
    """
    rows = {
        kind: scan.table.of_blocks(
            [at for at, block in enumerate(scan.record.blocks) if block.kind == kind]
        )
        for kind in ("darks", "sweep")
    }
    dark = _means(scan, rows["darks"].source[rows["darks"].valid])
    flat = _means(scan, scan.flats)
    valid = np.flatnonzero(rows["sweep"].valid)
    if not dark.size or not flat.size or not valid.size:
        return Transmission(np.empty(0), np.empty(0))
    chosen = valid[np.unique(np.linspace(0, valid.size - 1, at_most).round().astype(int))]
    light = max(float(flat.mean() - dark.mean()), 1.0)
    mean = (_means(scan, rows["sweep"].source[chosen]) - dark.mean()) / light
    time_s = rows["sweep"].time_s[chosen]
    return Transmission(time_s - time_s[0], mean, float(time_s[0]), light, int(valid.size))


def _means(scan: Scan, handles: NDArray[np.int64]) -> Floats:
    means = np.empty(handles.shape)
    for position, frames in read_frames(scan.sources, handles):
        means[position : position + len(frames)] = frames.mean(axis=(1, 2))
    return means
