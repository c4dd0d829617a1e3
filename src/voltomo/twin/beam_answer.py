"""How the virtual cell answers to the beam: slower kinetics where dose fell, gas, warmth.

Models and their sizes at a gain of 1 are orders of magnitude, so that policies of dose can be
tried, and no prediction of any cell; gains exaggerate them so far that a single scan shows.

Gas: radiolysis makes G mol for each joule that the electrolyte takes. What is made dissolves up to
a solubility; what is more is free gas, at 1 bar and room temperature. Kinetics: exp(-dose / D0) of
the electrolyte's dose, place by place. Warmth: one node, (power in the beam) times a resistance,
with a time constant. The beam is followed in slabs along the axis and in rings about it: a cell
that turns gets its dose evenly round the axis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["AnswerSettings", "BeamAnswer", "Light", "gas_fraction"]

Floats = NDArray[np.float64]

SLABS, RINGS = 16, 8
_DENSITY_kg_L = 1.2
_MOLAR_L = 24.4
_JOULE_PER_KEV = 1.602176634e-16


class AnswerSettings(BaseModel):
    """How strongly the cell answers to the beam; all off by default.

    Parameters
    ----------
    gas_gain, kinetics_gain, heat_gain : float
        0 switches an answer off, 1 has its natural size.
    gas_mol_per_J : float
        Gas that radiolysis makes.
    solubility_mol_L : float
        What the electrolyte dissolves of it.
    kinetics_Gy : float
        Dose of the electrolyte at which kinetics have fallen to 1/e.
    resistance_K_W, warm_s : float
        Rise for one watt taken out of the beam, and the time in which it is reached.
    electrolyte_part : float
        Of the cell's volume.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gas_gain: float = Field(default=0.0, ge=0)
    kinetics_gain: float = Field(default=0.0, ge=0)
    heat_gain: float = Field(default=0.0, ge=0)
    gas_mol_per_J: float = Field(default=3e-7, gt=0)
    solubility_mol_L: float = Field(default=3e-3, gt=0)
    kinetics_Gy: float = Field(default=1e5, gt=0)
    resistance_K_W: float = Field(default=1100.0, gt=0)
    warm_s: float = Field(default=0.2, gt=0)
    electrolyte_part: float = Field(default=0.3, gt=0, le=1)

    @property
    def on(self) -> bool:
        """Whether the cell answers at all."""
        return self.gas_gain > 0 or self.kinetics_gain > 0 or self.heat_gain > 0

    @property
    def dissolved_up_to_Gy(self) -> float:
        """Dose of the electrolyte from which on gas is free, at a gain of 1."""
        return self.solubility_mol_L / (self.gas_mol_per_J * _DENSITY_kg_L)


def gas_fraction(settings: AnswerSettings, dose_Gy: Any) -> Any:
    """Volume of free gas for one volume of electrolyte that has received a dose."""
    beyond = settings.gas_gain * np.asarray(dose_Gy) / settings.dissolved_up_to_Gy - 1
    return _MOLAR_L * settings.solubility_mol_L * np.maximum(beyond, 0.0)


@dataclass(frozen=True)
class Light:
    """The beam on the cell for a while.

    Attributes
    ----------
    seconds : float
        How long.
    flux_per_cm2_s : float
        Mean flux density through the shutter, at the sample.
    energy_keV : float
        Photon energy.
    across_mm, up_mm : (float, float)
        From where to where it is lit, from the axis and from the middle of the cell.
    """

    seconds: float
    flux_per_cm2_s: float
    energy_keV: float
    across_mm: tuple[float, float] = (-math.inf, math.inf)
    up_mm: tuple[float, float] = (-math.inf, math.inf)


class BeamAnswer:
    """State of a cell in the beam.

    Parameters
    ----------
    settings : AnswerSettings
        How strongly it answers.
    radius_mm, height_mm : float
        Of the cell, as far as it is seen.
    """

    def __init__(self, settings: AnswerSettings, radius_mm: float, height_mm: float) -> None:
        self.settings = settings
        self._edges = np.linspace(0.0, radius_mm, RINGS + 1)
        self._slabs = np.linspace(-height_mm / 2, height_mm / 2, SLABS + 1)
        area = math.pi * np.diff(self._edges**2)
        self._volume_mm3: Floats = area[None, :] * np.diff(self._slabs)[:, None]
        self.dose_Gy: Floats = np.zeros((SLABS, RINGS))
        self.warmth_K = 0.0

    @property
    def volume_mm3(self) -> float:
        """Of all of the cell."""
        return float(self._volume_mm3.sum())

    @property
    def mean_dose_Gy(self) -> float:
        """Of the electrolyte, over the whole cell."""
        return float((self.dose_Gy * self._volume_mm3).sum() / self._volume_mm3.sum())

    @property
    def gas_mm3(self) -> float:
        """Free gas in the cell."""
        share = gas_fraction(self.settings, self.dose_Gy)
        return float((share * self._volume_mm3).sum()) * self.settings.electrolyte_part

    @property
    def kinetics(self) -> float:
        """Mean of what is left of the kinetics, 1 in a fresh cell."""
        own = self.settings
        left = np.exp(-own.kinetics_gain * self.dose_Gy / own.kinetics_Gy)
        return float((left * self._volume_mm3).sum() / self._volume_mm3.sum())

    def kinetics_at(self, up_mm: float, radius_mm: float) -> float:
        """What is left of the kinetics at a height and a distance from the axis."""
        slab = int(np.clip(np.searchsorted(self._slabs, up_mm) - 1, 0, SLABS - 1))
        ring = int(np.clip(np.searchsorted(self._edges, radius_mm) - 1, 0, RINGS - 1))
        own = self.settings
        return math.exp(-own.kinetics_gain * self.dose_Gy[slab, ring] / own.kinetics_Gy)

    def start_with(self, dose_Gy: float) -> None:
        """Begin with a dose that fell evenly: what is known of one whose state was lost."""
        self.dose_Gy = np.full((SLABS, RINGS), dose_Gy)

    def shine(self, light: Light, Gy_per_fluence: float) -> None:
        """Let the beam be on the cell for a while; flux 0 lets it cool.

        Parameters
        ----------
        light : Light
            Where and how much.
        Gy_per_fluence : float
            Of the electrolyte, for one photon/cm2.
        """
        lit = self._lit_part(light)
        self.dose_Gy += lit * (light.flux_per_cm2_s * light.seconds * Gy_per_fluence)
        own, area_cm2 = self.settings, 0.0
        if light.flux_per_cm2_s > 0:
            part = float((lit * self._volume_mm3).sum() / self._volume_mm3.sum())
            size_mm = (self._edges[-1] * 2, self._slabs[-1] * 2)
            area_cm2 = part * size_mm[0] * size_mm[1] * 1e-2
        # About half of the beam stays in a cell that is made for imaging.
        power_W = 0.5 * light.flux_per_cm2_s * area_cm2 * light.energy_keV * _JOULE_PER_KEV
        target_K = own.heat_gain * own.resistance_K_W * power_W
        self.warmth_K = target_K + (self.warmth_K - target_K) * math.exp(
            -light.seconds / own.warm_s
        )

    def _lit_part(self, light: Light) -> Floats:
        """Part of the time that each place is lit while the cell turns."""
        low, high = light.up_mm
        bottoms, tops = self._slabs[:-1], self._slabs[1:]
        tall = np.clip(np.minimum(tops, high) - np.maximum(bottoms, low), 0, None)
        left, right = light.across_mm
        middles = (self._edges[1:] + self._edges[:-1]) / 2

        def below(edge_mm: float) -> Floats:
            # Part of a turn in which a point's place across the beam is below the edge.
            return 0.5 + np.arcsin(np.clip(edge_mm / middles, -1, 1)) / math.pi

        round_ = np.clip(below(right) - below(left), 0, 1)
        return (tall / (tops - bottoms))[:, None] * round_[None, :]
