"""Whose beam it is: opens and closes stretches of exposure, charges them, reserves ahead.

The part of the guard that counts. It knows no client and decides nothing; everything it finds
out leaves as log entries, and its ledger is always the fold of those.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

from voltomo.dose.budget import Budget
from voltomo.dose.exposure import OUT_OF_FIELD, REPLAY, Exposure, OpenBeam
from voltomo.dose.flux_record import FluxRecord
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_words import HeldLease
from voltomo.dose.lease import Settlement
from voltomo.dose.ledger import Account, Ledger
from voltomo.model.sample import Sample

__all__ = ["BeamAccount", "DosePerFluence"]

DosePerFluence = Callable[[str, float], float]
"""Gray for one photon per cm2, of a material's name and an energy in keV."""

_SPLIT_s = 10.0
_NOBODY = "unknown"
# Pays where no sample is known: heavier than what batteries are made of.
_NOBODY_MATERIAL = "copper"
_CHARGED_IN_FULL = "reservation charged in full: the guard died"


class BeamAccount:
    """Counts every opening of the beam on a sample's account.

    Parameters
    ----------
    settings : GuardSettings
        Samples, calibration, times.
    dose_per_fluence : callable
        The physics.
    ledger : Ledger
        The fold of the exposure log so far.
    write : callable
        Takes kind and data of a log entry, in order.
    """

    def __init__(
        self,
        settings: GuardSettings,
        dose_per_fluence: DosePerFluence,
        ledger: Ledger,
        write: Callable[[str, Any], None],
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.flux = FluxRecord(settings)
        self.beam: OpenBeam | None = None
        self.opened_s = 0.0
        self.payer: HeldLease | None = None
        self.out_of_field = False
        self._dose_per_fluence = dose_per_fluence
        self._energy_keV = settings.energy_keV
        self._write_out = write

    def write(self, kind: str, data: Any) -> None:
        """Log an entry and fold it."""
        self._write_out(kind, data)
        self.ledger.add(kind, data)

    # ---- rates and budgets

    @property
    def stamp(self) -> str:
        """Why nothing is charged now; empty where the sample pays."""
        if self.settings.source == "replay":
            return REPLAY
        return OUT_OF_FIELD if self.out_of_field else ""

    @property
    def current_sample(self) -> str:
        """Who pays for a beam that nobody asked for."""
        if self.payer is not None:
            return self.payer.sample
        return self.ledger.last_sample or self.settings.current_sample or _NOBODY

    def dose_per_fluence_Gy_cm2(self, sample: str) -> float:
        """Of the sample's material at the present energy; the worst known where it has none."""
        known = self.settings.sample(sample)
        materials = [known.material] if known else [s.material for s in self.settings.samples]
        return max(self._physics(name) for name in materials or [_NOBODY_MATERIAL])

    def _physics(self, material: str) -> float:
        try:
            return self._dose_per_fluence(material, self._energy_keV)
        except ValueError:
            # The energy readback lies outside the tables: the declared energy holds.
            return self._dose_per_fluence(material, self.settings.energy_keV)

    def rate_Gy_s(self, sample: str, now_s: float) -> float:
        """Dose rate with the beam open, as a bound; zero where nothing is charged."""
        if self.stamp:
            return 0.0
        return self.flux.bound_per_cm2_s(now_s) * self.dose_per_fluence_Gy_cm2(sample)

    def used(self, sample: str, now_s: float) -> Account:
        """What the sample has received up to now, the running stretch included."""
        settled = self.ledger.settled(sample)
        running = self.running(now_s)
        if running is None or self.payer is None or self.payer.sample != sample:
            return settled
        return replace(
            settled,
            dose_Gy=settled.dose_Gy + running.dose_Gy,
            open_s=settled.open_s + running.charged_s,
        )

    def budget(self, sample: Sample, now_s: float) -> Budget:
        """What is left for a sample."""
        used, rate_Gy_s = self.used(sample.name, now_s), self.rate_Gy_s(sample.name, now_s)
        return Budget(self.settings, sample, used, rate_Gy_s)

    def running(self, now_s: float) -> Exposure | None:
        """Cost of the running stretch so far, or None with the beam closed."""
        return None if self.beam is None else self.beam.cost(now_s, last=True)

    # ---- reservations

    def reserve(self, lease: HeldLease, now_s: float) -> None:
        """Reserve for a lease, or reserve the next chunk: all that it spent, and one more."""
        rate_Gy_s = self.rate_Gy_s(lease.sample, now_s)
        reserve_s = self.settings.floor_s
        sample = self.settings.sample(lease.sample)
        if sample is not None and not self.stamp:
            reserve_s = self.budget(sample, now_s).reserve_s
        if self.settings.source == "replay":
            reserve_s = 0.0
        elif self.stamp:
            # The stage could bring the sample back: what a dead guard may cost stays reserved.
            flux = self.flux.bound_per_cm2_s(now_s)
            rate_Gy_s = flux * self.dose_per_fluence_Gy_cm2(lease.sample)
        spent_Gy, spent_s = self._spent(lease, now_s)
        request: dict[str, Any] = {"sample": lease.sample, "purpose": lease.purpose}
        if lease.request is not None:
            request = lease.request.model_dump()
        data = {
            "lease_id": lease.lease_id,
            "request": request,
            "reserved_Gy": spent_Gy + rate_Gy_s * reserve_s,
            "reserved_s": spent_s + reserve_s,
            "utc": now_s,
        }
        self.write("reserve", data)

    def _spent(self, lease: HeldLease, now_s: float) -> tuple[float, float]:
        booked = self.ledger.open_leases.get(lease.lease_id)
        running = self.running(now_s) if self.payer is lease else None
        spent_Gy = (booked.charged_Gy if booked else 0.0) + (running.dose_Gy if running else 0.0)
        spent_s = (booked.charged_s if booked else 0.0) + (running.charged_s if running else 0.0)
        return spent_Gy, spent_s

    def top_up(self, now_s: float) -> None:
        """Reserve the next chunk when a dead guard could cost more than is reserved."""
        payer = self.payer
        if payer is None or self.beam is None or self.beam.stamp == REPLAY:
            return
        booked = self.ledger.open_leases[payer.lease_id]
        spent_Gy, spent_s = self._spent(payer, now_s)
        ahead_s = self.settings.floor_s
        ahead_Gy = self.rate_Gy_s(payer.sample, now_s) * ahead_s
        if spent_Gy + ahead_Gy > booked.reserved_Gy or spent_s + ahead_s > booked.reserved_s:
            self.reserve(payer, now_s)

    def charge_dead_leases(self) -> list[str]:
        """Charge what a guard that died had reserved and not settled; names the leases."""
        dead = list(self.ledger.open_leases.values())
        for lease in dead:
            held = HeldLease(lease.lease_id, lease.sample, lease.purpose, lease.scan_uid, None)
            held.stamps[_CHARGED_IN_FULL] = None
            rest = Exposure(
                opened_utc_s=math.nan,
                closed_utc_s=math.nan,
                flux=[],
                dose_per_fluence_Gy_cm2=self.dose_per_fluence_Gy_cm2(lease.sample),
                dose_Gy=lease.rest_Gy,
                dose_central_Gy=lease.rest_Gy,
                open_s=lease.rest_s,
                charged_s=lease.rest_s,
                stamp=_CHARGED_IN_FULL,
            )
            entry = rest.entry(lease.lease_id, lease.sample, lease.scan_uid, lease.purpose)
            # When it was open is not known.
            self.write("exposure", entry | {"opened_utc_s": None, "closed_utc_s": None})
            self.write("settle", held.settlement(lease, "the guard died").model_dump())
        return [lease.lease_id for lease in dead]

    # ---- the beam itself

    def open(self, at_s: float, now_s: float) -> str:
        """The blade began to open. Returns an alarm where nobody had asked for beam."""
        self.opened_s = at_s
        alarm = "" if self.payer is not None else self._take_in_foreign(at_s, now_s)
        self._begin(at_s, first=True)
        return alarm

    def close(self, at_s: float, now_s: float) -> None:
        """The blade is closed."""
        # A stamp from before the opening belongs to a clock that stepped: now is the safe one.
        self._end(at_s if self.opened_s <= at_s <= now_s else now_s, last=True)
        if self.payer is not None and self.payer.request is None:
            self.settle(self.payer, "closed")
            self.payer = None

    def split(self, now_s: float) -> None:
        """End the running stretch here and begin the next."""
        if self.beam is not None:
            self._end(now_s, last=False)
            self._begin(now_s, first=False)

    def split_if_long(self, now_s: float) -> None:
        """Keep stretches short, so that the log is never far behind."""
        if self.beam is not None and now_s - self.beam.opened_s >= _SPLIT_s:
            self.split(now_s)
        self.flux.forget_before(self.beam.opened_s - 1.0 if self.beam else now_s - 1.0)

    def leave_open(self, now_s: float) -> str:
        """The lease ends, the beam stays open: from here on nobody asked for it."""
        self._end(now_s, last=False)
        sample = self.payer.sample if self.payer else None
        self.payer = None
        alarm = self._take_in_foreign(now_s, now_s, sample)
        self._begin(now_s, first=False)
        return alarm

    def settle(self, lease: HeldLease, reason: str) -> Settlement:
        """Log what a lease has cost."""
        settlement = lease.settlement(self.ledger.open_leases[lease.lease_id], reason)
        self.write("settle", settlement.model_dump())
        return settlement

    def energy(self, energy_keV: float | None) -> None:
        """Take the energy readback; None and nonsense leave the last good one."""
        if energy_keV is None or not math.isfinite(energy_keV) or energy_keV <= 0:
            return
        self._energy_keV = energy_keV
        if self.beam is not None and self.payer is not None:
            self.beam.energy_changed(self.dose_per_fluence_Gy_cm2(self.payer.sample))

    def place(self, out_of_field: bool, now_s: float) -> None:
        """Take whether the sample is read out of the field, standing still."""
        if out_of_field != self.out_of_field:
            if self.beam is not None:
                self._end(now_s, last=False)
            self.out_of_field = out_of_field
            if self.beam is not None:
                self._begin(now_s, first=False)

    def _begin(self, at_s: float, *, first: bool) -> None:
        per_fluence = self.dose_per_fluence_Gy_cm2(self.current_sample)
        self.beam = OpenBeam(
            self.settings, self.flux, at_s, per_fluence, stamp=self.stamp, first=first
        )

    def _end(self, at_s: float, *, last: bool) -> None:
        beam, payer = self.beam, self.payer
        if beam is None or payer is None:
            return
        cost = beam.cost(at_s, last=last)
        if cost.stamp:
            payer.stamps[cost.stamp] = None
        entry = cost.entry(payer.lease_id, payer.sample, payer.scan_uid, payer.purpose)
        self.write("exposure", entry)
        if last:
            self.beam = None

    def _take_in_foreign(self, at_s: float, now_s: float, sample: str | None = None) -> str:
        name = sample or self.current_sample
        foreign = HeldLease(f"foreign-{uuid4().hex[:8]}", name, "foreign", None, None)
        alarm = (
            f"the shutter is open without a lease; its dose is counted on '{name}': close it by "
            "hand and find out who opened it"
        )
        data = {"lease_id": foreign.lease_id, "sample": name, "opened_utc_s": at_s}
        self.write("foreign", data | {"reason": alarm})
        self.reserve(foreign, now_s)
        self.payer = foreign
        return alarm
