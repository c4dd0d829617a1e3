"""The plan file: cell, beam, detector, scan, what is to be seen and what may be received."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from voltomo.dose.attenuation import HIGHEST_ENERGY_keV, LOWEST_ENERGY_keV
from voltomo.dose.cell_entry import CellEntry, found
from voltomo.dose.dose_rate import Layer
from voltomo.dose.material_file import MaterialEntry, load_materials, materials_with
from voltomo.dose.materials import MaterialClass, MaterialList, shipped_materials
from voltomo.dose.policies import Policy
from voltomo.dose.policy_file import find_policy, load_policies
from voltomo.dose.quality import ROSE, Detector
from voltomo.dose.shapes import Shape
from voltomo.dose.spectrum import Spectrum, bending_magnet, gaussian_band, mono, tabulated
from voltomo.model.scan_spec import ScanSpec
from voltomo.runtime.yaml_file import FileRefused, load_yaml, mistake_at

__all__ = [
    "BeamEntry",
    "BudgetEntry",
    "FeatureEntry",
    "FilterEntry",
    "PlanFile",
    "load_plan",
]

_CONFIG = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
_FAINTEST, _BRIGHTEST = 1e5, 1e18


class FilterEntry(BaseModel):
    """A plate in the beam: a window or an attenuator.

    Parameters
    ----------
    material : str
        What it is made of.
    thickness_um : float
        Along the beam.
    """

    model_config = _CONFIG

    material: str
    thickness_um: float = Field(gt=0, le=1e6)

    def plate(self, known: MaterialList, *place: str | int) -> Layer:
        """The plate; a mistake stands below the place."""
        return Layer(found(known, self.material, *place, "material"), self.thickness_um * 1e-4)


class BeamEntry(BaseModel):
    """The beam at the sample.

    Parameters
    ----------
    energy_keV : float or None
        Of a monochromatic beam, or the middle of a band.
    width_keV : float or None
        Full width of a band at half maximum; without it the beam is monochromatic.
    critical_keV : float or None
        Of a bending magnet or wiggler: a white or pink beam.
    spectrum : list or None
        Pairs of energy in keV and photons per keV in any unit: a beam that was measured.
    flux_per_cm2_s : float
        Photons/s/cm² on the sample, mean over the beam: windows in, attenuators out, shutter open.
    peak_over_mean : float
        Highest over mean flux density in the beam.
    width_mm, height_mm : float
        Of the beam at the sample.
    windows : list of FilterEntry
        What the beam passes anyway; they form a pink spectrum, the flux is that behind them.
    attenuators : list of FilterEntry
        What can be put into the beam; each makes a choice of its own.
    in_beam : list of int
        Which of the attenuators are in for this scan, counted from 1.
    """

    model_config = _CONFIG

    energy_keV: float | None = None
    width_keV: float | None = Field(default=None, gt=0)
    critical_keV: float | None = Field(default=None, gt=0)
    spectrum: tuple[tuple[float, float], ...] | None = Field(default=None, min_length=2)
    flux_per_cm2_s: float
    peak_over_mean: float = Field(default=1.0, ge=1)
    width_mm: float = Field(gt=0)
    height_mm: float = Field(gt=0)
    windows: tuple[FilterEntry, ...] = ()
    attenuators: tuple[FilterEntry, ...] = ()
    in_beam: tuple[int, ...] = ()

    @field_validator("energy_keV")
    @classmethod
    def _in_the_tables(cls, energy_keV: float | None) -> float | None:
        if energy_keV is not None and not LOWEST_ENERGY_keV <= energy_keV <= HIGHEST_ENERGY_keV:
            raise ValueError(
                f"photon energies lie between {LOWEST_ENERGY_keV:g} and {HIGHEST_ENERGY_keV:g} "
                f"keV, where cross-sections are tabulated; it says {energy_keV:g}"
                + ("; that is eV?" if energy_keV >= 1000 else "")
            )
        return energy_keV

    @field_validator("flux_per_cm2_s")
    @classmethod
    def _a_flux(cls, flux: float) -> float:
        if flux <= 0:
            raise ValueError(
                f"without flux there is no scan; it says {flux:g}: give photons/s/cm² on the "
                "sample with the shutter open"
            )
        if not _FAINTEST <= flux <= _BRIGHTEST:
            raise ValueError(
                f"no X-ray source gives {flux:g} photons/s/cm² ({_FAINTEST:g} to {_BRIGHTEST:g} "
                "are taken): is it scaled rightly? A flux per mm² is 100 times larger per cm²; "
                "all photons/s of the beam are to be divided by its area in cm²"
            )
        return flux

    @model_validator(mode="after")
    def _one_spectrum(self) -> Self:
        given = [self.energy_keV, self.critical_keV, self.spectrum]
        if sum(each is not None for each in given) != 1:
            raise ValueError(
                "the beam needs one of 'energy_keV' (with 'width_keV' for a band), "
                "'critical_keV' (bending magnet) and 'spectrum' (pairs)"
            )
        if self.width_keV is not None and self.energy_keV is None:
            raise ValueError("'width_keV' belongs to 'energy_keV'")
        for number in self.in_beam:
            if not 1 <= number <= len(self.attenuators):
                raise mistake_at(
                    ["in_beam"],
                    f"attenuator {number} is not listed; there are {len(self.attenuators)}",
                )
        return self

    def before_attenuators(self, known: MaterialList) -> Spectrum:
        """The beam on the sample with no attenuator in.

        Raises
        ------
        pydantic.ValidationError
            A material is not known, the spectrum is impossible, or nothing passes the windows.
        """
        windows = [each.plate(known, "windows", n) for n, each in enumerate(self.windows)]
        try:
            return self._source().behind(windows).scaled_to(self.flux_per_cm2_s)
        except ValueError as error:
            raise mistake_at(["spectrum"], str(error)) from error

    def plates(self, known: MaterialList) -> tuple[Layer, ...]:
        """All attenuators that there are."""
        return tuple(each.plate(known, "attenuators", n) for n, each in enumerate(self.attenuators))

    def _source(self) -> Spectrum:
        if self.critical_keV is not None:
            return bending_magnet(self.critical_keV, 1.0)
        if self.spectrum is not None:
            energy, per_keV = np.array(self.spectrum, dtype=np.float64).T
            return tabulated(energy, per_keV)
        energy_keV = self.energy_keV or math.nan
        if self.width_keV is not None:
            return gaussian_band(energy_keV, self.width_keV, 1.0)
        return mono(energy_keV, 1.0)


class FeatureEntry(BaseModel):
    """What is to be told apart, voxel by voxel, in attenuation.

    Parameters
    ----------
    material, against : str
        Two materials.
    snr : float
        Contrast over noise at which it counts as seen.
    snr_gain : float
        What phase retrieval or denoising gains, as you have measured it.
    """

    model_config = _CONFIG

    material: str
    against: str
    snr: float = Field(default=ROSE, gt=0)
    snr_gain: float = Field(default=1.0, gt=0)


class BudgetEntry(BaseModel):
    """What the cell may receive, and has received.

    Parameters
    ----------
    policy : str
        Name of a policy, shipped or of ``policy_file``.
    taken_Gy : dict
        By class of material: upper ends of what it has received already.
    time_points : int
        Scans of the whole series.
    """

    model_config = _CONFIG

    policy: str = "operando_default"
    taken_Gy: dict[MaterialClass, float] = {}
    time_points: int = Field(default=1, ge=1)

    @field_validator("taken_Gy")
    @classmethod
    def _taken(cls, taken: dict[MaterialClass, float]) -> dict[MaterialClass, float]:
        for name, dose_Gy in taken.items():
            if dose_Gy < 0:
                raise mistake_at([name], f"a dose is 0 Gy or more; it says {dose_Gy:g}")
        return taken


class PlanFile(BaseModel):
    """A scan, or a series of scans, before it is run.

    Parameters
    ----------
    material_file : Path or None
        Own materials, beside this file.
    materials : list of MaterialEntry
        Further own materials.
    policy_file : Path or None
        Own policies, beside this file.
    cell : CellEntry
        What is in the beam.
    beam : BeamEntry
        The beam.
    detector : Detector
        The camera.
    scan : ScanSpec
        Geometry, exposure, sweeps and flats.
    shutter_travel_s : float
        Time of the shutter's blade from one end to the other.
    feature : FeatureEntry or None
        What is to be seen.
    budget : BudgetEntry
        What may be received.
    """

    model_config = _CONFIG

    material_file: Path | None = None
    materials: list[MaterialEntry] = []
    policy_file: Path | None = None
    cell: CellEntry
    beam: BeamEntry
    detector: Detector = Detector()
    scan: ScanSpec
    shutter_travel_s: float = Field(default=0.015, ge=0)
    feature: FeatureEntry | None = None
    budget: BudgetEntry = BudgetEntry()

    @field_validator("material_file", "policy_file")
    @classmethod
    def _is_read(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is None:
            return None
        whole = Path(info.context or ".") / path
        try:
            (load_materials if info.field_name == "material_file" else load_policies)(whole)
        except FileRefused as error:
            raise ValueError(str(error)) from error
        return whole

    @field_validator("materials")
    @classmethod
    def _fit_together(cls, own: list[MaterialEntry], info: ValidationInfo) -> list[MaterialEntry]:
        materials_with(own, _from_file(info.data.get("material_file")))
        return own

    @field_validator("cell")
    @classmethod
    def _cell_is_known(cls, cell: CellEntry, info: ValidationInfo) -> CellEntry:
        if (known := _known(info)) is not None:
            cell.made_of(known)
        return cell

    @field_validator("beam")
    @classmethod
    def _beam_is_known(cls, beam: BeamEntry, info: ValidationInfo) -> BeamEntry:
        if (known := _known(info)) is not None:
            beam.before_attenuators(known)
            beam.plates(known)
        return beam

    @field_validator("feature")
    @classmethod
    def _feature_is_known(
        cls, feature: FeatureEntry | None, info: ValidationInfo
    ) -> FeatureEntry | None:
        if feature is not None and (known := _known(info)) is not None:
            found(known, feature.material, "material")
            found(known, feature.against, "against")
        return feature

    @field_validator("budget")
    @classmethod
    def _policy_is_known(cls, budget: BudgetEntry, info: ValidationInfo) -> BudgetEntry:
        path = info.data.get("policy_file")
        try:
            find_policy(budget.policy, load_policies(path) if path else ())
        except FileRefused as error:
            raise mistake_at(["policy"], str(error)) from error
        return budget

    @property
    def known(self) -> MaterialList:
        """All materials, one's own included."""
        return materials_with(self.materials, _from_file(self.material_file))

    @property
    def policy(self) -> Policy:
        """The policy that limits."""
        own = load_policies(self.policy_file) if self.policy_file else ()
        return find_policy(self.budget.policy, own)

    @property
    def shape(self) -> Shape:
        """The cell as the beam sees it."""
        return self.cell.made_of(self.known)

    @property
    def taken_Gy(self) -> dict[str, float]:
        """What the cell has received already, by class of material."""
        return {str(name): dose_Gy for name, dose_Gy in self.budget.taken_Gy.items()}

    @property
    def attenuators_in(self) -> tuple[Layer, ...]:
        """Attenuators that are in for this scan."""
        plates = self.beam.plates(self.known)
        return tuple(plates[number - 1] for number in self.beam.in_beam)

    @property
    def spectrum(self) -> Spectrum:
        """The beam on the cell, in this scan."""
        return self.beam.before_attenuators(self.known).behind(self.attenuators_in)


def _from_file(path: Path | None) -> MaterialList:
    return shipped_materials() if path is None else load_materials(path)


def _known(info: ValidationInfo) -> MaterialList | None:
    """All materials; None where the file's own could not be read, which was said already."""
    if "materials" not in info.data or "material_file" not in info.data:
        return None
    return materials_with(info.data["materials"], _from_file(info.data["material_file"]))


def load_plan(path: Path) -> PlanFile:
    """Read a plan file.

    Raises
    ------
    FileRefused
        With file, line and caret for each mistake.
    """
    return load_yaml(path, PlanFile, path.parent)
