"""What a cycler says of its cell at one moment."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CellReading:
    """One row of a cycler's readings. A current that charges the cell is positive.

    Parameters
    ----------
    time_s : float
        When the cycler measured, on our clock, in seconds.
    voltage_V, current_A : float
        At the cell's terminals.
    charge_Ah : float
        Net charge since the protocol began, positive when charged.
    soc : float
        State of charge as a fraction of the reference capacity; NaN where nobody knows it.
    soc_sigma : float
        Its standard uncertainty.
    temperature_C : float
        Of the cell; NaN without a sensor.
    step, cycle : int
        Index of the protocol's step and number of the cycle, from 0.
    """

    time_s: float
    voltage_V: float
    current_A: float
    charge_Ah: float = 0.0
    soc: float = math.nan
    soc_sigma: float = math.nan
    temperature_C: float = math.nan
    step: int = 0
    cycle: int = 0
