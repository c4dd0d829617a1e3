"""The dose map of a sample: what each voxel of its own frame received, folded from the log.

Whoever opened the beam, wherever the stages stood. The bound never lies below the truth at any
point: a voxel counts as lit while any part of it may have been, at the profile's peak, and what
upstream parts of the sample absorb is left out. An entry that does not say where the beam went
counts everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from voltomo.dose.beam_place import BeamPlace
from voltomo.dose.ledger import Ledger
from voltomo.dose.lit_voxels import lit_boxes
from voltomo.dose.nested_grid import NestedGrid
from voltomo.runtime.append_log import Entry

__all__ = ["DoseMap", "DoseMapProjection", "PerFluence"]

Floats = NDArray[np.float64]

PerFluence = Callable[[float], tuple[float, float]]
"""Gray for one photon per cm2 at an energy in keV: best estimate, and upper end."""

REACH_mm = 50.0
"""A sample ends at this distance from the rotation axis, where nobody says."""


@dataclass
class DoseMap:
    """Dose of each class of material in the sample's frame.

    Attributes
    ----------
    classes : tuple of str
        What doses are kept of; channel 2 n is the bound, 2 n + 1 the estimate of class n, in Gy.
    grid : NestedGrid
        Where they are kept.
    unplaced : int
        Entries that did not say where the beam went, and count everywhere.
    opened : list of (float, float, float)
        UTC at the end of each stretch (NaN where not known), bound and estimate of the dose where
        the first class was lit all the time: the curve over time.
    """

    classes: tuple[str, ...]
    grid: NestedGrid = field(init=False)
    unplaced: int = 0
    opened: list[tuple[float, float, float]] = field(
        default_factory=list[tuple[float, float, float]]
    )

    def __post_init__(self) -> None:
        self.grid = NestedGrid(2 * len(self.classes))

    def hottest_Gy(self, name: str) -> tuple[float, tuple[float, float, float] | None]:
        """Bound of a class at its hottest voxel, and where that is in mm; None for everywhere."""
        return self.grid.hottest(2 * self.classes.index(name))

    def at_Gy(self, name: str, points_mm: Floats) -> tuple[Floats, Floats]:
        """Bound and estimate of a class at points, shape (n, 3)."""
        at = 2 * self.classes.index(name)
        values = self.grid.at(points_mm)
        return values[at], values[at + 1]


class DoseMapProjection:
    """The dose map of one sample as a projection of the exposure log.

    Parameters
    ----------
    sample : str
        Whose map.
    per_fluence : mapping
        Classes of material, each with its dose for one photon per cm2.
    energy_keV : float
        Photon energy of entries that do not say theirs.
    reach_mm : float
        The sample ends at this distance from the rotation axis, or before.
    """

    def __init__(
        self,
        sample: str,
        per_fluence: Mapping[str, PerFluence],
        energy_keV: float,
        reach_mm: float = REACH_mm,
    ) -> None:
        self._sample = sample
        self._per_fluence = dict(per_fluence)
        self._energy_keV = energy_keV
        self._reach_mm = reach_mm

    @property
    def name(self) -> str:
        """What it makes."""
        return "dose map"

    def fold(self, log: Iterable[Entry]) -> DoseMap:
        """The map, from the exposure log's first entry on.

        What an open lease has reserved and not yet spent counts everywhere.
        """
        made, ledger = DoseMap(tuple(self._per_fluence)), Ledger()
        dose_per_fluence = 0.0
        for entry in log:
            ledger.add(entry.kind, entry.data)
            if entry.kind == "exposure" and entry.data.get("sample") == self._sample:
                dose_per_fluence = entry.data.get("dose_per_fluence_Gy_cm2") or dose_per_fluence
                self._expose(made, entry.data)
        for lease in ledger.open_leases.values():
            if lease.sample == self._sample and lease.rest_Gy > 0:
                rest = {"dose_Gy": lease.rest_Gy, "dose_central_Gy": lease.rest_Gy}
                self._expose(made, {**rest, "dose_per_fluence_Gy_cm2": dose_per_fluence})
        return made

    def _expose(self, made: DoseMap, data: Mapping[str, Any]) -> None:
        bound_Gy, central_Gy = float(data["dose_Gy"]), float(data["dose_central_Gy"])
        if bound_Gy <= 0:
            return
        per_fluence = float(data.get("dose_per_fluence_Gy_cm2") or 0.0)
        energy_keV = float(data.get("energy_keV") or self._energy_keV)
        doses = np.empty(2 * len(self._per_fluence))
        for number, of_class in enumerate(self._per_fluence.values()):
            central, upper = of_class(energy_keV)
            # Without a fluence the sample's own dose is all that is known: it holds for all.
            doses[2 * number] = bound_Gy * max(upper / per_fluence if per_fluence > 0 else 1.0, 0.0)
            doses[2 * number + 1] = central_Gy * (central / per_fluence if per_fluence > 0 else 1.0)
        place = _place(data.get("place"))
        if place is None:
            made.unplaced += 1
            made.grid.everywhere = made.grid.everywhere + doses
        else:
            doses[::2] *= place.peak_over_mean
            self._paint(made, place, doses)
        closed = data.get("closed_utc_s")
        when = math.nan if closed is None else float(closed)
        made.opened.append((when, float(doses[0]), float(doses[1])))

    def _paint(self, made: DoseMap, place: BeamPlace, doses_Gy: Floats) -> None:
        channels = np.arange(doses_Gy.size)
        for box in lit_boxes(place, self._reach_mm):
            parts = np.stack([box.bound, box.central])
            made.grid.add(box.level, box.first, doses_Gy[:, None, None, None] * parts[channels % 2])


def _place(given: Any) -> BeamPlace | None:
    if given is None:
        return None
    try:
        return BeamPlace.model_validate(given)
    except ValidationError:
        # What cannot be read is not known; it then counts everywhere.
        return None
