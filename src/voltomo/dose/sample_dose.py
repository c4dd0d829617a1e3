"""What a sample has received: by class, by who opened the beam, over time, and where.

A projection of the exposure log, whoever opened the beam.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from voltomo.dose.dose_map import DoseMap, DoseMapProjection, PerFluence, REACH_mm
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.ledger import Account, Ledger
from voltomo.dose.materials import Material
from voltomo.dose.metrics import MapMetrics, map_metrics
from voltomo.model.names import run_name
from voltomo.model.sample import Sample
from voltomo.runtime.append_log import Entry

__all__ = ["ClassDose", "Opener", "SampleDose", "SampleDoseProjection"]


@dataclass(frozen=True)
class ClassDose:
    """Dose of one class of material.

    Attributes
    ----------
    name : str
        The class.
    bound_Gy, estimate_Gy : float
        At the hottest voxel: upper bound, which limits act on, and best estimate.
    metrics : MapMetrics
        Over the map.
    limit_Gy : float or None
        Of the sample's policy.
    source : str
        Of that limit.
    """

    name: str
    bound_Gy: float
    estimate_Gy: float
    metrics: MapMetrics
    limit_Gy: float | None
    source: str


@dataclass(frozen=True)
class Opener:
    """Who opened the beam, and what it cost.

    Attributes
    ----------
    who : str
        A scan, a lease of its own, or nobody that asked.
    first_utc_s : float
        When first; NaN where not known.
    openings : int
        Stretches of open beam.
    open_s : float
        Open beam that the sample paid for.
    bound_Gy, estimate_Gy : float
        Of the sample's own material.
    """

    who: str
    first_utc_s: float
    openings: int
    open_s: float
    bound_Gy: float
    estimate_Gy: float


@dataclass(frozen=True)
class SampleDose:
    """All that is known of a sample's dose.

    Attributes
    ----------
    sample : Sample or None
        As the guard knows it; None where it does not any more.
    account : Account
        Totals of its own material, open reservations counted as used.
    classes : tuple of ClassDose
        Its own material's class first.
    openers : tuple of Opener
        In the order in which they came.
    made : DoseMap
        Where it went.
    """

    sample: Sample | None
    account: Account
    classes: tuple[ClassDose, ...]
    openers: tuple[Opener, ...]
    made: DoseMap

    @property
    def placed(self) -> bool:
        """Whether it is known where in the sample any of the beam went."""
        return bool(self.made.grid.levels)


class SampleDoseProjection:
    """Folds the exposure log into one sample's doses.

    Parameters
    ----------
    settings : GuardSettings
        Samples, materials, policies, declared energy.
    sample : str
        Whose.
    reach_mm : float
        The sample ends at this distance from the rotation axis, or before.
    """

    def __init__(self, settings: GuardSettings, sample: str, reach_mm: float = REACH_mm) -> None:
        self._settings = settings
        self._name = sample
        self._reach_mm = reach_mm

    @property
    def name(self) -> str:
        """What it makes."""
        return "sample dose"

    def fold(self, log: Iterable[Entry]) -> SampleDose:
        """From the exposure log's first entry on."""
        entries = list(log)
        ledger = Ledger()
        for entry in entries:
            ledger.add(entry.kind, entry.data)
        sample = self._settings.sample(self._name)
        materials = self._materials(sample)
        projection = DoseMapProjection(
            self._name,
            {name: _per_fluence(found) for name, found in materials.items()},
            self._settings.energy_keV,
            self._reach_mm,
        )
        made = projection.fold(entries)
        return SampleDose(
            sample,
            ledger.account(self._name),
            tuple(self._of_class(made, name, found, sample) for name, found in materials.items()),
            tuple(_openers(entries, self._name)),
            made,
        )

    def _materials(self, sample: Sample | None) -> dict[str, list[Material]]:
        """By class; of a sample that nobody knows, those of all samples."""
        samples = self._settings.samples if sample is None else (sample,)
        names = [name for each in samples for name in (each.material, *each.also)]
        found: dict[str, list[Material]] = {}
        for name in names or ["copper"]:
            material = self._settings.known.find(name)
            found.setdefault(str(material.material_class), []).append(material)
        return found

    def _of_class(
        self, made: DoseMap, name: str, materials: list[Material], sample: Sample | None
    ) -> ClassDose:
        density = materials[0].density_g_cm3 if len(materials) == 1 else None
        metrics = map_metrics(made, name, density_g_cm3=density)
        bound_Gy, _ = made.hottest_Gy(name)
        estimate_Gy, _ = made.grid.hottest(2 * made.classes.index(name) + 1)
        policy = None if sample is None else self._settings.policy_of(sample)
        limits = () if policy is None else policy.limits
        limit = next((each for each in limits if each.material_class == name), None)
        return ClassDose(
            name,
            bound_Gy,
            estimate_Gy,
            metrics,
            None if limit is None else limit.dose_Gy,
            "" if limit is None else limit.source,
        )


def _per_fluence(materials: list[Material]) -> PerFluence:
    """Of the material of a class that gets most: fluorescence gone, and all of it kept."""

    @lru_cache(maxsize=64)
    def each(energy_keV: float) -> tuple[float, float]:
        return (
            max(dose_per_fluence_Gy_cm2(one, energy_keV) for one in materials),
            max(dose_per_fluence_Gy_cm2(one, energy_keV, "local") for one in materials),
        )

    return each


def _openers(entries: list[Entry], sample: str) -> list[Opener]:
    holders: dict[str, str] = {}
    found: dict[str, Opener] = {}
    for entry in entries:
        data = entry.data
        if entry.kind == "reserve":
            holders[data["lease_id"]] = str(data["request"].get("holder") or "")
        if entry.kind != "exposure" or data.get("sample") != sample:
            continue
        who = _who(data, holders)
        opened = data.get("opened_utc_s")
        before = found.get(who, Opener(who, math.nan, 0, 0.0, 0.0, 0.0))
        first_s = before.first_utc_s
        if math.isnan(first_s) and opened is not None:
            first_s = float(opened)
        found[who] = Opener(
            who,
            first_s,
            before.openings + 1,
            before.open_s + data["charged_s"],
            before.bound_Gy + data["dose_Gy"],
            before.estimate_Gy + data["dose_central_Gy"],
        )
    return list(found.values())


_NOBODY: dict[str, str] = {
    "foreign": "nobody who asked for it",
    "watched": "a scan that voltomo did not run",
}


def _who(data: dict[str, object], holders: dict[str, str]) -> str:
    purpose, scan = str(data.get("purpose") or ""), data.get("scan_uid")
    if purpose in _NOBODY:
        return _NOBODY[purpose]
    holder = holders.get(str(data.get("lease_id")), "")
    words = f"scan {run_name(str(scan))}" if scan else purpose or "a lease without a scan"
    return f"{words} of {holder}" if holder else words
