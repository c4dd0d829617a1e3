"""A rolling shutter: every row is exposed a little later than the one before."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_LARGEST_STEP_DEG = 0.25
_MOST_VIEWS = 33


@dataclass(frozen=True)
class RowShares:
    """What each row of a frame has seen.

    Attributes
    ----------
    angles_deg : array, shape (n,)
        Angles at which the sample is projected.
    weights : array, shape (rows, n)
        Share of each angle in a row's fluence, which changes linearly from one to the next.
    fluence_per_cm2 : array, shape (rows,)
    """

    angles_deg: Doubles
    weights: Doubles
    fluence_per_cm2: Doubles

    @property
    def mean_fluence(self) -> float:
        """Of all rows."""
        return float(self.fluence_per_cm2.mean())

    @property
    def mean_weights(self) -> Doubles:
        """Of all rows, shape (n,)."""
        return np.asarray(self.weights.mean(axis=0))


@dataclass(frozen=True)
class RollingShutter:
    """Row r begins and ends ``row_delay_s`` r later than row 0."""

    rows: int
    row_delay_s: float

    @property
    def read_out_s(self) -> float:
        """How much later the last row is than the first."""
        return (self.rows - 1) * self.row_delay_s

    def shares(
        self, times: Doubles, rate: Doubles, rotation_deg: Doubles, start_s: float, end_s: float
    ) -> RowShares:
        """What the rows see.

        Parameters
        ----------
        times, rate, rotation_deg : arrays, shape (m,)
            Fluence rate and stage from ``start_s`` to the last row's end.
        start_s, end_s : float
            Of the first row's exposure.
        """
        turn_deg = float(np.ptp(rotation_deg))
        views = min(max(2, math.ceil(turn_deg / _LARGEST_STEP_DEG) + 1), _MOST_VIEWS)
        nodes = np.linspace(times[0], times[-1], views)
        steps = np.diff(times)
        begins = start_s + np.arange(self.rows) * self.row_delay_s
        seen = np.empty((self.rows, views))
        for number in range(views):
            # A hat about each node: between two of them the image changes linearly.
            hat = np.interp(times, nodes, np.eye(views)[number])
            part = rate * hat
            until = np.concatenate([[0.0], np.cumsum((part[1:] + part[:-1]) / 2 * steps)])
            upper = np.interp(begins + (end_s - start_s), times, until)
            seen[:, number] = upper - np.interp(begins, times, until)
        fluence = seen.sum(axis=1)
        weights = np.divide(
            seen, fluence[:, None], out=np.zeros_like(seen), where=fluence[:, None] > 0
        )
        return RowShares(np.interp(nodes, times, rotation_deg), weights, fluence)
