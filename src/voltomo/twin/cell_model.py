"""The virtual cell: an open-circuit table, two resistances, a capacitance and a thermal node.

The tables have the shape of their chemistry and are no measurement of a cell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

_KELVIN = 273.15
_GAS_CONSTANT = 8.314


@dataclass(frozen=True)
class CellParameters:
    """What a virtual cell is made of.

    Parameters
    ----------
    name : str
        Its chemistry.
    ocv_soc, ocv_V : tuple of float
        Voltage at rest over state of charge.
    capacity_Ah : float
        Charge between empty and full.
    series_ohm, transfer_ohm : float
        Resistance at once, and that which builds up with ``relaxation_s``, both at 25 °C.
    activation_kJ_mol : float
        By which both fall as the cell warms (Arrhenius).
    heat_J_per_K, cooling_W_per_K : float
        Heat capacity, and heat loss to the surroundings.
    min_V, max_V : float
        Limits of the cell.
    """

    name: str
    ocv_soc: tuple[float, ...]
    ocv_V: tuple[float, ...]
    capacity_Ah: float = 0.005
    series_ohm: float = 2.0
    transfer_ohm: float = 2.0
    relaxation_s: float = 30.0
    activation_kJ_mol: float = 25.0
    heat_J_per_K: float = 3.0
    cooling_W_per_K: float = 0.01
    min_V: float = 2.8
    max_V: float = 4.2


_SOC = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)

NMC811 = CellParameters(
    "NMC811 against graphite",
    _SOC,
    (2.80, 3.10, 3.30, 3.42, 3.52, 3.58, 3.63, 3.69, 3.78, 3.87, 3.96, 4.06, 4.11, 4.18),
)
LFP = CellParameters(
    "LFP against graphite",
    _SOC,
    (2.50, 2.95, 3.12, 3.20, 3.255, 3.275, 3.283, 3.287, 3.293, 3.315, 3.326, 3.332, 3.342, 3.45),
    min_V=2.5,
    max_V=3.65,
)


@dataclass
class CellModel:
    """State of a virtual cell; `advance` moves it on. A current that charges is positive."""

    parameters: CellParameters = NMC811
    soc: float = 0.1
    temperature_C: float = 25.0
    ambient_C: float = 25.0
    polarisation_V: float = 0.0
    charge_Ah: float = 0.0
    current_A: float = 0.0
    _soc: NDArray[np.float64] = field(init=False, repr=False)
    _V: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._soc = np.array(self.parameters.ocv_soc)
        self._V = np.array(self.parameters.ocv_V)

    @property
    def rest_V(self) -> float:
        """Voltage that the cell would have after a long rest; beyond the table it goes on."""
        inside = float(np.interp(self.soc, self._soc, self._V))
        beyond = min(self.soc - self._soc[0], 0.0) + max(self.soc - self._soc[-1], 0.0)
        return inside + 10.0 * float(beyond)

    @property
    def voltage_V(self) -> float:
        """Voltage at the terminals now."""
        return self.rest_V + self.polarisation_V + self.current_A * self._ohm(self._series)

    @property
    def _series(self) -> float:
        return self.parameters.series_ohm

    def _ohm(self, at_25_C: float) -> float:
        warmth = 1 / (self.temperature_C + _KELVIN) - 1 / (25.0 + _KELVIN)
        return at_25_C * math.exp(self.parameters.activation_kJ_mol * 1e3 / _GAS_CONSTANT * warmth)

    def current_for(self, voltage_V: float) -> float:
        """The current that brings the terminals to this voltage at once, in A."""
        return (voltage_V - self.rest_V - self.polarisation_V) / self._ohm(self._series)

    def advance(self, current_A: float, for_s: float) -> None:
        """Let a current flow for a time; exact for relaxation and a steady heat."""
        known = self.parameters
        self.current_A = current_A
        moved_Ah = current_A * for_s / 3600
        heat_W = current_A**2 * self._ohm(known.series_ohm) + current_A * self.polarisation_V
        self.soc += moved_Ah / known.capacity_Ah
        self.charge_Ah += moved_Ah
        left = math.exp(-for_s / known.relaxation_s)
        settled_V = current_A * self._ohm(known.transfer_ohm)
        self.polarisation_V = settled_V + (self.polarisation_V - settled_V) * left
        target_C = self.ambient_C + heat_W / known.cooling_W_per_K
        cooled = math.exp(-for_s * known.cooling_W_per_K / known.heat_J_per_K)
        self.temperature_C = target_C + (self.temperature_C - target_C) * cooled
