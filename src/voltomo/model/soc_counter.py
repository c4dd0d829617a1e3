"""State of charge by counting charge, anchored anew where the cell rests; with its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

# A rest of this length has let the voltage settle, at the rates that imaging uses.
_SETTLED_S = 1800.0
_REST_OF_CAPACITY = 1e-3


class SocCounter:
    """Counts charge into a state of charge.

    Parameters
    ----------
    capacity_Ah : float
        Charge between empty and full.
    soc, soc_sigma : float
        Where the count begins, as fractions, and how well that is known.
    capacity_sigma : float
        Relative standard uncertainty of the capacity.
    current_offset_A : float
        Standard uncertainty of the current's zero.
    ocv_soc, ocv_V : sequence of float, optional
        Voltage of the cell at rest over its state of charge, both rising; without it the count is
        never anchored.
    ocv_sigma_V : float
        Standard uncertainty of such a voltage, hysteresis included.

    Notes
    -----
    Charge moves the state by ΔQ/capacity; its uncertainty grows by the capacity's in proportion to
    the distance from the last anchor, and by the current's zero in proportion to time. A rest long
    enough gives a second value from the voltage at rest, with σ = σ_V / |dV/dsoc|; the two are
    weighed by their variances. A rest anchors once, since its readings share one error, and only
    by a voltage that the table holds. On a plateau σ is so large that the count goes on alone.

    Raises
    ------
    ValueError
        Capacity not positive, a table that does not rise, or uncertainties below zero.
    """

    def __init__(
        self,
        capacity_Ah: float,
        soc: float,
        soc_sigma: float = 0.01,
        *,
        capacity_sigma: float = 0.01,
        current_offset_A: float = 0.0,
        ocv_soc: Sequence[float] = (),
        ocv_V: Sequence[float] = (),
        ocv_sigma_V: float = 3e-3,
    ) -> None:
        if not capacity_Ah > 0:
            raise ValueError(f"expected a capacity above 0 Ah, saw {capacity_Ah:g}")
        if min(soc_sigma, capacity_sigma, current_offset_A) < 0 or not ocv_sigma_V > 0:
            raise ValueError("expected uncertainties of at least zero, and of the voltage above it")
        self._table_soc, self._table_V = np.asarray(ocv_soc), np.asarray(ocv_V)
        rising = bool(np.all(np.diff(self._table_soc) > 0) and np.all(np.diff(self._table_V) > 0))
        if self._table_soc.size != self._table_V.size or not rising:
            raise ValueError("expected a table of rest voltages that rises with the charge")
        self._capacity_Ah = capacity_Ah
        self._anchor, self._anchor_sigma = soc, soc_sigma
        self._capacity_sigma = capacity_sigma
        self._offset_A = current_offset_A
        self._ocv_sigma_V = ocv_sigma_V
        self._charge_Ah: float | None = None
        self._anchored_s = 0.0
        self._rests_since_s: float | None = None
        self._anchored = False
        self._moved = 0.0
        self._time_s = 0.0

    @property
    def soc(self) -> float:
        """The state of charge now, as a fraction."""
        return self._anchor + self._moved

    @property
    def sigma(self) -> float:
        """Its standard uncertainty."""
        drift = self._offset_A * (self._time_s - self._anchored_s) / 3600 / self._capacity_Ah
        return math.hypot(self._anchor_sigma, self._capacity_sigma * self._moved, drift)

    def add(self, time_s: float, charge_Ah: float, current_A: float, voltage_V: float) -> None:
        """Take a reading; ``charge_Ah`` is the cycler's own net count, from wherever it began.

        Raises
        ------
        ValueError
            A value is not finite: a cell of unknown state is not guessed at.
        """
        if not all(map(math.isfinite, (time_s, charge_Ah, current_A, voltage_V))):
            raise ValueError(
                f"expected finite readings of the cell, saw {charge_Ah} Ah, {current_A} A, "
                f"{voltage_V} V; the state of charge stays as it was"
            )
        if self._charge_Ah is None:
            self._charge_Ah, self._anchored_s = charge_Ah, time_s
        self._time_s = time_s
        self._moved = (charge_Ah - self._charge_Ah) / self._capacity_Ah
        if abs(current_A) > _REST_OF_CAPACITY * self._capacity_Ah:
            self._rests_since_s, self._anchored = None, False
        elif self._rests_since_s is None:
            self._rests_since_s = time_s
        elif not self._anchored and time_s - self._rests_since_s >= _SETTLED_S:
            self._anchor_by(voltage_V, charge_Ah)

    def _anchor_by(self, voltage_V: float, charge_Ah: float) -> None:
        volts = self._table_V
        if volts.size < 2 or not volts[0] <= voltage_V <= volts[-1]:
            return
        counted, sigma = self.soc, self.sigma
        at = float(np.interp(voltage_V, self._table_V, self._table_soc))
        # At an end of the table the slope is that of the side which it has.
        low_V = max(voltage_V - self._ocv_sigma_V, float(volts[0]))
        high_V = min(voltage_V + self._ocv_sigma_V, float(volts[-1]))
        low, high = np.interp((low_V, high_V), volts, self._table_soc)
        by_voltage = max(self._ocv_sigma_V * float(high - low) / (high_V - low_V), 1e-4)
        weight = sigma**2 / (sigma**2 + by_voltage**2)
        self._anchor = counted + weight * (at - counted)
        self._anchor_sigma = math.sqrt(1 - weight) * sigma
        self._charge_Ah, self._anchored_s, self._moved = charge_Ah, self._time_s, 0.0
        self._anchored = True
