"""Weights of views that come one by one, right at any moment and in any order of angles."""

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.weights import angular_weights

TOLERANCE = 0.02
"""A weight that is off by less than this part of the median one is left as it is."""


class GrowingWeights:
    """Keeps `angular_weights` of all views so far, and tells which have changed.

    A view between two others takes from them: in interlaced sweeps, and with golden angles, the
    views of before weigh less and less. In a plain sweep none changes. Weights are told in a
    `unit` of their own: that all views weigh less because there are more is no change.

    Parameters
    ----------
    turn_deg : float
        As `angular_weights` takes it: 180, or 360 about a tilted axis.

    Attributes
    ----------
    unit : float
        Radians of the half turn for a weight of 1.
    """

    def __init__(self, turn_deg: float = 180.0) -> None:
        self._turn_deg = turn_deg
        self._angle_deg = np.empty(256)
        self._told = np.empty(256)
        self._count = 0
        self.unit = 0.0

    @property
    def views(self) -> int:
        """Views so far."""
        return self._count

    def clear(self) -> None:
        """Start anew."""
        self._count = 0

    def add(self, angle_deg: float) -> float:
        """Take a view; its weight as things are now."""
        if self._count == self._angle_deg.size:
            self._angle_deg = np.concatenate([self._angle_deg, np.empty(self._count)])
            self._told = np.concatenate([self._told, np.empty(self._count)])
        self._angle_deg[self._count] = angle_deg
        self._count += 1
        now = self.now()
        if self._count > 1:
            self.unit = float(np.median(now[:-1] / self._told[: self._count - 1]))
        else:
            self.unit = float(now[0])
        self._told[self._count - 1] = now[-1] / self.unit
        return float(self._told[self._count - 1])

    def now(self) -> NDArray[np.float64]:
        """Weights of all views in radians, float64 (views,), in the order in which they came."""
        return angular_weights(self._angle_deg[: self._count], turn_deg=self._turn_deg)

    def changes(self) -> dict[int, float]:
        """Weights, by the number of the view, that are no longer those told before."""
        if self._count == 0:
            return {}
        told = self._told[: self._count]
        now = self.now()
        self.unit = float(np.median(now / told))
        now /= self.unit
        changed = np.flatnonzero(np.abs(now - told) > TOLERANCE * float(np.median(now)))
        told[changed] = now[changed]
        return dict(zip(changed.tolist(), now[changed].tolist(), strict=True))
