"""Voxel, contrast and dose pay for each other; and which energy gives most for a gray."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.beam_on_cell import BeamOnCell, shine
from voltomo.dose.plan_file import PlanFile
from voltomo.dose.planner import asked_of, limiting_class, open_time
from voltomo.dose.quality import SHEARED_ROWS_NOISE, dose_for_contrast_Gy
from voltomo.dose.spectrum import mono

__all__ = ["EnergyChoice", "TradeOff", "contrast_by_energy", "trade_off"]

Floats = NDArray[np.float64]

ENERGIES_keV = (*range(8, 32, 2), *range(32, 60, 4), *range(60, 100, 10))
_MOST_DARK = 0.3
"""With more of the angles missing there is no slice to speak of."""
_VOXELS_um = np.geomspace(0.1, 20.0, 47)


@dataclass(frozen=True)
class TradeOff:
    """Dose of one scan against the voxel in which a contrast is seen.

    Attributes
    ----------
    voxel_um : array, shape (n,)
        Sides of voxels.
    contrasts_per_cm : tuple of float
        The feature's contrast first, then a third of it and three times as much.
    dose_Gy : array, shape (contrasts, n)
        Dose of the limiting class.
    limiting : str
        That class.
    allowed_Gy : float
        What one of the series' scans may cost it; infinite where nothing limits it.
    """

    voxel_um: Floats
    contrasts_per_cm: tuple[float, ...]
    dose_Gy: Floats
    limiting: str
    allowed_Gy: float


@dataclass(frozen=True)
class EnergyChoice:
    """Contrast per gray by photon energy, each taken as monochromatic.

    Attributes
    ----------
    energy_keV : array, shape (n,)
        Energies that were tried.
    dose_Gy : array, shape (n,)
        Dose of the class that limits at which the feature is seen, in a scan without waste;
        infinite where it never is, or where too many angles are dark.
    limiting : tuple of str
        Which class that is, at each energy.
    """

    energy_keV: Floats
    dose_Gy: Floats
    limiting: tuple[str, ...]

    @property
    def best_keV(self) -> float | None:
        """The energy with the best contrast per gray; None where nothing is ever seen."""
        if not np.isfinite(self.dose_Gy).any():
            return None
        return float(self.energy_keV[int(np.argmin(self.dose_Gy))])


def allowed_Gy(plan: PlanFile, name: str) -> float:
    """What each scan of the series may cost a class of material, the reserve kept back."""
    limit = next((each for each in plan.policy.limits if each.material_class == name), None)
    if limit is None or limit.dose_Gy is None:
        return math.inf
    scans = plan.budget.time_points + plan.policy.keep_for_scans
    return max(limit.dose_Gy - plan.taken_Gy.get(name, 0.0), 0.0) / scans


def dose_per_photon_Gy_cm2(plan: PlanFile, beam: BeamOnCell, name: str) -> float:
    """Dose of a class for each detected photon per cm2, in a scan without waste."""
    shown = beam.spectrum.total_per_cm2_s * beam.transmission * plan.detector.dqe
    shown *= 1 - beam.dark_part
    return beam.hottest_Gy_s[name] / shown if shown > 0 else math.inf


def trade_off(plan: PlanFile, beam: BeamOnCell) -> TradeOff | None:
    """The line of voxel, contrast and dose for the plan's feature; None where none is named.

    Parameters
    ----------
    plan : PlanFile
        Cell, scan, feature, budget.
    beam : BeamOnCell
        The beam on that cell.
    """
    contrast = beam.contrast_per_cm(plan)
    if plan.feature is None or not contrast:
        return None
    opened = open_time(plan, plan.scan)
    _, name = limiting_class(plan, asked_of(plan, beam, opened.total_s, 1))
    per_photon = dose_per_photon_Gy_cm2(plan, beam, name) / (1 - opened.wasted_part)
    factor = SHEARED_ROWS_NOISE / plan.feature.snr_gain
    contrasts = (contrast, contrast / 3, contrast * 3)
    dose = [
        [
            dose_for_contrast_Gy(float(voxel), each, per_photon, plan.feature.snr, factor)
            for voxel in _VOXELS_um
        ]
        for each in contrasts
    ]
    return TradeOff(_VOXELS_um, contrasts, np.array(dose), name, allowed_Gy(plan, name))


def contrast_by_energy(plan: PlanFile) -> EnergyChoice | None:
    """Try photon energies for the plan's feature and cell; None where no feature is named.

    At every energy the class counts that is nearest to its limit; detectors are taken to be alike
    at all energies.
    """
    if plan.feature is None:
        return None
    doses: list[float] = []
    names: list[str] = []
    for energy_keV in ENERGIES_keV:
        beam = shine(plan, mono(float(energy_keV), 1e10))
        _, name = limiting_class(plan, asked_of(plan, beam, 1.0, 1))
        contrast = beam.contrast_per_cm(plan) or 0.0
        per_photon = dose_per_photon_Gy_cm2(plan, beam, name)
        dose = math.inf
        if contrast > 0 and math.isfinite(per_photon) and beam.dark_part <= _MOST_DARK:
            factor = SHEARED_ROWS_NOISE / plan.feature.snr_gain
            voxel_um = plan.scan.geometry.pixel_um
            dose = dose_for_contrast_Gy(voxel_um, contrast, per_photon, plan.feature.snr, factor)
        doses.append(dose)
        names.append(name)
    energies = np.array(ENERGIES_keV, dtype=np.float64)
    return EnergyChoice(energies, np.array(doses), tuple(names))
