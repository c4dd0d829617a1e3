"""The guard as a state machine: events and the time in, actions and one enable out. No I/O.

Rules, in the order of what must be true: the beam is off without a live lease; what was
reserved is in the log before the beam is on; what was open is in the log whoever opened it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal
from uuid import uuid4

from voltomo.dose.beam_account import BeamAccount, DosePerFluence
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_words import Action, Answer, HeldLease, Log, SetGate, ShutterState
from voltomo.dose.lease import LeaseRequest, Settlement
from voltomo.dose.lease_rules import unaffordable, unknown_sample, why_lost
from voltomo.dose.ledger import Ledger

__all__ = ["GuardCore"]

_SETTLED_KEPT = 64
# A state on its way when the counter was set to 0 is awaited before a lease is settled.
_QUIET_s = 0.03


def _new_lease_id() -> str:
    return uuid4().hex[:12]


class GuardCore:
    """Decides. The shell round it brings events, does the actions in order, writes ``enable``.

    Parameters
    ----------
    settings : GuardSettings
        Samples, calibration, times.
    dose_per_fluence : callable
        Gray for one photon per cm2, of material and energy in keV.
    ledger : Ledger
        Fold of the exposure log so far.
    new_id : callable
        Makes lease identities.

    Attributes
    ----------
    reason : str
        Why the guard is as it is: the last loss, alarm or note, a sentence for the person on shift.
    """

    def __init__(
        self,
        settings: GuardSettings,
        dose_per_fluence: DosePerFluence,
        ledger: Ledger,
        new_id: Callable[[], str] = _new_lease_id,
    ) -> None:
        self.settings = settings
        self.lease: HeldLease | None = None
        self.latched = False
        self.reason = ""
        self._actions: list[Action] = []
        self.account = BeamAccount(settings, dose_per_fluence, ledger, self._log)
        self._new_id = new_id
        self._shutter: ShutterState | None = None
        self._blade: float | None = None
        self._count: int | None = None
        self._died_leased = False
        self._waiting: list[tuple[str, LeaseRequest]] = []
        self._settled: dict[str, Settlement] = {}

    # ---- what the shell reads

    def take(self) -> list[Action]:
        """Actions since the last call, to be done in order."""
        actions, self._actions = self._actions, []
        return actions

    @property
    def enable(self) -> bool:
        """Whether the enable counter may run now."""
        lease = self.lease
        return lease is not None and lease.armed and lease.ending is None and not self.latched

    @property
    def state(self) -> Literal["Idle", "Leased", "Latched"]:
        """The guard's state in a word."""
        if self.latched:
            return "Latched"
        return "Idle" if self.lease is None else "Leased"

    @property
    def hurried(self) -> bool:
        """Whether something ends just now, so that ticks should come quickly."""
        return self.lease is not None and self.lease.ending is not None

    def status(self, sample: str, now_s: float) -> dict[str, Any]:
        """Account of a sample, in numbers."""
        used = self.account.used(sample, now_s)
        known = self.settings.sample(sample)
        budget = self.account.budget(known, now_s) if known else None
        return {
            "dose_Gy": used.dose_Gy,
            "open_s": used.open_s,
            "dose_left_Gy": budget.rest_Gy if budget else 0.0,
            "seconds_left": budget.seconds_left if budget else 0.0,
            "latched": self.latched,
            "reason": self.reason,
        }

    # ---- start and end

    def start(self, now_s: float) -> None:
        """Begin, after the log was folded: charge what a guard that died had reserved."""
        dead = self.account.charge_dead_leases()
        self._died_leased = bool(dead)
        self._log("start", {"settings": self.settings.model_dump(), "charged": dead, "utc": now_s})
        if dead:
            self.reason = (
                "the guard died while a lease was open; its reservation is charged in full"
            )

    def shut_down(self, now_s: float) -> None:
        """End in good order: whoever has the beam loses it."""
        if self.lease is not None and self.lease.ending is None:
            self._lose("the guard was stopped", now_s)

    # ---- commands

    def request(self, command_id: str, request: LeaseRequest, now_s: float) -> None:
        """Somebody asks for beam."""
        if self.lease is not None and self.lease.ending is not None:
            self._waiting.append((command_id, request))
            return
        refusal = self._refusal(request, now_s)
        if refusal:
            self.refuse(command_id, refusal, request.model_dump())
            return
        lease = HeldLease(
            self._new_id(), request.sample, request.purpose, request.scan_uid, request
        )
        lease.asked_by, lease.renewed_s = command_id, now_s
        self.lease = self.account.payer = lease
        self.account.reserve(lease, now_s)
        gate = "TriggerWindow" if request.gate == "trigger_window" else "Lease"
        self._actions.append(SetGate(gate, lease.lease_id))

    def refuse(self, command_id: str, why: str, request: Any) -> None:
        """Say no, and log it."""
        sentence = f"beam refused: {why}. The shutter stayed as it was."
        self._log("refuse", {"request": request, "error": sentence})
        self._answer(command_id, error=sentence)

    def gate_set(self, lease_id: str, ok: bool, now_s: float) -> None:
        """The shutter's controller took its gate mode, or did not."""
        lease = self.lease
        if lease is None or lease.lease_id != lease_id or lease.armed or lease.ending is not None:
            return
        if not ok:
            self._lose("the shutter's controller did not take its gate mode", now_s)
            return
        lease.armed, lease.renewed_s = True, now_s
        reserved_Gy = self.account.ledger.open_leases[lease_id].reserved_Gy
        self.reason = self.account.flux.doubt(now_s)
        if self.reason:
            self.reason += "; the declared upper bound of the flux counts"
        self._answer(
            lease.asked_by,
            lease_id=lease_id,
            reserved_Gy=reserved_Gy,
            stale_s=self.settings.stale_s,
            note=self.reason,
        )

    def renew(self, command_id: str, lease_id: str, now_s: float) -> None:
        """The holder of a lease lives."""
        lease = self.lease
        if lease is not None and lease.lease_id == lease_id and lease.ending is None:
            lease.renewed_s = now_s
            self._answer(command_id)
        elif lease is not None and lease.lease_id == lease_id:
            self._answer(command_id, error=f"the lease is lost: {lease.ending}")
        elif lease_id in self._settled:
            why = self._settled[lease_id].reason
            self._answer(command_id, error=f"the lease is lost: {why}")
        else:
            died = "the guard was restarted meanwhile, or it never gave that one"
            self._answer(command_id, error=f"the lease is lost: {lease_id} is not known; {died}")

    def settle(self, command_id: str, lease_id: str, reason: str, now_s: float) -> None:
        """The holder gives the beam back; the answer comes when the shutter is read closed."""
        lease = self.lease
        if lease is not None and lease.lease_id == lease_id:
            lease.settling.append(command_id)
            if lease.ending is None:
                self._end(reason or "done", now_s)
        elif lease_id in self._settled:
            self._answer(command_id, settlement=self._settled[lease_id].model_dump())
        else:
            self._answer(command_id, error=f"no lease {lease_id} is known; nothing was settled")

    def ask_status(self, command_id: str, sample: str, now_s: float) -> None:
        """Somebody asks for a sample's account."""
        if self.settings.sample(sample) is None:
            self._answer(command_id, error=unknown_sample(self.account, sample))
            return
        self._answer(command_id, **self.status(sample, now_s))

    def answer_error(self, command_id: str, sentence: str) -> None:
        """A command that cannot be understood."""
        self._answer(command_id, error=sentence)

    def stop_beam(self, now_s: float) -> None:
        """Somebody wants the beam off, now."""
        self._log("stop_beam", {"lease_id": self.lease.lease_id if self.lease else None})
        if self.lease is not None and self.lease.ending is None:
            self._lose("the beam was stopped by hand (StopBeam)", now_s)

    def log_failed(self, error: str, now_s: float) -> None:
        """The exposure log cannot be written: no beam without it."""
        if not self.latched:
            self._latch(f"the exposure log cannot be written ({error}); make room and start anew")
        if self.lease is not None and self.lease.ending is None:
            self._end("the exposure log cannot be written", now_s)

    def reset(self, reason: str) -> None:
        """Take the latch away, with a reason and the shutter read closed."""
        if not self.latched:
            return
        if not reason.strip():
            self.reason += "; a reset needs a reason"
        elif self._shutter is None or self._is_open():
            self.reason = "not reset: the shutter is not read closed; close it by hand first"
        else:
            self._log("reset", {"reason": reason.strip(), "latched": self.reason})
            self.latched = False
            self.reason = ""

    # ---- what is read

    def shutter(self, state: ShutterState | None, at_s: float, now_s: float) -> None:
        """State of the shutter with its own stamp; None where it is not connected."""
        first, self._shutter = self._shutter is None, state
        if state is None:
            if self.lease is not None and self.lease.ending is None:
                self._lose("the shutter is not connected any more", now_s)
            return
        if first and self._died_leased:
            self._died_leased = False
            if self._is_open():
                self._latch(
                    "the guard latched shut: it died while a lease was open, and the shutter is "
                    "not read closed"
                )
        self._follow_blade(at_s, now_s)
        if state is ShutterState.FAULT and self.lease is not None and self.lease.ending is None:
            self._lose("the shutter reads a fault", now_s)

    def blade(self, open_part: float | None, at_s: float, now_s: float) -> None:
        """Position of the blade, 0 to 1; it says whether beam passes in a fault."""
        self._blade = open_part
        if self._shutter is ShutterState.FAULT:
            self._follow_blade(at_s, now_s)

    def _is_open(self) -> bool:
        if self._shutter is ShutterState.FAULT:
            return self._blade is None or self._blade > 0
        return self._shutter is not ShutterState.CLOSED

    def _follow_blade(self, at_s: float, now_s: float) -> None:
        if self._is_open() and self.account.beam is None:
            if self._shutter is not ShutterState.OPENING:
                at_s -= self.settings.travel_s
            alarm = self.account.open(min(at_s, now_s), now_s)
            self.reason = alarm or self.reason
        elif not self._is_open() and self.account.beam is not None:
            self.account.close(at_s, now_s)

    def monitor(self, counts: float | None, at_s: float) -> None:
        """Reading of the flux monitor; None where it is not connected."""
        self.account.flux.add(counts, at_s)

    def energy(self, energy_keV: float | None) -> None:
        """Readback of the photon energy; None where it is not connected."""
        self.account.energy(energy_keV)

    def trigger_count(self, count: int | None, now_s: float) -> None:
        """Number of triggers latched so far; None where the source is not connected."""
        lease, before, self._count = self.lease, self._count, count
        if lease is None or lease.request is None or lease.ending is not None:
            return
        if count is None:
            if lease.request.trigger_deadline_s is not None:
                self._lose("the trigger source is not connected any more", now_s)
        elif before is not None and count > before:
            lease.last_rise_s = now_s

    def place(self, position_mm: float | None, still: bool, now_s: float) -> None:
        """Readback of the stage that takes the sample out; None where it is not connected."""
        beyond_mm = self.settings.sample_out_beyond_mm
        out = position_mm is not None and math.isfinite(position_mm)
        out = out and still and abs(position_mm or 0.0) >= beyond_mm
        self.account.place(out, now_s)

    # ---- time

    def tick(self, now_s: float) -> None:
        """Time goes on; at 20 Hz or more."""
        lease = self.lease
        self.account.top_up(now_s)
        self.account.split_if_long(now_s)
        if lease is not None and lease.ending is None:
            lost = why_lost(self.account, lease, now_s)
            if lost:
                self._lose(lost, now_s)
        self._finish_when_closed(now_s)

    # ---- inside

    def _refusal(self, request: LeaseRequest, now_s: float) -> str:
        if self.latched:
            return f"the guard is latched: {self.reason}; reset it with a reason"
        if self.lease is not None:
            return f"{self.lease.described()} has the beam; wait until it is settled"
        if self._shutter is None:
            return "the shutter is not connected; see that its controller runs"
        if self._shutter is ShutterState.FAULT:
            return "the shutter reads a fault; see to it first"
        if self._is_open():
            return "the shutter is open without a lease; close it by hand first"
        if request.trigger_deadline_s is not None and self._count is None:
            return "the trigger source is not connected; see that its controller runs"
        return unaffordable(self.account, request, now_s)

    def _lose(self, reason: str, now_s: float) -> None:
        if self.lease is None:
            return
        self._log("lost", {"lease_id": self.lease.lease_id, "reason": reason})
        self.reason = f"{self.lease.described()} was lost: {reason}"
        self._end(reason, now_s)

    def _end(self, reason: str, now_s: float) -> None:
        lease = self.lease
        if lease is None:
            return
        lease.ending, lease.ended_s = reason, now_s
        if not lease.armed:
            self._answer(lease.asked_by, error=f"beam refused: {reason}")
        self._finish_when_closed(now_s)

    def _finish_when_closed(self, now_s: float) -> None:
        lease = self.lease
        if lease is None or lease.ending is None:
            return
        since_s = now_s - lease.ended_s
        if self.account.beam is not None:
            if since_s <= self.settings.travel_s + self.settings.follow_s:
                return
            self.reason = self.account.leave_open(now_s)
            if self._shutter is not None:
                self._latch(
                    "the shutter was told to close and is still open: close it by hand; its dose "
                    "goes on being counted"
                )
        elif since_s < _QUIET_s and lease.armed:
            return
        else:
            self.account.payer = None
        self._settle(lease, now_s)

    def _settle(self, lease: HeldLease, now_s: float) -> None:
        settlement = self.account.settle(lease, lease.ending or "done")
        self._settled[lease.lease_id] = settlement
        while len(self._settled) > _SETTLED_KEPT:
            del self._settled[next(iter(self._settled))]
        self.lease = None
        for command_id in lease.settling:
            self._answer(command_id, settlement=settlement.model_dump())
        waiting, self._waiting = self._waiting, []
        for command_id, request in waiting:
            self.request(command_id, request, now_s)

    def _latch(self, reason: str) -> None:
        self.latched = True
        self.reason = reason
        self._log("latch", {"reason": reason})

    def _log(self, kind: str, data: Any) -> None:
        self._actions.append(Log(kind, data))

    def _answer(self, command_id: str, *, error: str = "", **data: Any) -> None:
        answer = {"id": command_id, "ok": not error} | data
        self._actions.append(Answer(answer | {"error": error} if error else answer))
