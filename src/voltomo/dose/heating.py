"""How warm the beam makes a cell: adiabatic rate, steady state, and a two-node model in between.

A sheet is heated evenly in a disc of the beam's radius and held at an outer radius; heat flows in
its plane alone. A long cylinder is heated over the beam's height and loses heat along itself and
to the air. Cooling of sheets by air is left out: the rises are upper bounds for them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from voltomo.dose.layers import StackLayer

__all__ = [
    "HOLD_K",
    "WARN_K",
    "Plate",
    "adiabatic_K_s",
    "areal_heat_J_per_m2_K",
    "rod_rise_K",
    "sheet_conductance_W_K",
]

WARN_K = 1.0
"""Rise above which a plan warns; a starting point, calibrate on your cell."""
HOLD_K = 5.0
"""Rise above which a plan is not to be run; a starting point, calibrate on your cell."""

# Two nodes between which the sheet's resistance is shared out about equally, and heat capacities
# that follow the exact solution of a heated disc best, for a rim at 1.5 to 300 beam radii.
_INNER_SHARE = 0.485
_INNER_HEAT, _INNER_POWER = 0.55, 0.35
_OUTER_HEAT, _OUTER_POWER = 0.62, 1.43


def adiabatic_K_s(dose_rate_Gy_s: float, heat_capacity_J_per_g_K: float) -> float:
    """Rise per second where no heat flows away: dose rate over heat capacity."""
    return dose_rate_Gy_s / (1000 * heat_capacity_J_per_g_K)


def sheet_conductance_W_K(layers: Sequence[StackLayer]) -> float | None:
    """Conductivity times thickness of all layers, side by side; None if one is not known."""
    total = 0.0
    for layer in layers:
        conductivity = layer.material.conductivity_W_per_m_K
        if conductivity is None:
            return None
        total += conductivity * layer.thickness_um * 1e-6
    return total


def areal_heat_J_per_m2_K(layers: Sequence[StackLayer]) -> float | None:
    """Heat capacity of all layers for each square metre; None if one is not known."""
    total = 0.0
    for layer in layers:
        heat = layer.material.heat_capacity_J_per_g_K
        if heat is None:
            return None
        # g/cm3 times µm is g/m2.
        total += layer.material.density_g_cm3 * layer.thickness_um * heat
    return total


def rod_rise_K(
    power_W: float,
    conductance_W_m: float,
    perimeter_m: float,
    half_length_m: float,
    cooling_W_per_m2_K: float,
) -> float:
    """Steady rise in the middle of a long rod that is held at both ends and cooled by air.

    Two fins back to back: P tanh(m L) / (2 sqrt(h p k A)), m = sqrt(h p / (k A)).

    Parameters
    ----------
    power_W : float
        Absorbed in the middle.
    conductance_W_m : float
        Conductivity along the rod times its cross-section.
    perimeter_m, half_length_m : float
        Of the rod.
    cooling_W_per_m2_K : float
        Heat that its surface loses; 0 for a rod in vacuum.
    """
    loss_W_m_K = cooling_W_per_m2_K * perimeter_m
    if loss_W_m_K * half_length_m**2 < 1e-6 * conductance_W_m:
        return power_W * half_length_m / (2 * conductance_W_m)
    per_m = math.sqrt(loss_W_m_K / conductance_W_m)
    ends = math.tanh(per_m * half_length_m)
    return power_W * ends / (2 * math.sqrt(loss_W_m_K * conductance_W_m))


@dataclass(frozen=True)
class Plate:
    """A sheet that is heated in its middle and held at its rim.

    Attributes
    ----------
    conductance_W_K : float
        Conductivity times thickness, see `sheet_conductance_W_K`.
    areal_heat_J_per_m2_K : float
        See `areal_heat_J_per_m2_K`.
    beam_radius_m, rim_radius_m : float
        The heated disc; where the temperature is held.

    Raises
    ------
    ValueError
        A number is not positive, or the rim lies inside the beam.
    """

    conductance_W_K: float
    areal_heat_J_per_m2_K: float
    beam_radius_m: float
    rim_radius_m: float

    def __post_init__(self) -> None:
        if not (min(self.conductance_W_K, self.areal_heat_J_per_m2_K, self.beam_radius_m) > 0):
            raise ValueError("conductance, heat capacity and beam radius must be above 0")
        if not self.rim_radius_m > self.beam_radius_m:
            raise ValueError(
                f"the rim where the temperature is held ({self.rim_radius_m:g} m) must lie "
                f"outside the beam (radius {self.beam_radius_m:g} m)"
            )

    @property
    def resistance_K_W(self) -> float:
        """Steady rise in the centre for each watt: (ln(R/a) + 1/2) / (2 pi k d)."""
        distance = math.log(self.rim_radius_m / self.beam_radius_m) + 0.5
        return distance / (2 * math.pi * self.conductance_W_K)

    @property
    def inner_heat_J_K(self) -> float:
        """Heat capacity of the node in the beam."""
        ratio = self.rim_radius_m / self.beam_radius_m
        return self._disc_J_K * _INNER_HEAT * ratio**_INNER_POWER

    @property
    def outer_heat_J_K(self) -> float:
        """Heat capacity of the node around it."""
        ratio = self.rim_radius_m / self.beam_radius_m
        return self._disc_J_K * _OUTER_HEAT * ratio**_OUTER_POWER

    @property
    def _disc_J_K(self) -> float:
        return self.areal_heat_J_per_m2_K * math.pi * self.beam_radius_m**2

    def steady_K(self, power_W: float) -> float:
        """Rise in the centre when nothing changes any more."""
        return power_W * self.resistance_K_W

    def rise_K(self, power_W: float, seconds: float) -> float:
        """Rise in the centre after so long in the beam, by two nodes.

        Within 6 % of the steady rise for a rim of 1.5 to 50 beam radii, 10 % up to 300.
        """
        return self.step((0.0, 0.0), power_W, seconds)[0]

    def step(
        self, rises_K: tuple[float, float], power_W: float, seconds: float
    ) -> tuple[float, float]:
        """Rises of both nodes after a time at constant power; exact for any length of step.

        Parameters
        ----------
        rises_K : (float, float)
            Of the inner and the outer node, at the beginning.
        power_W : float
            Absorbed in the beam; 0 with the shutter closed.
        seconds : float
            Length of the step.
        """
        inner_K_W = _INNER_SHARE * self.resistance_K_W
        outer_K_W = self.resistance_K_W - inner_K_W
        inner_J_K, outer_J_K = self.inner_heat_J_K, self.outer_heat_J_K
        a = 1 / (inner_K_W * inner_J_K)
        b = 1 / (inner_K_W * outer_J_K)
        d = b + 1 / (outer_K_W * outer_J_K)
        # Distances from the steady state fall as two exponentials with real rates.
        middle, half = (a + d) / 2, math.sqrt(((a - d) / 2) ** 2 + a * b)
        slow, fast = middle - half, middle + half
        steady = (power_W * self.resistance_K_W, power_W * outer_K_W)
        off = (rises_K[0] - steady[0], rises_K[1] - steady[1])
        rate = (-a * off[0] + a * off[1], b * off[0] - d * off[1])
        slowly, quickly = math.exp(-slow * seconds), math.exp(-fast * seconds)

        def later(level: float, change: float) -> float:
            slow_part = (change + fast * level) / (fast - slow)
            return slow_part * slowly + (level - slow_part) * quickly

        return steady[0] + later(off[0], rate[0]), steady[1] + later(off[1], rate[1])
