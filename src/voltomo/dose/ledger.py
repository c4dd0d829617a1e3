"""The ledger: what every sample has received, as the fold of the exposure log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from voltomo.runtime.append_log import Entry

__all__ = ["Account", "Ledger", "LedgerProjection", "OpenLease"]


@dataclass
class Account:
    """Totals of one sample.

    ``dose_Gy`` is the bound that limits act on; ``open_s`` is the time that the beam was on the
    sample, ``free_s`` the time that it was open beside the sample or over a replay.
    ``fluence_per_cm2`` is the same bound in photons, by energy in keV (0 where none was said);
    ``dose_alone_Gy`` is what came without its fluence.
    """

    dose_Gy: float = 0.0
    dose_central_Gy: float = 0.0
    open_s: float = 0.0
    free_s: float = 0.0
    openings: int = 0
    dose_by_purpose_Gy: dict[str, float] = field(default_factory=dict[str, float])
    fluence_per_cm2: dict[float, float] = field(default_factory=dict[float, float])
    dose_alone_Gy: float = 0.0

    def copy(self) -> Account:
        """One that can be added to."""
        return replace(
            self,
            dose_by_purpose_Gy=dict(self.dose_by_purpose_Gy),
            fluence_per_cm2=dict(self.fluence_per_cm2),
        )

    def light(self, dose_Gy: float, per_fluence_Gy_cm2: float, energy_keV: float) -> None:
        """Count a dose as the photons that gave it."""
        if per_fluence_Gy_cm2 > 0:
            known, energy_keV = self.fluence_per_cm2, round(energy_keV, 3)
            known[energy_keV] = known.get(energy_keV, 0.0) + dose_Gy / per_fluence_Gy_cm2
        else:
            self.dose_alone_Gy += dose_Gy


@dataclass
class OpenLease:
    """A lease that reserved and has not settled; totals so far."""

    lease_id: str
    sample: str
    purpose: str
    scan_uid: str | None
    reserved_Gy: float
    reserved_s: float
    charged_Gy: float = 0.0
    charged_s: float = 0.0
    open_s: float = 0.0
    central_Gy: float = 0.0

    @property
    def rest_Gy(self) -> float:
        """What is reserved and not yet charged by an exposure."""
        return max(self.reserved_Gy - self.charged_Gy, 0.0)

    @property
    def rest_s(self) -> float:
        """Open time that is reserved and not yet charged by an exposure."""
        return max(self.reserved_s - self.charged_s, 0.0)


class Ledger:
    """Folds entries one by one; the guard and the projection use the same fold.

    Exposures are the truth. Of a lease that has reserved and not settled, the rest of the
    reservation counts as used, so that a guard that died is never below what the sample received.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self.open_leases: dict[str, OpenLease] = {}
        self.last_sample: str | None = None
        self.latched: dict[str, None] = {}
        self.stops = 0
        self.overrides: dict[str, dict[str, Any]] = {}

    def add(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take the next entry of the exposure log; kinds that cost nothing are passed over."""
        if kind == "reserve":
            self._reserve(data)
        elif kind == "exposure":
            self._expose(data)
        elif kind == "settle":
            self.open_leases.pop(data["lease_id"], None)
        elif kind == "latch":
            self.latched[data["reason"]] = None
        elif kind == "reset":
            self.latched.clear()
        elif kind == "stop_beam":
            self.stops += 1
        elif kind == "override":
            # The last word holds: two are not added up.
            self.overrides[data["sample"]] = data["override"]

    def _reserve(self, data: Mapping[str, Any]) -> None:
        request = data["request"]
        lease = self.open_leases.get(data["lease_id"])
        if lease is None:
            self.open_leases[data["lease_id"]] = OpenLease(
                data["lease_id"],
                request["sample"],
                request.get("purpose", ""),
                request.get("scan_uid"),
                data["reserved_Gy"],
                data["reserved_s"],
            )
            self.last_sample = request["sample"]
        else:
            lease.reserved_Gy = max(lease.reserved_Gy, data["reserved_Gy"])
            lease.reserved_s = max(lease.reserved_s, data["reserved_s"])

    def _expose(self, data: Mapping[str, Any]) -> None:
        account = self._accounts.setdefault(data["sample"], Account())
        account.dose_Gy += data["dose_Gy"]
        account.dose_central_Gy += data["dose_central_Gy"]
        account.open_s += data["charged_s"]
        account.free_s += data["open_s"] - data["charged_s"]
        account.openings += 1
        per_fluence = data.get("dose_per_fluence_Gy_cm2") or 0.0
        account.light(data["dose_Gy"], per_fluence, data.get("energy_keV") or 0.0)
        by_purpose = account.dose_by_purpose_Gy
        by_purpose[data["purpose"]] = by_purpose.get(data["purpose"], 0.0) + data["dose_Gy"]
        lease = self.open_leases.get(data["lease_id"])
        if lease is not None:
            lease.charged_Gy += data["dose_Gy"]
            lease.charged_s += data["charged_s"]
            lease.open_s += data["open_s"]
            lease.central_Gy += data["dose_central_Gy"]

    def settled(self, sample: str) -> Account:
        """Totals of exposures alone; zero for a sample that had none."""
        return self._accounts.get(sample, Account())

    def account(self, sample: str) -> Account:
        """Totals of a sample, open reservations counted as used."""
        total = self.settled(sample).copy()
        for lease in self.open_leases.values():
            if lease.sample == sample:
                total.dose_Gy += lease.rest_Gy
                total.dose_alone_Gy += lease.rest_Gy
                total.dose_central_Gy += lease.rest_Gy
                total.open_s += lease.rest_s
                before = total.dose_by_purpose_Gy.get(lease.purpose, 0.0)
                total.dose_by_purpose_Gy[lease.purpose] = before + lease.rest_Gy
        return total

    @property
    def samples(self) -> tuple[str, ...]:
        """Names that appear in the log, in order of first appearance."""
        names = dict.fromkeys(self._accounts)
        names |= dict.fromkeys(lease.sample for lease in self.open_leases.values())
        return tuple(names)


class LedgerProjection:
    """The ledger as a projection: sample name to account."""

    @property
    def name(self) -> str:
        """What it makes."""
        return "ledger"

    def fold(self, log: Iterable[Entry]) -> dict[str, Account]:
        """Accounts of all samples, from the exposure log's first entry on."""
        ledger = Ledger()
        for entry in log:
            ledger.add(entry.kind, entry.data)
        return {sample: ledger.account(sample) for sample in ledger.samples}
