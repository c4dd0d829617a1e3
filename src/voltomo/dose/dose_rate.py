"""From flux density to gray: entrance dose rate, mean over a slab, layers in a row.

Flux densities are photons per second and cm2 *at the sample*, after attenuators and window, on
a plane normal to the beam. Thicknesses are path lengths along the beam: a sheet whose normal is
at an angle to the beam has thickness / cos(angle).

The rates count what is absorbed from the primary beam. Transport of photo-electrons (some
micrometres) and of scattered photons is not followed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from voltomo.dose.attenuation import Fluorescence, mass_energy_absorption, mu_total
from voltomo.dose.materials import Material

__all__ = [
    "Layer",
    "absorbed_bound_Gy_s",
    "dose_per_fluence_Gy_cm2",
    "dose_rate_Gy_s",
    "layer_dose_rates_Gy_s",
    "slab_mean_factor",
    "transmission",
]

JOULE_PER_KEV = 1.602176634e-16
_GRAM_PER_KILOGRAM = 1000.0


@dataclass(frozen=True)
class Layer:
    """A sheet in the beam.

    Attributes
    ----------
    material : Material
        What it is made of.
    thickness_cm : float
        Path length of the beam in it, zero or more.

    Raises
    ------
    ValueError
        If the thickness is negative or not finite.
    """

    material: Material
    thickness_cm: float

    def __post_init__(self) -> None:
        _require_not_negative(f"thickness of {self.material.name} in cm", self.thickness_cm)


def dose_per_fluence_Gy_cm2(
    material: Material, energy_keV: float, fluorescence: Fluorescence = "escapes"
) -> float:
    """Dose that one photon per cm2 gives to a thin layer: energy times mu_en/rho.

    Parameters
    ----------
    material : Material
        What absorbs.
    energy_keV : float
        Photon energy, 1 to 100 keV.
    fluorescence : {"escapes", "local"}
        See `voltomo.dose.attenuation.mass_energy_absorption`.

    Returns
    -------
    float
        Gray per (photon/cm2).

    Raises
    ------
    EnergyRangeError
        If the energy lies outside the table.
    """
    coefficient_cm2_per_g = mass_energy_absorption(material, float(energy_keV), fluorescence)
    return energy_keV * JOULE_PER_KEV * coefficient_cm2_per_g * _GRAM_PER_KILOGRAM


def dose_rate_Gy_s(
    material: Material,
    energy_keV: float,
    flux_density_per_cm2_s: float,
    fluorescence: Fluorescence = "escapes",
) -> float:
    """Dose rate where the beam enters the material.

    Parameters
    ----------
    material : Material
        What absorbs.
    energy_keV : float
        Photon energy, 1 to 100 keV.
    flux_density_per_cm2_s : float
        Photons per cm2 and second on the entrance face.
    fluorescence : {"escapes", "local"}
        See `voltomo.dose.attenuation.mass_energy_absorption`.

    Returns
    -------
    float
        Gy/s.

    Raises
    ------
    EnergyRangeError
        If the energy lies outside the table.
    ValueError
        If the flux density is negative or not finite.
    """
    _require_not_negative("flux density in photons/(cm2 s)", flux_density_per_cm2_s)
    return flux_density_per_cm2_s * dose_per_fluence_Gy_cm2(material, energy_keV, fluorescence)


def slab_mean_factor(material: Material, energy_keV: float, thickness_cm: float) -> float:
    """Mean dose over a slab as a part of the dose at its entrance, (1 - exp(-mu t)) / (mu t).

    Parameters
    ----------
    material : Material
        What absorbs.
    energy_keV : float
        Photon energy, 1 to 100 keV.
    thickness_cm : float
        Path length in the slab; a thickness of zero gives 1.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    EnergyRangeError
        If the energy lies outside the table.
    ValueError
        If the thickness is negative or not finite.
    """
    optical_depth = _optical_depth(Layer(material, thickness_cm), energy_keV)
    return -math.expm1(-optical_depth) / optical_depth if optical_depth > 0 else 1.0


def transmission(layers: Sequence[Layer], energy_keV: float) -> float:
    """Part of the beam that passes all layers without interaction; 1 for none.

    Raises
    ------
    EnergyRangeError
        If the energy lies outside the table.
    """
    return math.exp(-sum(_optical_depth(layer, energy_keV) for layer in layers))


def layer_dose_rates_Gy_s(
    layers: Sequence[Layer],
    energy_keV: float,
    flux_density_per_cm2_s: float,
    fluorescence: Fluorescence = "escapes",
) -> tuple[float, ...]:
    """Mean dose rate in each of the layers that the beam passes one after the other.

    Parameters
    ----------
    layers : sequence of Layer
        In the order in which the beam meets them.
    energy_keV : float
        Photon energy, 1 to 100 keV.
    flux_density_per_cm2_s : float
        Photons per cm2 and second on the first layer.
    fluorescence : {"escapes", "local"}
        See `voltomo.dose.attenuation.mass_energy_absorption`.

    Returns
    -------
    tuple of float
        Gy/s, one a layer.

    Raises
    ------
    EnergyRangeError
        If the energy lies outside the table.
    ValueError
        If the flux density is negative or not finite.
    """
    rates_Gy_s: list[float] = []
    for i, layer in enumerate(layers):
        arriving = flux_density_per_cm2_s * transmission(layers[:i], energy_keV)
        entrance_Gy_s = dose_rate_Gy_s(layer.material, energy_keV, arriving, fluorescence)
        mean = slab_mean_factor(layer.material, energy_keV, layer.thickness_cm)
        rates_Gy_s.append(entrance_Gy_s * mean)
    return tuple(rates_Gy_s)


def absorbed_bound_Gy_s(
    material: Material,
    energy_keV: float,
    flux_density_per_cm2_s: float,
    thickness_cm: float,
) -> float:
    """Mean dose rate in a slab if all that it takes out of the beam were absorbed in it.

    Conservation of energy forbids more from the primary beam:
    flux density * (1 - exp(-mu t)) * energy / (density * t).

    Parameters
    ----------
    material : Material
        What absorbs.
    energy_keV : float
        Photon energy, 1 to 100 keV.
    flux_density_per_cm2_s : float
        Photons per cm2 and second on the entrance face.
    thickness_cm : float
        Path length in the slab; zero gives the limit for a thin layer.

    Returns
    -------
    float
        Gy/s.

    Raises
    ------
    EnergyRangeError
        If the energy lies outside the table.
    ValueError
        If flux density or thickness are negative or not finite.
    """
    _require_not_negative("flux density in photons/(cm2 s)", flux_density_per_cm2_s)
    mass_attenuation_cm2_per_g = mu_total(material, float(energy_keV)) / material.density_g_cm3
    entrance_Gy_s = (
        flux_density_per_cm2_s
        * energy_keV
        * JOULE_PER_KEV
        * mass_attenuation_cm2_per_g
        * _GRAM_PER_KILOGRAM
    )
    return entrance_Gy_s * slab_mean_factor(material, energy_keV, thickness_cm)


def _optical_depth(layer: Layer, energy_keV: float) -> float:
    return mu_total(layer.material, float(energy_keV)) * layer.thickness_cm


def _require_not_negative(what: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"The {what} must be a finite number, zero or more; got {value!r}.")
