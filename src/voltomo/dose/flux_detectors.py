"""Photons per second from the current of a photodiode or an ion chamber.

I = Φ · E · a · e / w, with the part a of the photon energy that stays in the detector and the
energy w for one electron-hole or ion pair. a = (µ_en / µ)(1 - exp(-µ t)): what is absorbed from
the primary beam on the way t; scattered and fluorescent photons are taken to leave.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from voltomo.dose.attenuation import mass_energy_absorption, mu_total
from voltomo.dose.materials import Material, material

__all__ = ["Detector", "FluxDetector", "IonChamber", "Photodiode"]

_CHARGE_C = 1.602176634e-19
_SILICON_eV = 3.66
_PAIR_eV = {"air": 33.97, "nitrogen": 34.8, "argon": 26.4, "helium": 41.3}
"""Mean energies for one ion pair of electrons in these gases (ICRU Report 31)."""
_NORMAL_mbar, _NORMAL_K = 1013.25, 293.15
_ZERO_C_K = 273.15

_CONFIG = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FluxDetector(Protocol):
    """What tells photons by a current."""

    @property
    def uncertainty(self) -> float:
        """Relative, two standard deviations."""
        ...

    def A_per_photon(self, energy_keV: float) -> float:
        """Charge in C that one photon makes on average; A for one photon a second."""
        ...


class Photodiode(BaseModel):
    """A silicon photodiode without bias, all photons through its active layer.

    Parameters
    ----------
    thickness_um : float
        Of its active layer.
    dead_um : float
        Of silicon in front of it that gives no current.
    uncertainty : float
        Relative, of its response, two standard deviations.
    """

    model_config = _CONFIG

    kind: Literal["photodiode"] = "photodiode"
    thickness_um: float = Field(default=300.0, gt=0, le=5000)
    dead_um: float = Field(default=0.0, ge=0, le=100)
    uncertainty: float = Field(default=0.03, gt=0, lt=1)

    def A_per_photon(self, energy_keV: float) -> float:
        """Charge in C that one photon makes on average.

        Raises
        ------
        EnergyRangeError
            The energy lies outside the tables.
        """
        silicon = material("silicon")
        passed = math.exp(-float(mu_total(silicon, energy_keV)) * self.dead_um * 1e-4)
        taken = passed * _absorbed_part(silicon, energy_keV, self.thickness_um * 1e-4)
        return energy_keV * 1e3 * taken / _SILICON_eV * _CHARGE_C


class IonChamber(BaseModel):
    """An ion chamber, all of its ions collected.

    Parameters
    ----------
    length_mm : float
        Of the collecting plates along the beam.
    gas : {"air", "nitrogen", "argon", "helium"}
        What it is filled with.
    pressure_mbar, temperature_C : float
        Of the gas.
    uncertainty : float
        Relative, of its response, two standard deviations.
    """

    model_config = _CONFIG

    kind: Literal["ion chamber"] = "ion chamber"
    length_mm: float = Field(gt=0, le=2000)
    gas: Literal["air", "nitrogen", "argon", "helium"] = "air"
    pressure_mbar: float = Field(default=_NORMAL_mbar, gt=0, le=1e5)
    temperature_C: float = Field(default=20.0, gt=-100, le=300)
    uncertainty: float = Field(default=0.05, gt=0, lt=1)

    def A_per_photon(self, energy_keV: float) -> float:
        """Charge in C that one photon makes on average.

        Raises
        ------
        EnergyRangeError
            The energy lies outside the tables.
        """
        density = self.pressure_mbar / _NORMAL_mbar
        density *= _NORMAL_K / (self.temperature_C + _ZERO_C_K)
        way_cm = 0.1 * self.length_mm * density
        taken = _absorbed_part(material(self.gas), energy_keV, way_cm)
        return energy_keV * 1e3 * taken / _PAIR_eV[self.gas] * _CHARGE_C


Detector = Annotated[Photodiode | IonChamber, Field(discriminator="kind")]


def _absorbed_part(stuff: Material, energy_keV: float, way_cm: float) -> float:
    """Part of the photon energy that stays on a way through a material."""
    mu = float(mu_total(stuff, energy_keV))
    absorbed = float(mass_energy_absorption(stuff, energy_keV)) * stuff.density_g_cm3
    return absorbed / mu * -math.expm1(-mu * way_cm)
