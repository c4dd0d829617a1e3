"""Attenuation, energy absorption and refraction of X-rays in a material, 1 to 100 keV.

All come from one shipped table of the elements (``cross_sections.csv``), combined by mass
fraction. The table has a row on either side of each absorption edge, so interpolation between
logarithms never smears an edge. ``tools/make_cross_sections.py`` makes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.formula import ATOMIC_WEIGHT_g_mol
from voltomo.dose.materials import Material

__all__ = [
    "EnergyRangeError",
    "Fluorescence",
    "HIGHEST_ENERGY_keV",
    "LOWEST_ENERGY_keV",
    "mass_energy_absorption",
    "mu_total",
    "refraction_delta",
]

Fluorescence = Literal["escapes", "local"]
"""Whether the fluorescence of the absorbing atoms leaves the layer, or is absorbed in it."""

LOWEST_ENERGY_keV = 1.0
HIGHEST_ENERGY_keV = 100.0

FloatArray = NDArray[np.float64]
# One number gives one number, an array gives an array of the same shape.
Energy = TypeVar("Energy", float, FloatArray)

_CLASSICAL_ELECTRON_RADIUS_cm = 2.8179403205e-13
_AVOGADRO_per_mol = 6.02214076e23
_KEV_CM = 1.2398419843320026e-7


class EnergyRangeError(ValueError):
    """A photon energy outside the table of cross-sections."""


@dataclass(frozen=True)
class _Element:
    """Columns of the table for one element, ready for interpolation over ln(energy)."""

    ln_energy_keV: FloatArray
    ln_mu_total: FloatArray
    ln_mu_en_escape: FloatArray
    ln_mu_en_local: FloatArray
    f1_electrons: FloatArray


def mu_total(material: Material, energy_keV: Energy) -> Energy:
    """Linear attenuation coefficient: photo-absorption, coherent and incoherent scattering.

    Parameters
    ----------
    material : Material
        What the beam passes.
    energy_keV : float or array
        Photon energy, 1 to 100 keV.

    Returns
    -------
    float or array
        Attenuation in 1/cm, shaped as `energy_keV`.

    Raises
    ------
    EnergyRangeError
        If an energy lies outside the table or is not a number.
    """
    ln_energy = _ln_energy(energy_keV)
    mass_attenuation = np.zeros_like(ln_energy)
    for symbol, fraction in material.mass_fractions:
        element = _table()[symbol]
        mass_attenuation += fraction * np.exp(
            np.interp(ln_energy, element.ln_energy_keV, element.ln_mu_total)
        )
    return _as_given(energy_keV, mass_attenuation * material.density_g_cm3)


def mass_energy_absorption(
    material: Material, energy_keV: Energy, fluorescence: Fluorescence = "escapes"
) -> Energy:
    """Mass energy-absorption coefficient: what of a photon's energy is left in the material.

    Recoil electrons of incoherent scattering are always counted. With ``"escapes"`` (the usual
    definition) the fluorescence of the absorbing atoms leaves; with ``"local"`` all the energy
    that was photo-absorbed stays. Thick electrodes and foils lie in between.

    Parameters
    ----------
    material : Material
        What absorbs.
    energy_keV : float or array
        Photon energy, 1 to 100 keV.
    fluorescence : {"escapes", "local"}
        Lower or upper end of the interval.

    Returns
    -------
    float or array
        Coefficient in cm2/g, shaped as `energy_keV`.

    Raises
    ------
    EnergyRangeError
        If an energy lies outside the table or is not a number.
    ValueError
        If `fluorescence` is neither of the two words.
    """
    if fluorescence not in ("escapes", "local"):
        raise ValueError(
            f"Fluorescence either 'escapes' or is absorbed where it arose ('local'), "
            f"got {fluorescence!r}."
        )
    ln_energy = _ln_energy(energy_keV)
    coefficient = np.zeros_like(ln_energy)
    for symbol, fraction in material.mass_fractions:
        element = _table()[symbol]
        column = element.ln_mu_en_escape if fluorescence == "escapes" else element.ln_mu_en_local
        coefficient += fraction * np.exp(np.interp(ln_energy, element.ln_energy_keV, column))
    return _as_given(energy_keV, coefficient)


def refraction_delta(material: Material, energy_keV: Energy) -> Energy:
    """Decrement of the refractive index, n = 1 - delta + i beta.

    delta = r_e wavelength^2 / (2 pi) * sum of atoms per volume * f1, with f1 the real part of the
    forward scattering factor in electrons.

    Parameters
    ----------
    material : Material
        What the beam passes.
    energy_keV : float or array
        Photon energy, 1 to 100 keV.

    Returns
    -------
    float or array
        Dimensionless, shaped as `energy_keV`.

    Raises
    ------
    EnergyRangeError
        If an energy lies outside the table or is not a number.
    """
    ln_energy = _ln_energy(energy_keV)
    electrons_mol_per_g = np.zeros_like(ln_energy)
    for symbol, fraction in material.mass_fractions:
        element = _table()[symbol]
        f1 = np.interp(ln_energy, element.ln_energy_keV, element.f1_electrons)
        electrons_mol_per_g += fraction / ATOMIC_WEIGHT_g_mol[symbol] * f1
    electrons_per_cm3 = electrons_mol_per_g * material.density_g_cm3 * _AVOGADRO_per_mol
    wavelength_cm = _KEV_CM / np.exp(ln_energy)
    delta = _CLASSICAL_ELECTRON_RADIUS_cm * wavelength_cm**2 / (2 * math.pi) * electrons_per_cm3
    return _as_given(energy_keV, delta)


def _ln_energy(energy_keV: float | FloatArray) -> FloatArray:
    energy = np.asarray(energy_keV, dtype=np.float64)
    inside = (energy >= LOWEST_ENERGY_keV) & (energy <= HIGHEST_ENERGY_keV)
    if not np.all(inside):
        wrong = float(energy[~inside].flat[0])
        raise EnergyRangeError(
            f"Photon energies must lie between {LOWEST_ENERGY_keV:g} and {HIGHEST_ENERGY_keV:g} "
            f"keV, where cross-sections are tabulated; got {wrong:g} keV. Is the unit keV?"
        )
    return np.log(energy)


def _as_given(energy_keV: Energy, values: FloatArray) -> Energy:
    if isinstance(energy_keV, np.ndarray):
        return cast(Energy, values)
    return cast(Energy, float(values))


@cache
def _table() -> dict[str, _Element]:
    text = files("voltomo.dose").joinpath("cross_sections.csv").read_text(encoding="ascii")
    rows: dict[str, list[list[float]]] = {}
    for line in text.splitlines():
        if line.startswith(("#", "element,")):
            continue
        symbol, *numbers = line.split(",")
        rows.setdefault(symbol, []).append([float(number) for number in numbers])
    return {symbol: _element(np.array(numbers)) for symbol, numbers in rows.items()}


def _element(rows: FloatArray) -> _Element:
    energy_keV, total, escape, local, f1 = rows.T
    return _Element(np.log(energy_keV), np.log(total), np.log(escape), np.log(local), f1)
