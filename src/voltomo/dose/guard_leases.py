"""Leases: asked for, given or refused, kept, settled; what clients of the guard may say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from voltomo.dose.beam_account import BeamAccount
from voltomo.dose.guard_responses import GuardResponses
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_table import Cause, Trip
from voltomo.dose.guard_words import HeldLease, SetGate
from voltomo.dose.lease import LeaseRequest
from voltomo.dose.lease_rules import (
    UPPER_BOUND_COUNTS,
    override_refusal,
    status,
    unaffordable,
    unknown_sample,
    why_lost,
)
from voltomo.dose.policies import Override
from voltomo.dose.shutter_watch import GATES

__all__ = ["GuardLeases", "new_lease_id"]


def new_lease_id() -> str:
    """Identity of a lease."""
    return uuid4().hex[:12]


class GuardLeases(GuardResponses):
    """Gives leases and takes them back."""

    def __init__(
        self, settings: GuardSettings, account: BeamAccount, new_id: Callable[[], str]
    ) -> None:
        super().__init__(settings, account)
        self._new_id = new_id
        self._stopping = False
        self._warnings: dict[Cause, str] = {}

    @property
    def latched(self) -> bool:
        """Whether no beam is given until somebody resets the guard with a reason."""
        return bool(self._latched)

    @property
    def reason(self) -> str:
        """Why the guard is as it is: what latched it, the last loss or alarm, then warnings."""
        return "; ".join(
            filter(None, [*self._latched, self._told, self._note, *self._warnings.values()])
        )

    @property
    def stops(self) -> int:
        """How often the beam was stopped by hand, since the exposure log began."""
        return self.account.ledger.stops

    def status(self, sample: str, now_s: float) -> dict[str, Any]:
        """Account of a sample, in numbers, and how the guard is."""
        account = status(self.account, sample, now_s)
        return account | {"latched": self.latched, "reason": self.reason}

    # ---- commands

    def request(
        self, command_id: str, request: LeaseRequest, now_s: float, asked_s: float | None = None
    ) -> None:
        """Somebody asks for beam, or asked a moment ago and waited for the last lease to end."""
        asked_s = now_s if asked_s is None else asked_s
        if self.lease is not None and self.lease.ending is not None:
            self._waiting.append((command_id, request, asked_s))
            return
        refusal = self._refusal(request, now_s)
        if refusal:
            self.refuse(command_id, refusal, request.model_dump())
            return
        lease = HeldLease(
            self._new_id(), request.sample, request.purpose, request.scan_uid, request
        )
        lease.asked_by, lease.asked_s = command_id, asked_s
        self.lease = self.account.payer = lease
        self.account.reserve(lease, now_s)
        self._actions.append(SetGate(GATES[request.gate == "trigger_window"], lease.lease_id))

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
        lost = why_lost(self.account, lease, now_s)
        if not ok:
            refused = "the shutter's controller did not take its gate mode"
            lost = Trip(Cause.GATE_NOT_SET, refused)
        if lost is not None:
            self._trip(lost, now_s)
            return
        lease.armed, lease.armed_s, lease.renewed_s = True, now_s, now_s
        doubt = self.account.flux.doubt(now_s)
        self._note = ""
        self._answer(
            lease.asked_by,
            lease_id=lease_id,
            reserved_Gy=self.account.ledger.open_leases[lease_id].reserved_Gy,
            stale_s=self.settings.stale_s,
            note=f"{doubt}; {UPPER_BOUND_COUNTS}" if doubt else "",
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

    def ask_status(
        self,
        command_id: str,
        sample: str,
        now_s: float,
        seconds: float | None = None,
        *,
        last: bool = False,
    ) -> None:
        """Somebody asks for a sample's account, and whether a scan of so much beam would fit."""
        if self.settings.sample(sample) is None:
            self._answer(command_id, error=unknown_sample(self.account, sample))
            return
        found = self.status(sample, now_s)
        state = self.account.policy(sample, now_s)
        if state is not None and seconds is not None:
            found["refusal"] = state.refusal(seconds, seconds, "this scan", last=last)
        self._answer(command_id, **found)

    def override(self, command_id: str, sample: str, given: Override, now_s: float) -> None:
        """Somebody sets a limit aside: recorded, with a reason, for a bounded dose and time."""
        refused = override_refusal(self.account, sample, given, now_s)
        if refused:
            self._answer(command_id, error=f"nothing was set aside: {refused}")
            return
        data = {"sample": sample, "override": given.model_dump(mode="json")}
        self.account.write("override", data)
        hours = (given.until_utc_s - now_s) / 3600
        extra = ", ".join(f"{name} {dose:.4g} Gy" for name, dose in given.extra_Gy.items())
        self._note = (
            f"{given.by} has set limits of '{sample}' aside for {hours:.1f} h ({extra} more): "
            f"{given.reason}"
        )
        self._answer(command_id, **self.status(sample, now_s))

    def answer_error(self, command_id: str, sentence: str) -> None:
        """A command that cannot be understood."""
        self._answer(command_id, error=sentence)

    def give_up(self, command_id: str, now_s: float) -> None:
        """Nobody waits for the answer to a command any more; what it asked for is not given."""
        self._waiting = [asked for asked in self._waiting if asked[0] != command_id]
        lease = self.lease
        if lease is not None and lease.asked_by == command_id and not lease.armed:
            self._trip(Trip(Cause.GIVEN_UP, "nobody waits for it any more"), now_s)

    # ---- inside

    def _refusal(self, request: LeaseRequest, now_s: float) -> str:
        if self._stopping:
            return "the guard is being stopped"
        if self.settings.watching:
            return "this guard only watches; leases come from the guard of a run ('voltomo up')"
        if self.latched:
            return f"the guard is latched: {self.reason}; reset it with a reason"
        if self.lease is not None:
            return f"{self.lease.described()} has the beam; wait until it is settled"
        if request.stops_seen is not None and request.stops_seen != self.stops:
            return (
                "the beam was stopped by hand after this scan had begun; start the scan again "
                "when the cause is known"
            )
        if self._shutter.unfit:
            return self._shutter.unfit
        wrong = self._wrong_sample(request.sample)
        if wrong:
            return wrong
        if request.trigger_deadline_s is not None and self._count is None:
            return "the trigger source is not connected; see that its controller runs"
        return unaffordable(self.account, request, now_s)
