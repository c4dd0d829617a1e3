"""What a photon gives to a sample: its own material, and each class of material in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.materials import MaterialClass

__all__ = ["Absorption", "DosePerFluence"]

DosePerFluence = Callable[[str, float], float]
"""Gray for one photon per cm2, of a material's name and an energy in keV."""

# Pays where no sample is known: heavier than what batteries are made of.
_NOBODY_MATERIAL = "copper"


class Absorption:
    """Dose for one photon per cm2, at the energy that is read.

    Parameters
    ----------
    settings : GuardSettings
        Samples and declared energy.
    own : callable
        Of a sample's own material, which its limit of dose is about.
    upper : callable
        Upper end of the interval, which limits by class of material act on.
    """

    def __init__(
        self, settings: GuardSettings, own: DosePerFluence, upper: DosePerFluence | None = None
    ) -> None:
        self._settings = settings
        self._own = own
        self._upper = upper or own
        self.energies_keV: tuple[float, ...] = (settings.energy_keV,)

    @property
    def uncertain(self) -> bool:
        """Whether the energy is not read, so that the worse of two counts."""
        return len(self.energies_keV) > 1

    def read(self, energy_keV: float | None) -> None:
        """Take the readback; with None and nonsense the worse of declared and last counts."""
        if energy_keV is not None and math.isfinite(energy_keV) and energy_keV > 0:
            self.energies_keV = (energy_keV,)
        else:
            self.energies_keV = (self.energies_keV[0], self._settings.energy_keV)

    def of(self, sample: str) -> float:
        """Of the sample's material; the worst known where it has none."""
        return max(self._of_energy(sample, energy_keV) for energy_keV in self.energies_keV)

    def energy_keV(self, sample: str) -> float:
        """The energy that counts for a sample now: the worse one where there are two."""
        return max(self.energies_keV, key=lambda energy_keV: self._of_energy(sample, energy_keV))

    def of_classes(
        self, sample: str, energies_keV: Iterable[float] | None = None
    ) -> dict[MaterialClass, float]:
        """Upper end at the beam's peak, by class of what is in a sample.

        Parameters
        ----------
        sample : str
            Which; one that is not known has no classes.
        energies_keV : iterable of float, optional
            The worst of these counts; those that are read if not given, the declared one in place
            of 0 (not said).
        """
        known = self._settings.sample(sample)
        found: dict[MaterialClass, float] = {}
        if known is None:
            return found
        declared_keV = self._settings.energy_keV
        energies = [each or declared_keV for each in energies_keV or self.energies_keV]
        for name in (known.material, *known.also):
            kind = self._settings.known.find(name).material_class
            most = max(
                self._at(self._upper, name, e or self._settings.energy_keV) for e in energies
            )
            found[kind] = max(found.get(kind, 0.0), most * self._settings.beam_peak_over_mean)
        return found

    def _of_energy(self, sample: str, energy_keV: float) -> float:
        known = self._settings.sample(sample)
        materials = [known.material] if known else [s.material for s in self._settings.samples]
        return max(
            self._at(self._own, name, energy_keV) for name in materials or [_NOBODY_MATERIAL]
        )

    def _at(self, physics: DosePerFluence, name: str, energy_keV: float) -> float:
        try:
            return physics(name, energy_keV)
        except ValueError:
            # The energy readback lies outside the tables: the declared energy holds.
            return physics(name, self._settings.energy_keV)
