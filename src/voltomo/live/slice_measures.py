"""Measures of a growing slice: resolution, noise, sharpness, motion, axis, rings, missing cone."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.axis_search import find_axis
from voltomo.analysis.batch import fbp
from voltomo.analysis.measure import Measure
from voltomo.analysis.measures import axis_error, ring_strength, sharpness, snr_measure
from voltomo.analysis.missing_cone import missing_cone
from voltomo.analysis.motion import motion_between, motion_in_scan
from voltomo.analysis.normalise import line_integrals
from voltomo.analysis.quality import row_fault
from voltomo.analysis.resolution import frc_resolution
from voltomo.analysis.ring_spectrum import RingSpectrum
from voltomo.analysis.rings import remove_rings
from voltomo.analysis.weights import angular_weights
from voltomo.live.slice_rows import SliceViews
from voltomo.model.target import METRICS, UNITS

Image = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FEWEST_VIEWS = 16
"""Halves of fewer views than this resolve nothing."""


def halves_of(sweep: NDArray[np.int64]) -> Mask:
    """Which views make the second of two halves that know nothing of each other's noise.

    Even sweeps make the first and odd ones the second; of an odd number of sweeps, the last is
    shared out view by view, so that both halves are of one size.

    Parameters
    ----------
    sweep : int64 (views,)
        Number of the sweep of each view.
    """
    second = sweep % 2 == 1
    last = int(sweep.max())
    if last % 2 == 0:
        inside = np.flatnonzero(sweep == last)
        second[inside] = np.arange(inside.size) % 2 == 1
    return second


@dataclass(frozen=True)
class _Slices:
    """Rows of good views, with what they are made into slices by."""

    rows: Image
    angles_deg: Floats
    sweep: NDArray[np.int64]
    views: SliceViews

    def of(self, chosen: Mask | None = None, rows: Image | None = None) -> Image:
        """Slice of the chosen views."""
        rows = self.rows if rows is None else rows
        if chosen is None:
            chosen = np.ones(len(rows), np.bool_)
        angles = self.angles_deg[chosen]
        weights = angular_weights(angles)
        return fbp(rows[chosen], angles, self.views.axis_column, rows.shape[1], weights)


def measure_views(views: SliceViews, metrics: Collection[str] = METRICS) -> list[Measure]:
    """All that can be said of a slice, in the units of `voltomo.model.target`.

    Two halves are reconstructed, of the even and of the odd sweeps; rings, which both would
    share, are taken out of them before they are compared.

    Parameters
    ----------
    views : SliceViews
        The views of one slice so far.
    metrics : collection of str
        Those that are wanted; all by default.

    Returns
    -------
    list of Measure
        What cannot be measured is left out.
    """
    integrals = np.stack([line_integrals(row, views.flat, views.dark) for row in views.counts])
    good = np.array([row_fault(row) is None for row in integrals], np.bool_)
    if int(good.sum()) < 2 * _FEWEST_VIEWS or integrals.shape[1] < 32:
        return []
    sweep = np.unique(views.sweep[good], return_inverse=True)[1].astype(np.int64)
    slices = _Slices(integrals[good], views.angles_deg[good], sweep, views)
    second = halves_of(sweep)
    one, other = slices.of(~second), slices.of(second)
    span = float(np.ptp(slices.angles_deg)) * len(sweep) / max(1, len(sweep) - 1)
    rings = RingSpectrum(one.shape[0], views.start_deg)
    order = np.argsort(np.mod(slices.angles_deg - views.start_deg, 360.0), kind="stable")
    smooth = np.empty_like(slices.rows)
    smooth[order] = remove_rings(slices.rows[order])
    makers: dict[str, Callable[[], Measure]] = {
        "frc_resolution": lambda: frc_resolution(one, other, views.start_deg),
        "snr": lambda: snr_measure(slices.of(rows=smooth)),
        "sharpness": lambda: sharpness(rings.without_rings(one), rings.without_rings(other)),
        "motion": lambda: _motion(slices),
        "axis_error": lambda: _axis(slices),
        "ring_strength": lambda: ring_strength(slices.of(), views.start_deg, span),
        "missing_cone": lambda: missing_cone(0.0, slices.angles_deg),
    }
    found: list[Measure] = []
    for metric in METRICS:
        if metric not in metrics:
            continue
        try:
            measure = makers[metric]()
        except ValueError:
            # It cannot be said of this slice: then nothing is.
            continue
        if math.isfinite(measure.value) and math.isfinite(measure.low + measure.high):
            found.append(_in_units(measure, views.pixel_um))
    return found


def _motion(slices: _Slices) -> Measure:
    """Between the first and the last sweeps, or in the only one."""
    last = int(slices.sweep.max())
    if last == 0:
        return motion_in_scan(slices.rows[:, None, :], slices.angles_deg)
    early = slices.sweep < (last + 1) / 2
    return motion_between(slices.of(early), slices.of(~early))[0]


def _axis(slices: _Slices) -> Measure:
    found = find_axis(slices.rows[:, None, :], slices.angles_deg)
    return axis_error(found, slices.views.axis_column)


def _in_units(measure: Measure, pixel_um: float) -> Measure:
    factors = {
        "frc_resolution": pixel_um,
        "motion": pixel_um,
        "sharpness": 1 / pixel_um,
        "ring_strength": 1e4 / pixel_um,
    }
    factor = factors.get(measure.metric, 1.0)
    value, low, high = (factor * one for one in (measure.value, measure.low, measure.high))
    return replace(measure, value=value, low=low, high=high, unit=UNITS.get(measure.metric, ""))
