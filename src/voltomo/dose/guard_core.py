"""The guard as a state machine: events and the time in, actions and one enable out. No I/O.

Rules, in the order of what must be true: the beam is off without a live lease; what was
reserved is in the log before the beam is on; what was open is in the log whoever opened it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

from voltomo.dose.absorption import Absorption, DosePerFluence
from voltomo.dose.beam_account import BeamAccount
from voltomo.dose.flux_calibration import FluxCalibration
from voltomo.dose.guard_leases import GuardLeases, new_lease_id
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_table import Cause, Trip
from voltomo.dose.guard_words import Action, WayOut
from voltomo.dose.lease_rules import UPPER_BOUND_COUNTS, held_up, over_limit, why_lost
from voltomo.dose.ledger import Ledger

__all__ = ["GuardCore"]

# Ticks further apart than this leave renewals and states waiting in the queue.
_LATE_TICK_s = 0.1
_STEP_s = 0.5


class GuardCore(GuardLeases):
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
    upper : callable, optional
        As ``dose_per_fluence``, at the upper end of its interval: for limits by class of material.
    """

    def __init__(
        self,
        settings: GuardSettings,
        dose_per_fluence: DosePerFluence,
        ledger: Ledger,
        new_id: Callable[[], str] = new_lease_id,
        *,
        upper: DosePerFluence | None = None,
    ) -> None:
        absorption = Absorption(settings, dose_per_fluence, upper)
        account = BeamAccount(settings, absorption, ledger, self._log)
        super().__init__(settings, account, new_id)
        self._log_error = ""
        self._spared = False
        self._watched: set[Cause] = set()

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
    def alarmed(self) -> bool:
        """Whether somebody must look: latched, or the beam is open and nobody asked for it."""
        payer, watching = self.account.payer, self.settings.watching
        return self.latched or (payer is not None and payer.request is None and not watching)

    @property
    def warned(self) -> bool:
        """Whether beam is on that could be counted better."""
        return bool(self._warnings)

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

    # ---- start and end

    def start(
        self,
        now_s: float,
        last_entry_s: float | None = None,
        elapsed_s: float | None = None,
        boot_id: str = "",
    ) -> None:
        """Begin, after the log was folded: charge what a guard that died had reserved.

        What latched a guard keeps its successor latched, until somebody resets it with a reason.

        Parameters
        ----------
        now_s : float
            UTC, s.
        last_entry_s : float or None
            When the log's last entry was written; a beam found open is counted from there.
        elapsed_s : float or None
            How long ago that was by a clock that does not step, where one can tell.
        boot_id : str
            Of the machine's present run.
        """
        self._ticked_s = now_s
        since_s = now_s if last_entry_s is None else min(last_entry_s, now_s)
        if elapsed_s is not None:
            since_s = now_s - elapsed_s
        self.account.counted_until(since_s)
        self._latched = dict(self.account.ledger.latched)
        dead = self.account.charge_dead_leases()
        self._died_leased = bool(dead)
        if dead:
            for watch in self.account.heat.values():
                watch.start_warm(self.settings.flux_upper_bound_per_cm2_s)
        settings = self.settings.model_dump()
        self._log(
            "start", {"settings": settings, "charged": dead, "utc": now_s, "boot_id": boot_id}
        )
        if dead:
            self._note = "the guard died while a lease was open; its reservation is charged in full"
        # Without a clock that runs on, only a step to before the last entry can be told.
        step_s = 0.0 if last_entry_s is None else since_s - last_entry_s
        if elapsed_s is None and last_entry_s is not None:
            step_s = min(now_s - last_entry_s, 0.0)
        if abs(step_s) > _STEP_s:
            self.clock_stepped(step_s)

    def clock_stepped(self, step_s: float) -> None:
        """The machine's clock stepped, forward or back; the guard's own time did not."""
        self._log("clock", {"step_s": step_s, "cause": Cause.CLOCK_STEPPED})
        way = "back" if step_s < 0 else "forward"
        said = f"the machine's clock stepped {way} by {abs(step_s):.1f} s; the guard's own did not"
        self._note = "; ".join(filter(None, [self._note, said]))

    def calibration(self, found: FluxCalibration | str) -> None:
        """Take a new calibration of the flux, or the reason why there is none any more."""
        if isinstance(found, str):
            self.account.flux.scale.take(None, found)
            self._log("calibration", {"none": found})
        else:
            self.account.flux.scale.take(found)
            self._log("calibration", {"calibration": found.model_dump(mode="json")})

    def shut_down(self, now_s: float) -> None:
        """End in good order: whoever has the beam loses it, and nobody gets it any more."""
        self._stopping = True
        self._trip(Trip(Cause.GUARD_STOPPED, "the guard was stopped"), now_s)

    def stop_beam(self, now_s: float) -> None:
        """Somebody wants the beam off, now, and of scans that have begun, for good."""
        entry = {"lease_id": self.lease.lease_id if self.lease else None}
        self.account.ledger.add("stop_beam", entry)
        self._log("stop_beam", entry)
        if self.lease is not None:
            by_hand = "the beam was stopped by hand (StopBeam)"
            self._trip(Trip(Cause.STOPPED_BY_HAND, by_hand), now_s)
        else:
            self._note = "stopped by hand (StopBeam): scans that had begun get no beam"
        if self.settings.watching:
            self._actions.append(WayOut())

    def log_failed(self, error: str, now_s: float) -> None:
        """The exposure log cannot be written: no beam without it."""
        first, self._log_error = not self._log_error, error
        found = Trip(
            Cause.LOG_NOT_WRITABLE,
            f"the exposure log cannot be written ({error}): make room, then reset the guard",
        )
        if first:
            self._trip(found, now_s)
        else:
            self._lose(found, now_s)

    def log_written(self) -> None:
        """Everything is in the exposure log, what it refused before included."""
        self._log_error = ""

    def reset(self, reason: str) -> None:
        """Take the latch away, with a reason and the shutter read closed."""
        if not self.latched:
            return
        if not reason.strip():
            self._note = "not reset: a reset needs a reason"
        elif self._log_error:
            self._note = "not reset: the exposure log still cannot be written"
        elif self._shutter.open and not self.settings.watching:
            self._note = "not reset: the shutter is not read closed; close it by hand first"
        else:
            self._log("reset", {"reason": reason.strip(), "latched": self.reason})
            self._latched = {}
            self._watched.clear()
            self._note = self._told = ""

    # ---- time

    def tick(self, now_s: float) -> None:
        """Time goes on; at 20 Hz or more."""
        before_s, self._ticked_s = self._ticked_s, now_s
        late_s = now_s - before_s - _LATE_TICK_s
        # Once only, or a disk that is always slow would keep a dead holder's lease.
        self._spared = not self._spared and late_s > 0
        for over in self.account.book(now_s, at_once=self._stopping):
            without = "" if self.settings.watching else " without a lease"
            self._note = (
                f"the shutter was open{without} for {over.open_s:.2f} s; {over.dose_Gy:.4g} Gy "
                f"were counted on '{over.sample}'"
            )
            if without:
                self._note += ": find out who opened it"
        self._hold_zero(now_s)
        self.account.warm(now_s)
        lease = self.lease
        if lease is not None and lease.ending is not None and late_s > 0:
            # That it closed may wait in the queue: a deaf guard must not say that it is open.
            lease.ended_s += late_s
        if lease is not None and lease.ending is None:
            lost = held_up(lease, before_s, now_s, self.settings.stale_s)
            lost = lost or why_lost(self.account, lease, now_s, spared=self._spared)
            if lost is not None:
                self._trip(lost, now_s)
        self.account.top_up(now_s)
        self.account.split_if_long(now_s)
        self._watch_limits(now_s)
        self._finish_when_closed(now_s)
        self._warn({found.cause: found.reason for found in self._find_warnings(now_s)})

    # ---- inside

    def _watch_limits(self, now_s: float) -> None:
        """Where somebody else has the beam: what nobody can be refused is said, and a way out."""
        payer = self.account.payer
        if not self.settings.watching or payer is None or self.account.beam is None:
            return
        found = over_limit(self.account, payer.sample, now_s)
        if found is None:
            return
        said = Trip(found.cause, f"{found.reason}, and this guard only watches: stop the scan")
        if said.reason not in self._latched and said.cause not in self._watched:
            self._watched.add(said.cause)
            self._latch(said)
            self._actions.append(WayOut())

    def _find_warnings(self, now_s: float) -> Iterator[Trip]:
        if self.account.beam is not None or self.lease is not None:
            doubt = self.account.flux.doubt(now_s)
            if doubt:
                yield Trip(Cause.FLUX_STALE, f"{doubt}; {UPPER_BOUND_COUNTS}")
            beyond = self.account.flux.beyond(now_s)
            if beyond:
                yield Trip(Cause.FLUX_STALE, beyond)
            payer = self.account.payer
            state = self.account.policy(payer.sample, now_s) if payer is not None else None
            if state is not None and state.amber:
                yield Trip(Cause.AMBER, state.amber)
        for watch in self.account.heat.values():
            if watch.warning:
                yield Trip(Cause.HEATING, watch.warning)

    def _warn(self, found: dict[Cause, str]) -> None:
        """Log what is new of it."""
        for cause in found.keys() - self._warnings.keys():
            self._log("warn", {"cause": cause, "reason": found[cause]})
        self._warnings = found
