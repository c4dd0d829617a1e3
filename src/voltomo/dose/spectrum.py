"""Mono and pink beams: photons by energy, and what windows and attenuators leave of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.attenuation import HIGHEST_ENERGY_keV, LOWEST_ENERGY_keV, mu_total
from voltomo.dose.dose_rate import JOULE_PER_KEV, Layer

__all__ = ["Spectrum", "bending_magnet", "gaussian_band", "mono", "tabulated"]

Floats = NDArray[np.float64]

_PINK_POINTS = 160


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Flux density of a beam by photon energy.

    Attributes
    ----------
    energy_keV : array, shape (n,)
        Ascending, 1 to 100 keV.
    flux_per_cm2_s : array, shape (n,)
        Photons per cm2 and second in the bin of each energy, zero or more.

    Raises
    ------
    ValueError
        If shapes differ, energies do not ascend or lie outside the tables, or a flux is negative
        or not finite.
    """

    energy_keV: Floats
    flux_per_cm2_s: Floats

    def __post_init__(self) -> None:
        energy, flux = self.energy_keV, self.flux_per_cm2_s
        if energy.ndim != 1 or energy.shape != flux.shape or not energy.size:
            raise ValueError("a spectrum needs one flux for each energy, and at least one")
        if np.any(np.diff(energy) <= 0):
            raise ValueError("the energies of a spectrum must ascend")
        if not (LOWEST_ENERGY_keV <= energy[0] and energy[-1] <= HIGHEST_ENERGY_keV):
            raise ValueError(
                f"the energies of a spectrum must lie between {LOWEST_ENERGY_keV:g} and "
                f"{HIGHEST_ENERGY_keV:g} keV; got {energy[0]:g} to {energy[-1]:g}. Is the unit keV?"
            )
        if not np.all(np.isfinite(flux)) or np.any(flux < 0):
            raise ValueError("the flux at every energy must be a finite number, zero or more")

    @property
    def total_per_cm2_s(self) -> float:
        """Photons of all energies per cm2 and second."""
        return float(self.flux_per_cm2_s.sum())

    @property
    def mean_keV(self) -> float:
        """Mean energy of a photon; that of the lowest bin where there is no beam."""
        total = self.total_per_cm2_s
        if total <= 0:
            return float(self.energy_keV[0])
        return float((self.energy_keV * self.flux_per_cm2_s).sum() / total)

    @property
    def power_W_cm2(self) -> float:
        """Energy that the beam carries, per cm2 and second."""
        return float((self.energy_keV * self.flux_per_cm2_s).sum()) * JOULE_PER_KEV

    def transmission_of(self, layers: Sequence[Layer]) -> Floats:
        """Part of the photons of each energy that passes, shape (n,)."""
        depth = np.zeros_like(self.energy_keV)
        for layer in layers:
            depth += mu_total(layer.material, self.energy_keV) * layer.thickness_cm
        return np.exp(-depth)

    def behind(self, layers: Sequence[Layer]) -> Spectrum:
        """The beam that windows and attenuators leave."""
        return Spectrum(self.energy_keV, self.flux_per_cm2_s * self.transmission_of(layers))

    def scaled_to(self, total_per_cm2_s: float) -> Spectrum:
        """The same form with another flux density.

        Raises
        ------
        ValueError
            There is no beam to scale, or the flux is negative or not finite.
        """
        if not (math.isfinite(total_per_cm2_s) and total_per_cm2_s >= 0):
            raise ValueError(f"a flux must be a finite number, zero or more; got {total_per_cm2_s}")
        if self.total_per_cm2_s <= 0:
            raise ValueError("nothing of the beam is left that could be scaled to a flux")
        factor = total_per_cm2_s / self.total_per_cm2_s
        return Spectrum(self.energy_keV, self.flux_per_cm2_s * factor)


def mono(energy_keV: float, flux_per_cm2_s: float) -> Spectrum:
    """A monochromatic beam.

    Raises
    ------
    ValueError
        See `Spectrum`.
    """
    return Spectrum(np.array([float(energy_keV)]), np.array([float(flux_per_cm2_s)]))


def gaussian_band(energy_keV: float, width_keV: float, flux_per_cm2_s: float) -> Spectrum:
    """A band, as a multilayer monochromator passes it.

    Parameters
    ----------
    energy_keV, width_keV : float
        Its middle, and its full width at half maximum.
    flux_per_cm2_s : float
        Of all of it.

    Raises
    ------
    ValueError
        The width is not positive, or see `Spectrum`.
    """
    if not (math.isfinite(width_keV) and width_keV > 0):
        raise ValueError(f"the width of a band must be above 0 keV; got {width_keV!r}")
    sigma_keV = width_keV / 2.3548
    wide = np.linspace(energy_keV - 3.5 * sigma_keV, energy_keV + 3.5 * sigma_keV, 61)
    energy = wide[(wide >= LOWEST_ENERGY_keV) & (wide <= HIGHEST_ENERGY_keV)]
    form = np.exp(-0.5 * ((energy - energy_keV) / sigma_keV) ** 2)
    return Spectrum(energy, form).scaled_to(flux_per_cm2_s)


def tabulated(energy_keV: Floats, per_keV: Floats) -> Spectrum:
    """A measured or computed spectrum.

    Parameters
    ----------
    energy_keV : array, shape (n,)
        Ascending, 1 to 100 keV, two or more.
    per_keV : array, shape (n,)
        Photons per cm2, second and keV at those energies.

    Raises
    ------
    ValueError
        See `Spectrum`.
    """
    if energy_keV.size < 2:
        raise ValueError(
            "a table needs two energies or more; give one energy alone as 'energy_keV'"
        )
    half = np.abs(np.diff(energy_keV)) / 2
    widths = np.concatenate([half[:1], half[1:] + half[:-1], half[-1:]])
    return Spectrum(energy_keV, per_keV * widths)


def bending_magnet(critical_keV: float, flux_per_cm2_s: float) -> Spectrum:
    """The white beam of a bending magnet in the plane of the orbit.

    Photons per 0.1 % of bandwidth go as y^2 K_2/3(y/2)^2 with y = E / E_c (Schwinger); a wiggler
    with many poles is much the same.

    Parameters
    ----------
    critical_keV : float
        Critical energy of the source.
    flux_per_cm2_s : float
        Of all energies from 1 to 100 keV.

    Raises
    ------
    ValueError
        The critical energy is not positive, or see `Spectrum`.
    """
    if not (math.isfinite(critical_keV) and critical_keV > 0):
        raise ValueError(f"a critical energy must be above 0 keV; got {critical_keV!r}")
    energy = np.geomspace(LOWEST_ENERGY_keV, HIGHEST_ENERGY_keV, _PINK_POINTS)
    y = energy / critical_keV
    # K_2/3(x) as the integral of exp(-x cosh t) cosh(2 t / 3) over t from 0.
    t = np.linspace(0.0, 12.0, 481)
    inner = np.exp(-np.outer(y / 2, np.cosh(t))) * np.cosh(2 * t / 3)
    bessel = np.trapezoid(inner, t, axis=1)
    per_keV = y**2 * bessel**2 / energy
    return tabulated(energy, per_keV).scaled_to(flux_per_cm2_s)
