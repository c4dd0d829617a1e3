"""How the guard answers to a cause: the half that follows the table, and ends leases."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from voltomo.dose.beam_account import BeamAccount
from voltomo.dose.guard_senses import GuardSenses
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_table import TABLE, Cause, Deed, Trip
from voltomo.dose.guard_words import Action, Answer, HeldLease, Log, WayOut
from voltomo.dose.lease import LeaseRequest, Settlement

__all__ = ["GuardResponses"]

_SETTLED_KEPT = 64
# A state on its way when the counter was set to 0 is awaited before a lease is settled.
_QUIET_s = 0.03
_STILL_OPEN = (
    "the shutter was told to close and is still open: close it by hand; its dose goes on being "
    "counted"
)


class GuardResponses(GuardSenses):
    """Does what the table says of a cause; leases end here, and here alone."""

    def __init__(self, settings: GuardSettings, account: BeamAccount) -> None:
        super().__init__(settings, account)
        self._actions: list[Action] = []
        self._latched: dict[str, None] = {}
        self._told = ""
        self._waiting: list[tuple[str, LeaseRequest, float]] = []
        self._settled: dict[str, Settlement] = {}

    @abstractmethod
    def request(
        self, command_id: str, request: LeaseRequest, now_s: float, asked_s: float | None = None
    ) -> None:
        """Somebody asks for beam."""

    def way_out(self, taken: dict[str, bool]) -> None:
        """What became of the second way out: each device, and whether it took its order."""
        self._log("way_out", {"taken": taken})
        failed = [name for name, done in taken.items() if not done]
        done = [name for name, done in taken.items() if done]
        words = [
            f"told to stop the beam instead: {', '.join(done)} (set them back by hand when the "
            "shutter is closed)"
            if done
            else "",
            f"not reached: {', '.join(failed)}" if failed else "",
            "" if taken else "nothing else is known that could stop the beam",
        ]
        self._told = "; ".join(filter(None, words))

    def _trip(self, found: Trip, now_s: float) -> None:
        """Do what the table says of a cause, as far as it is the guard's to do."""
        for deed in TABLE[found.cause].deeds:
            if deed is Deed.CLOSE:
                self._lose(found, now_s)
            elif deed is Deed.LATCH:
                self._latch(found)
            elif deed is Deed.WAY_OUT:
                self._actions.append(WayOut())

    def _lose(self, found: Trip, now_s: float) -> None:
        lease = self.lease
        if lease is None or lease.ending is not None:
            return
        data = {"lease_id": lease.lease_id, "reason": found.reason, "cause": found.cause}
        self._log("lost", data)
        self._note = f"{lease.described()} was lost: {found.reason}"
        self._end(found.reason, now_s)

    def _latch(self, found: Trip) -> None:
        self._latched[found.reason] = None
        self._log("latch", {"reason": found.reason, "cause": found.cause})

    def _end(self, reason: str, now_s: float) -> None:
        lease = self.lease
        if lease is None:
            return
        lease.ending, lease.ended_s = reason, now_s
        if not lease.armed:
            self._answer(lease.asked_by, error=f"beam refused: {reason}")
        self._finish_when_closed(now_s)

    def _finish_when_closed(self, now_s: float) -> None:
        lease, account = self.lease, self.account
        if lease is None or lease.ending is None:
            return
        since_s = now_s - lease.ended_s
        if account.beam is not None and account.payer is lease:
            if since_s <= self.settings.travel_s + self.settings.follow_s:
                return
            self._note = account.leave_open(now_s)
            if self._shutter.state is not None:
                self._trip(Trip(Cause.NOT_FOLLOWING, _STILL_OPEN), now_s)
        elif since_s < _QUIET_s and lease.armed:
            return
        if account.owes(lease):
            return
        if account.payer is lease:
            account.payer = None
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
        for command_id, request, asked_s in waiting:
            self.request(command_id, request, now_s, asked_s)

    def _log(self, kind: str, data: Any) -> None:
        self._actions.append(Log(kind, data))

    def _answer(self, command_id: str, *, error: str = "", **data: Any) -> None:
        answer = {"id": command_id, "ok": not error} | data
        self._actions.append(Answer(answer | {"error": error} if error else answer))
