"""A photodiode behind the sample's place, with a pinhole in front: what fluxes are measured by.

Written apart from `voltomo.dose`'s own arithmetic of such detectors, from the cross-sections on,
so that a calibration on the twin means something.
"""

from __future__ import annotations

import math

import numpy as np

from voltomo.dose.attenuation import mass_energy_absorption, mu_total
from voltomo.dose.materials import material
from voltomo.twin.world import World

__all__ = ["PINHOLE_cm2", "THICKNESS_cm", "diode_current_A"]

PINHOLE_cm2 = 0.25e-2
THICKNESS_cm = 0.03
_PAIR_eV = 3.66
_CHARGE_C = 1.602176634e-19
_DARK_A = 2e-12
_NOISE = 0.001
_SAMPLE_IN_mm = 4.0
_BEHIND_SAMPLE = 0.3
"""Part of the beam that comes through the sample, roughly, where it stands before the diode."""


def diode_current_A(world: World, random: np.random.Generator, now_s: float) -> float:
    """Dark current, and what the beam behind shutter, pinhole and sample makes."""
    flux, shutter, energy_keV, sample_x = (
        world.channel(name).value(now_s) for name in ("flux", "shutter", "energy", "sample_x")
    )
    dark = _DARK_A * (1 + 0.1 * random.standard_normal())
    if not (math.isfinite(flux) and math.isfinite(shutter) and math.isfinite(energy_keV)):
        return dark
    if math.isfinite(sample_x) and abs(sample_x) < _SAMPLE_IN_mm:
        flux *= _BEHIND_SAMPLE
    silicon = material("silicon")
    mu = float(mu_total(silicon, energy_keV))
    taken = float(mass_energy_absorption(silicon, energy_keV)) * silicon.density_g_cm3 / mu
    taken *= 1 - math.exp(-mu * THICKNESS_cm)
    pairs = flux * shutter * PINHOLE_cm2 * energy_keV * 1e3 * taken / _PAIR_eV
    return dark + pairs * _CHARGE_C * (1 + _NOISE * random.standard_normal())
