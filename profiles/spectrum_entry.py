"""Section ``spectrum`` of the beamline file: a beam of more than one energy."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.dose.spectrum import Spectrum, bending_magnet, gaussian_band, tabulated

_FWHM = 2.3548


class SpectrumEntry(BaseModel):
    """A beam that is not monochromatic; one of three ways to say so.

    Parameters
    ----------
    width_keV : float or None
        Full width at half maximum of a band around the beamline's energy.
    critical_keV : float or None
        Of a bending magnet or wiggler: a white or pink beam.
    pairs : list or None
        Pairs of energy in keV and photons per keV in any unit: a beam that was measured.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    width_keV: float | None = Field(default=None, gt=0)
    critical_keV: float | None = Field(default=None, gt=0)
    pairs: tuple[tuple[float, float], ...] | None = Field(default=None, min_length=2)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [self.width_keV, self.critical_keV, self.pairs]
        if sum(each is not None for each in given) != 1:
            raise ValueError(
                "a spectrum needs one of 'width_keV' (a band), 'critical_keV' (bending magnet) and "
                "'pairs'; leave it out where the beam is monochromatic"
            )
        if self.pairs is not None:
            self.spectrum(20.0)
        return self

    def spectrum(self, energy_keV: float) -> Spectrum:
        """The beam, with one photon/(s cm²) in all.

        Parameters
        ----------
        energy_keV : float
            Middle of a band; of no meaning to the others.

        Raises
        ------
        ValueError
            The energies do not ascend, or lie outside the tables.
        """
        if self.critical_keV is not None:
            return bending_magnet(self.critical_keV, 1.0)
        if self.pairs is not None:
            energy, per_keV = np.array(self.pairs, dtype=np.float64).T
            return tabulated(energy, per_keV)
        return gaussian_band(energy_keV, self.width_keV or 0.0, 1.0)

    def document(self, energy_keV: float) -> dict[str, Any]:
        """For the start document: kind, mean energy, and full width at half maximum if Gaussian."""
        beam = self.spectrum(energy_keV)
        weight = beam.flux_per_cm2_s / beam.total_per_cm2_s
        spread = np.sqrt(np.sum(weight * (beam.energy_keV - beam.mean_keV) ** 2))
        kind = "band" if self.width_keV else "bending magnet" if self.critical_keV else "measured"
        return {
            "kind": kind,
            "mean_keV": round(beam.mean_keV, 4),
            "width_keV": round(float(_FWHM * spread), 4),
        }
