"""What the guard charged: openings of the beam and settled leases, as the logs tell them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
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
    ``utc_minus_monotonic_s`` says what the guard took for UTC; None where its log does not.
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
    utc_minus_monotonic_s: float | None = None

    def by_clock(self, utc_minus_monotonic_s: float | None) -> Self:
        """The same opening, dated by what somebody else took for UTC.

        The guard dates by the clock as it was set when the guard began, and a clock may be set
        at any time; the machine's monotonic clock, which both logs hold, is not.
        """
        later_s = steps_between(self.utc_minus_monotonic_s, utc_minus_monotonic_s)
        if later_s == 0 or self.opened_utc_s is None or self.closed_utc_s is None:
            return self
        return self.model_copy(
            update={
                "opened_utc_s": self.opened_utc_s + later_s,
                "closed_utc_s": self.closed_utc_s + later_s,
                "flux": tuple((utc_s + later_s, flux) for utc_s, flux in self.flux),
                "utc_minus_monotonic_s": utc_minus_monotonic_s,
            }
        )


def steps_between(before_s: float | None, after_s: float | None) -> float:
    """How much later UTC says it is after it was set, 0 where that is not known."""
    return 0.0 if before_s is None or after_s is None else after_s - before_s


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
            pair = {"utc_minus_monotonic_s": entry.utc_minus_monotonic_s}
            charged.openings.append(Opening.model_validate(entry.data | pair))
        else:
            charge = Charge.model_validate(entry.data)
            charged.charges[charge.lease_id] = charge
    return found
