"""Whose beam it is: opens and closes stretches of exposure, charges them, reserves ahead.

The part of the guard that counts. It knows no client and decides nothing; everything it finds
out leaves as log entries, and its ledger is always the fold of those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from voltomo.dose.absorption import Absorption
from voltomo.dose.beam_track import BeamTrack
from voltomo.dose.budget import Budget, early_s, widened_sample
from voltomo.dose.exposure import (
    OUT_OF_FIELD,
    REPLAY,
    UNKNOWN_TIMES,
    Exposure,
    OpenBeam,
    unwatched,
)
from voltomo.dose.flux_record import FluxRecord
from voltomo.dose.guard_heat import HeatWatch
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_words import HeldLease, Spent
from voltomo.dose.lease import LeaseRequest, Settlement
from voltomo.dose.ledger import Account, Ledger
from voltomo.dose.policies import Override
from voltomo.dose.policy_rules import PolicyState, class_doses_Gy
from voltomo.model.sample import Sample

__all__ = ["BeamAccount"]

_SPLIT_s = 10.0
_NOBODY = "unknown"
_CHARGED_IN_FULL = "reservation charged in full: the guard died"
_NO_ENERGY = (
    "the photon energy is not read; the worse of the declared and the last that was read counts"
)


@dataclass(frozen=True)
class _Ended:
    """A stretch that is over and waits until its flux is known."""

    beam: OpenBeam
    until_s: float
    last: bool
    payer: HeldLease


class BeamAccount:
    """Counts every opening of the beam on a sample's account.

    A stretch of open beam goes into the log once the monitor has been read after its end: the
    flux may have risen since the reading before. Until then it counts, and its lease stays open.

    Parameters
    ----------
    settings : GuardSettings
        Samples, calibration, times.
    absorption : Absorption
        The physics.
    ledger : Ledger
        The fold of the exposure log so far.
    write : callable
        Takes kind and data of a log entry, in order.
    """

    def __init__(
        self,
        settings: GuardSettings,
        absorption: Absorption,
        ledger: Ledger,
        write: Callable[[str, Any], None],
    ) -> None:
        self.settings = settings
        self.ledger = ledger
        self.flux = FluxRecord(settings)
        self.track = BeamTrack(settings)
        self.beam: OpenBeam | None = None
        self.opened_s = 0.0
        self.payer: HeldLease | None = None
        self.out_of_field = False
        self.mounted: str | None = None
        self.absorption = absorption
        self._policies = {s.name: settings.policy_of(s) for s in settings.samples}
        self.heat = {name: HeatWatch(name, path) for name, path in settings.heat.items()}
        self._write_out = write
        self._ended: list[_Ended] = []
        self._counted_until_s = 0.0

    def write(self, kind: str, data: Any) -> None:
        """Log an entry and fold it."""
        self._write_out(kind, data)
        self.ledger.add(kind, data)

    # ---- rates and budgets

    @property
    def stamp(self) -> str:
        """Why nothing is charged now; empty where the sample pays."""
        return self.stamp_of(self.payer.request if self.payer else None)

    def stamp_of(self, request: LeaseRequest | None) -> str:
        """Why a lease would be charged nothing now; empty where its sample pays."""
        if self.settings.source == "replay":
            return REPLAY
        beside = request is not None and request.beside_sample
        return OUT_OF_FIELD if beside and self.out_of_field else ""

    @property
    def current_sample(self) -> str:
        """Who pays for a beam that nobody asked for."""
        if self.payer is not None:
            return self.payer.sample
        return self.mounted or self.ledger.last_sample or self.settings.current_sample or _NOBODY

    def rate_Gy_s(self, sample: str, now_s: float) -> float:
        """Dose rate with the beam open, as a bound; zero where nothing is charged."""
        if self.stamp:
            return 0.0
        return self.flux.bound_per_cm2_s(now_s) * self.absorption.of(sample)

    def used(self, sample: str, now_s: float) -> Account:
        """What the sample has received up to now, the running stretch included."""
        total, energy_keV = self.ledger.settled(sample).copy(), self.absorption.energy_keV(sample)
        for payer, cost in self._unbooked(now_s):
            if payer.sample == sample:
                total.dose_Gy += cost.dose_Gy
                total.open_s += cost.charged_s
                total.light(cost.dose_Gy, cost.dose_per_fluence_Gy_cm2, energy_keV)
        return total

    def budget(self, sample: Sample, now_s: float) -> Budget:
        """What is left for a sample, an override of its material's class included."""
        used, rate_Gy_s = self.used(sample.name, now_s), self.rate_Gy_s(sample.name, now_s)
        override = self.override(sample.name)
        if override is not None:
            kind = self.settings.known.find(sample.material).material_class
            sample = widened_sample(sample, kind, override, now_s)
        return Budget(self.settings, sample, used, rate_Gy_s)

    def override(self, sample: str) -> Override | None:
        """The last override of a sample, whether it still holds or not."""
        found = self.ledger.overrides.get(sample)
        return None if found is None else Override.model_validate(found)

    def policy(self, sample: str, now_s: float) -> PolicyState | None:
        """How a sample stands to its policy; None where it has none."""
        policy, override = self._policies.get(sample), self.override(sample)
        if policy is None:
            return None
        if override is not None:
            policy = policy.widened(override, now_s)
        flux = 0.0 if self.stamp else self.flux.bound_per_cm2_s(now_s)
        each = self.absorption.of_classes(sample)
        return PolicyState(
            policy,
            sample,
            class_doses_Gy(self.used(sample, now_s), sample, self.absorption),
            {str(name): flux * per_fluence for name, per_fluence in each.items()},
            early_s(self.settings),
        )

    def spent(self, lease: HeldLease, now_s: float, *, unread: bool = False) -> Spent:
        """What a lease has cost up to now.

        With ``unread``, the declared upper bound counts from the monitor's last reading on: what
        the flux may have become since.
        """
        booked = self.ledger.open_leases.get(lease.lease_id)
        costs = [cost for payer, cost in self._unbooked(now_s, unread) if payer is lease]
        return Spent(
            (booked.charged_Gy if booked else 0.0) + sum(cost.dose_Gy for cost in costs),
            (booked.charged_s if booked else 0.0) + sum(cost.charged_s for cost in costs),
            (booked.open_s if booked else 0.0) + sum(cost.open_s for cost in costs),
        )

    def _unbooked(self, now_s: float, unread: bool = False) -> Iterator[tuple[HeldLease, Exposure]]:
        """Stretches that are not in the log yet, the running one last, and who pays."""
        for ended in self._ended:
            yield ended.payer, ended.beam.cost(ended.until_s, last=ended.last, final=unread)
        if self.beam is not None and self.payer is not None:
            yield self.payer, self.beam.cost(now_s, last=True, final=unread)

    # ---- reservations

    def reserve(self, lease: HeldLease, now_s: float) -> None:
        """Reserve for a lease, or reserve the next chunk: all that it spent, and one more.

        At the declared upper bound of the flux: a rise that nobody could read is reserved for.
        """
        reserve_s = self.settings.floor_s
        sample = self.settings.sample(lease.sample)
        if sample is not None and not self.stamp:
            reserve_s = self.budget(sample, now_s).reserve_s
        if self.settings.source == "replay":
            reserve_s = 0.0
        # Out of the field, too: the stage could bring the sample back.
        rate_Gy_s = self._highest_rate_Gy_s(lease.sample, now_s)
        spent = self.spent(lease, now_s, unread=True)
        request: dict[str, Any] = {"sample": lease.sample, "purpose": lease.purpose}
        if lease.request is not None:
            request = lease.request.model_dump()
        data = {
            "lease_id": lease.lease_id,
            "request": request,
            "reserved_Gy": spent.dose_Gy + rate_Gy_s * reserve_s,
            "reserved_s": spent.charged_s + reserve_s,
            "utc": now_s,
        }
        self.write("reserve", data)

    def _highest_rate_Gy_s(self, sample: str, now_s: float) -> float:
        """Dose rate of a sample in the field, at the highest flux that there can be."""
        declared = self.settings.flux_upper_bound_per_cm2_s
        highest = max(self.flux.bound_per_cm2_s(now_s), declared)
        return highest * self.absorption.of(sample)

    def warm(self, now_s: float) -> None:
        """Follow how warm each sample is, by the flux that is on it, as a bound."""
        lit = self.payer.sample if self.beam is not None and self.payer is not None else None
        flux = self.flux.bound_per_cm2_s(now_s) if lit is not None and not self.stamp else 0.0
        for name, watch in self.heat.items():
            watch.step(flux if name == lit else 0.0, now_s)

    def top_up(self, now_s: float) -> None:
        """Reserve the next chunk when a dead guard could cost more than is reserved."""
        payer = self.payer
        if payer is None or self.settings.source == "replay":
            return
        booked = self.ledger.open_leases[payer.lease_id]
        spent, ahead_s = self.spent(payer, now_s, unread=True), self.settings.floor_s
        wanted_Gy = spent.dose_Gy + self._highest_rate_Gy_s(payer.sample, now_s) * ahead_s
        if wanted_Gy > booked.reserved_Gy or spent.charged_s + ahead_s > booked.reserved_s:
            self.reserve(payer, now_s)

    def charge_dead_leases(self) -> list[str]:
        """Charge what a guard that died had reserved and not settled; names the leases."""
        dead = list(self.ledger.open_leases.values())
        for lease in dead:
            held = HeldLease(lease.lease_id, lease.sample, lease.purpose, lease.scan_uid, None)
            held.stamps[_CHARGED_IN_FULL] = None
            rest = unwatched(lease, self.absorption.of(lease.sample), _CHARGED_IN_FULL)
            entry = rest.entry(lease.lease_id, lease.sample, lease.scan_uid, lease.purpose)
            self.write("exposure", entry | UNKNOWN_TIMES)
            self.write("settle", held.settlement(lease, "the guard died").model_dump())
        return [lease.lease_id for lease in dead]

    # ---- the beam itself

    def counted_until(self, time_s: float) -> None:
        """Take that all before this time is counted already: no opening began before it."""
        self._counted_until_s = max(self._counted_until_s, time_s)

    def open(self, at_s: float, now_s: float) -> str:
        """The blade began to open. Returns an alarm where nobody had asked for beam."""
        at_s = self.opened_s = max(at_s, self._counted_until_s)
        alarm = "" if self.payer is not None else self._take_in_foreign(at_s, now_s)
        self._begin(at_s, first=True)
        self.top_up(now_s)
        return alarm

    def close(self, at_s: float, now_s: float) -> None:
        """The blade is closed."""
        # A stamp from before the opening belongs to a clock that stepped: now is the safe one.
        until_s = at_s if self.opened_s <= at_s <= now_s else now_s
        self._end(until_s, last=True)
        self.counted_until(until_s)
        if self.payer is not None and self.payer.request is None:
            self.payer = None

    def book(self, now_s: float, *, at_once: bool = False) -> list[Settlement]:
        """Log stretches that are over and whose flux is known, or all that are over.

        Returns
        -------
        list of Settlement
            Of beams that nobody had asked for and that are over.
        """
        foreign: list[Settlement] = []
        margin_s = self.settings.timing_margin_s
        while self._ended:
            ended = self._ended[0]
            known = ended.beam.free or self.flux.known(ended.until_s + margin_s, now_s)
            if not (known or at_once):
                break
            del self._ended[0]
            self._book(ended)
            if ended.last and ended.payer.request is None:
                foreign.append(self.settle(ended.payer, "closed"))
        return foreign

    def _book(self, ended: _Ended) -> None:
        payer = ended.payer
        cost = ended.beam.cost(ended.until_s, last=ended.last, final=True)
        if cost.stamp:
            payer.stamps[cost.stamp] = None
        entry = cost.entry(payer.lease_id, payer.sample, payer.scan_uid, payer.purpose)
        place = self.track.place(cost.opened_utc_s, cost.closed_utc_s)
        energy_keV = self.absorption.energy_keV(payer.sample)
        self.write("exposure", entry | {"energy_keV": energy_keV, "place": place})

    def owes(self, lease: HeldLease) -> bool:
        """Whether a stretch of a lease is not in the log yet."""
        return any(ended.payer is lease for ended in self._ended)

    def split(self, now_s: float) -> None:
        """End the running stretch here and begin the next."""
        if self.beam is not None:
            self._end(now_s, last=False)
            self._begin(now_s, first=False)

    def split_if_long(self, now_s: float) -> None:
        """Keep stretches short, so that the log is never far behind."""
        if self.beam is not None and now_s - self.beam.opened_s >= _SPLIT_s:
            self.split(now_s)
        beams = [ended.beam for ended in self._ended] + ([self.beam] if self.beam else [])
        needed_s = min((beam.opened_s for beam in beams), default=now_s) - 1.0
        self.flux.forget_before(needed_s)
        self.track.forget_before(needed_s)

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
        """Take the readback; see `Absorption.read`."""
        self.absorption.read(energy_keV)
        for ended in self._ended:
            ended.beam.energy_changed(self.absorption.of(ended.payer.sample))
        if self.beam is not None and self.payer is not None:
            self.beam.energy_changed(self.absorption.of(self.payer.sample))
            self._stamp_energy(self.payer)

    def place(self, out_of_field: bool, now_s: float) -> None:
        """Take whether the sample is read out of the field, standing still."""
        if out_of_field != self.out_of_field:
            if self.beam is not None:
                self._end(now_s, last=False)
            self.out_of_field = out_of_field
            if self.beam is not None:
                self._begin(now_s, first=False)

    def _stamp_energy(self, payer: HeldLease) -> None:
        if self.absorption.uncertain:
            payer.stamps[_NO_ENERGY] = None

    def _begin(self, at_s: float, *, first: bool) -> None:
        if self.payer is not None:
            self._stamp_energy(self.payer)
        per_fluence = self.absorption.of(self.current_sample)
        self.beam = OpenBeam(
            self.settings, self.flux, at_s, per_fluence, stamp=self.stamp, first=first
        )

    def _end(self, at_s: float, *, last: bool) -> None:
        beam, payer = self.beam, self.payer
        if beam is None or payer is None:
            return
        self._ended.append(_Ended(beam, at_s, last, payer))
        if last:
            self.beam = None

    def _take_in_foreign(self, at_s: float, now_s: float, sample: str | None = None) -> str:
        name = sample or self.current_sample
        kind = "watched" if self.settings.watching else "foreign"
        foreign = HeldLease(f"{kind}-{uuid4().hex[:8]}", name, kind, None, None)
        alarm = (
            f"the shutter is open without a lease; its dose is counted on '{name}': close it by "
            "hand and find out who opened it"
        )
        if self.settings.watching:
            alarm = ""
        data = {"lease_id": foreign.lease_id, "sample": name, "opened_utc_s": at_s}
        self.write(kind, data | {"reason": alarm})
        self.reserve(foreign, now_s)
        self.payer = foreign
        return alarm
