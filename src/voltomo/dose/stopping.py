"""How much better one material stops electrons than another, per mass.

Photo-electrons of some keV cross several grains of a finely mixed electrode. The dose that they
leave in each constituent is then in the ratio of mass stopping powers (Bragg and Gray).
"""

from __future__ import annotations

import math

from voltomo.dose.formula import ATOMIC_WEIGHT_g_mol
from voltomo.dose.materials import Material

__all__ = ["stopping_ratio"]

_SYMBOLS = (
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb "
    "Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb"
)
_ATOMIC_NUMBER = {symbol: number for number, symbol in enumerate(_SYMBOLS.split(), 1)}
# Mean excitation energies of the light elements in eV (ICRU 37); heavier ones by the fit of
# Berger and Seltzer.
_EXCITATION_eV = {
    "H": 19.2, "He": 41.8, "Li": 40.0, "Be": 63.7, "B": 76.0, "C": 81.0, "N": 82.0, "O": 95.0,
    "F": 115.0,
}  # fmt: skip
_LOW_ENERGY = 0.85
"""Joy and Luo's constant: keeps the logarithm right where inner shells no longer take part."""


def stopping_ratio(part: Material, whole: Material, electron_keV: float) -> float:
    """Mass collision stopping power of a constituent over that of the mixture it is in.

    Bethe's formula with Joy and Luo's change for low energies, elements added by mass:
    S/rho ~ sum of w Z/A ln(1.166 (E + 0.85 I) / I) / E.

    Parameters
    ----------
    part, whole : Material
        The constituent, and the mixture.
    electron_keV : float
        Energy of the electrons, above 0.

    Returns
    -------
    float
        About 1.3 for an electrolyte in a coating of NMC.
    """
    return _mass_stopping(part, electron_keV) / _mass_stopping(whole, electron_keV)


def _mass_stopping(material: Material, electron_keV: float) -> float:
    total = 0.0
    for symbol, fraction in material.mass_fractions:
        number = _ATOMIC_NUMBER[symbol]
        fitted_eV = 9.76 * number + 58.8 * math.pow(number, -0.19)
        excitation_keV = _EXCITATION_eV.get(symbol, fitted_eV) / 1000
        argument = 1.166 * (electron_keV + _LOW_ENERGY * excitation_keV) / excitation_keV
        total += fraction * number / ATOMIC_WEIGHT_g_mol[symbol] * math.log(argument)
    return total
