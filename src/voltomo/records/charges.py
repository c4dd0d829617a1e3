"""What the guard charged: openings of the beam and settled leases, as the logs tell them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict

from voltomo.runtime.log_reader import Entry


class Charge(BaseModel):
    """A settled lease: upper bound and best estimate of its dose, and why it ended."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    lease_id: str
    sample: str
    purpose: str = ""
    scan_uid: str | None = None
    open_s: float
    dose_Gy: float
    dose_central_Gy: float
    reason: str = ""
    stamp: str = ""


class Opening(BaseModel):
    """One stretch of open beam: from when to when, with what flux, at what dose.

    Times are None where they are not known: a guard that died is charged what it had reserved.
    ``flux`` holds pairs (UTC seconds, photons/cm²/s) at the sample;
    ``dose_per_fluence_Gy_cm2`` times a fluence in photons/cm² is the best estimate of dose.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    lease_id: str
    sample: str
    scan_uid: str | None = None
    purpose: str = ""
    opened_utc_s: float | None
    closed_utc_s: float | None
    flux: tuple[tuple[float, float], ...] = ()
    dose_per_fluence_Gy_cm2: float = 0.0
    dose_Gy: float
    dose_central_Gy: float
    open_s: float
    stamp: str = ""


@dataclass(frozen=True)
class GuardAccount:
    """What the exposure log holds for runs: openings, and charges by lease, in its order."""

    openings: Mapping[str, Sequence[Opening]]
    charges: Mapping[str, Mapping[str, Charge]]

    @classmethod
    def of(cls, exposure_entries: Iterable[Entry]) -> Self:
        """Fold the exposure log, in one pass."""
        openings: dict[str, list[Opening]] = {}
        charges: dict[str, dict[str, Charge]] = {}
        for entry in exposure_entries:
            uid = entry.data.get("scan_uid") if isinstance(entry.data, dict) else None
            if uid and entry.kind == "exposure":
                openings.setdefault(uid, []).append(Opening.model_validate(entry.data))
            elif uid and entry.kind == "settle":
                charge = Charge.model_validate(entry.data)
                charges.setdefault(uid, {})[charge.lease_id] = charge
        return cls(openings, charges)
