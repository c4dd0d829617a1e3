"""What the guard charged: openings of the beam and settled leases, as the logs tell them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

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


@dataclass
class Charged:
    """What the guard's log says of one run: openings in their order, settled leases by lease."""

    openings: list[Opening] = field(default_factory=list[Opening])
    charges: dict[str, Charge] = field(default_factory=dict[str, Charge])


def charged_by_run(exposure_entries: Iterable[Entry]) -> dict[str, Charged]:
    """Openings and settled leases of every run in the exposure log, in one pass."""
    found: dict[str, Charged] = {}
    for entry in exposure_entries:
        uid = entry.data.get("scan_uid") if entry.kind in ("exposure", "settle") else None
        if not uid:
            continue
        charged = found.setdefault(uid, Charged())
        if entry.kind == "exposure":
            charged.openings.append(Opening.model_validate(entry.data))
        else:
            charge = Charge.model_validate(entry.data)
            charged.charges[charge.lease_id] = charge
    return found
