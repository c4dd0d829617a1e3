"""What a beam does to a cell that turns in it, and what is left of it behind."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.attenuation import mu_total
from voltomo.dose.beam_frame import beam_directions
from voltomo.dose.cell_entry import CellEntry
from voltomo.dose.heating import (
    Plate,
    adiabatic_K_s,
    areal_heat_J_per_m2_K,
    rod_rise_K,
    sheet_conductance_W_K,
)
from voltomo.dose.layer_dose import (
    PartRate,
    Turning,
    absorbed_power_W,
    layer_rates,
    through_cm,
)
from voltomo.dose.plan_file import PlanFile
from voltomo.dose.shapes import Shape, Shells
from voltomo.dose.spectrum import Spectrum

__all__ = ["BeamOnCell", "Heat", "shine", "turning_of"]

Floats = NDArray[np.float64]

DARK = 0.01
"""An angle at which much less of the beam than this comes through gives no picture."""
_ROD_HALF_LENGTH_mm = 20.0


@dataclass(frozen=True)
class Heat:
    """How warm the cell gets.

    Attributes
    ----------
    power_W : float
        Taken out of the beam, at most.
    adiabatic_K_s : float or None
        Fastest rise at the start, of all layers; None where no heat capacity is known.
    steady_K : float or None
        After a long time with the beam open; None where conductivities are not known.
    plate : Plate or None
        For rises in between; flat cells only.
    """

    power_W: float
    adiabatic_K_s: float | None
    steady_K: float | None
    plate: Plate | None

    def rise_K(self, seconds: float) -> float | None:
        """Rise after so long in the beam: by two nodes, else the lower of adiabatic and steady."""
        if self.plate is not None:
            return self.plate.rise_K(self.power_W, seconds)
        if self.steady_K is None or self.adiabatic_K_s is None:
            return self.steady_K
        return min(self.steady_K, self.adiabatic_K_s * seconds)


@dataclass(frozen=True)
class BeamOnCell:
    """A beam and a cell, with the beam open.

    Attributes
    ----------
    spectrum : Spectrum
        On the cell, mean over the beam.
    rates : tuple of PartRate
        Of all constituents, at the mean flux density.
    hottest_Gy_s, highest_Gy_s : dict
        By class of material at the profile's peak, upper ends: mean over the angles at the hottest
        point, and the largest at any angle.
    transmission : float
        Harmonic mean over the angles that show something: noise goes by it.
    dark_part : float
        Part of the angles at which too little comes through, about 1 %.
    heat : Heat
        Temperatures.
    detected : array, shape (energies,)
        Photons behind the cell by energy, as parts of all that are detected.
    """

    spectrum: Spectrum
    rates: tuple[PartRate, ...]
    hottest_Gy_s: dict[str, float]
    highest_Gy_s: dict[str, float]
    transmission: float
    dark_part: float
    heat: Heat
    detected: Floats

    def contrast_per_cm(self, plan: PlanFile) -> float | None:
        """Difference in attenuation of the feature in the light that is detected."""
        if plan.feature is None:
            return None
        of, against = (
            mu_total(plan.known.find(name), self.spectrum.energy_keV)
            for name in (plan.feature.material, plan.feature.against)
        )
        return float(abs(((of - against) * self.detected).sum()))


def turning_of(plan: PlanFile) -> Turning:
    """How the scan turns the cell."""
    geometry = plan.scan.geometry
    return Turning(
        geometry.range_deg, geometry.start_deg, geometry.tilt_deg, plan.beam.width_mm / 10
    )


def shine(plan: PlanFile, spectrum: Spectrum) -> BeamOnCell:
    """Work out what a beam does to the plan's cell.

    Parameters
    ----------
    plan : PlanFile
        Cell, geometry and size of the beam.
    spectrum : Spectrum
        Flux density on the cell, mean over the beam.
    """
    shape, turning = plan.shape, turning_of(plan)
    rates = layer_rates(shape, spectrum, turning)
    hottest: dict[str, float] = {}
    highest: dict[str, float] = {}
    for rate in rates:
        name, peak = rate.material.material_class, plan.beam.peak_over_mean
        hottest[name] = max(hottest.get(name, 0.0), rate.hottest_Gy_s * peak)
        highest[name] = max(highest.get(name, 0.0), rate.highest_Gy_s * peak)
    mu_per_cm = np.stack([mu_total(each.material, spectrum.energy_keV) for each in shape.layers])
    paths = through_cm(shape, beam_directions(turning.angles_deg, turning.tilt_deg))
    behind = spectrum.flux_per_cm2_s * np.exp(-(paths @ mu_per_cm))
    passed = behind.sum(axis=1) / max(spectrum.total_per_cm2_s, 1e-300)
    # Angles count the less the darker they are; a sharp end would jump from energy to energy.
    shown = passed**2 / (passed**2 + DARK**2)
    dimmed = passed / (passed**2 + DARK**2)
    transmission = float(shown.sum() / dimmed.sum()) if dimmed.sum() > 0 else 0.0
    seen = shown @ behind
    return BeamOnCell(
        spectrum,
        rates,
        hottest,
        highest,
        transmission,
        float(1 - shown.mean()),
        _heat(plan, shape, spectrum, rates),
        seen / max(float(seen.sum()), 1e-300),
    )


def _heat(plan: PlanFile, shape: Shape, spectrum: Spectrum, rates: tuple[PartRate, ...]) -> Heat:
    beam, cell = plan.beam, plan.cell
    size_cm = (beam.width_mm / 10, beam.height_mm / 10)
    power_W = absorbed_power_W(shape, spectrum, size_cm, plan.scan.geometry.tilt_deg)
    fastest = _adiabatic_K_s(rates)
    if isinstance(shape, Shells):
        return Heat(power_W, fastest, _rod_K(shape, cell, power_W), None)
    conductance = sheet_conductance_W_K(shape.layers)
    areal = areal_heat_J_per_m2_K(shape.layers)
    radius_m = math.sqrt(beam.width_mm * beam.height_mm / math.pi) * 1e-3
    rim_m = (cell.rim_mm or cell.size_mm / 2) * 1e-3
    if conductance is None or areal is None or rim_m <= radius_m:
        return Heat(power_W, fastest, None, None)
    plate = Plate(conductance, areal, radius_m, rim_m)
    return Heat(power_W, fastest, plate.steady_K(power_W), plate)


def _adiabatic_K_s(rates: tuple[PartRate, ...]) -> float | None:
    """Of the layer that warms fastest; what a layer absorbs is shared by all of it."""
    known: list[float] = []
    for layer in dict.fromkeys(rate.layer for rate in rates):
        heat = layer.material.heat_capacity_J_per_g_K
        shares = dict(layer.parts)
        mine = {rate.material: rate.mean_lower_Gy_s for rate in rates if rate.layer == layer}
        if heat is not None:
            mean_Gy_s = sum(mine[part] * share for part, share in shares.items())
            known.append(adiabatic_K_s(mean_Gy_s, heat))
    return max(known, default=None)


def _rod_K(shape: Shells, cell: CellEntry, power_W: float) -> float | None:
    radii_m = shape.radii_cm * 1e-2
    areas_m2 = math.pi * (radii_m[:-1] ** 2 - radii_m[1:] ** 2)
    conductance_W_m = 0.0
    for layer, area_m2 in zip(shape.layers, areas_m2, strict=True):
        if layer.material.conductivity_W_per_m_K is None:
            return None
        conductance_W_m += layer.material.conductivity_W_per_m_K * float(area_m2)
    half_m = (cell.rim_mm or _ROD_HALF_LENGTH_mm) * 1e-3
    perimeter_m = 2 * math.pi * float(radii_m[0])
    return rod_rise_K(power_W, conductance_W_m, perimeter_m, half_m, cell.cooling_W_per_m2_K)
