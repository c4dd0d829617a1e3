"""What a sample's account says to a lease: whether to give one, and when one must end."""

from __future__ import annotations

from typing import Any

from voltomo.dose.beam_account import BeamAccount
from voltomo.dose.budget import early_s
from voltomo.dose.guard_table import Cause, Trip
from voltomo.dose.guard_words import HeldLease
from voltomo.dose.lease import LeaseRequest
from voltomo.dose.policies import Override

__all__ = [
    "UPPER_BOUND_COUNTS",
    "held_up",
    "over_limit",
    "override_refusal",
    "status",
    "unaffordable",
    "unknown_sample",
    "why_lost",
]

UPPER_BOUND_COUNTS = "the declared upper bound of the flux counts"
"""What follows from a monitor that cannot be believed."""

LONGEST_OVERRIDE_h = 72.0
"""Whoever needs a limit set aside for longer changes the limit, with its source."""

_ARM_WITHIN_s = 1.5
"""Whoever asked has given up by then."""

_NOT_ARMED = "the shutter's controller did not take its gate mode in time"

_HELD_UP_PART = 0.8
"""Of the stale time: a guard that was silent for longer may have let the shutter close."""


def status(account: BeamAccount, name: str, now_s: float) -> dict[str, Any]:
    """Account of a sample, in numbers; nothing is left for one that is not known."""
    used, sample = account.used(name, now_s), account.settings.sample(name)
    budget = account.budget(sample, now_s) if sample else None
    found: dict[str, Any] = {
        "dose_Gy": used.dose_Gy,
        "open_s": used.open_s,
        "dose_left_Gy": budget.rest_Gy if budget else 0.0,
        "seconds_left": budget.seconds_left if budget else 0.0,
    }
    state = account.policy(name, now_s)
    if state is not None:
        found |= {
            "policy": state.policy.name,
            "unverified": list(state.policy.unverified),
            "colour": state.colour(),
            "class_dose_Gy": state.taken_Gy,
            "class_limit_Gy": {each.material_class: each.dose_Gy for each in state.policy.limits},
        }
    return found


def unknown_sample(account: BeamAccount, sample: str) -> str:
    """A sentence on a sample that the guard does not know."""
    known = ", ".join(f"'{s.name}'" for s in account.settings.samples) or "none"
    return f"no sample '{sample}' is known to the guard (known: {known})"


def unaffordable(account: BeamAccount, request: LeaseRequest, now_s: float) -> str:
    """Why a sample cannot pay for a request, and what would fit; empty where it can."""
    sample = account.settings.sample(request.sample)
    if sample is None:
        return unknown_sample(account, request.sample)
    if account.stamp_of(request):
        return ""
    budget = account.budget(sample, now_s)
    refusal = budget.refusal(request.seconds, request.dose_Gy, request.purpose)
    state = account.policy(request.sample, now_s)
    if state is not None and not refusal:
        scan_seconds = request.scan_seconds or request.seconds
        what = request.purpose or "this"
        refusal = state.refusal(request.seconds, scan_seconds, what, last=request.last_scan)
    watch = account.heat.get(request.sample)
    if watch is not None and not refusal:
        refusal = watch.refusal(account.flux.bound_per_cm2_s(now_s), request.seconds)
    doubt = account.flux.doubt(now_s)
    if refusal and doubt:
        refusal += f" ({doubt}; {UPPER_BOUND_COUNTS})"
    return refusal


def override_refusal(account: BeamAccount, name: str, given: Override, now_s: float) -> str:
    """Why limits of a sample are not set aside; empty where they may be."""
    sample = account.settings.sample(name)
    if sample is None:
        return unknown_sample(account, name)
    if given.until_utc_s <= now_s:
        return "it would have ended already"
    if given.until_utc_s > now_s + LONGEST_OVERRIDE_h * 3600:
        return f"an override ends within {LONGEST_OVERRIDE_h:g} h; ask again when it has ended"
    policy = account.settings.policy_of(sample)
    limited = {str(account.settings.known.find(sample.material).material_class)}
    limited |= {str(limit.material_class) for limit in policy.limits} if policy else set()
    strange = sorted(set(given.extra_Gy) - limited)
    if strange:
        return (
            f"'{name}' has no limit for {', '.join(strange)}; it has: {', '.join(sorted(limited))}"
        )
    return ""


def held_up(lease: HeldLease, ticked_s: float, now_s: float, stale_s: float) -> Trip | None:
    """Whether the guard itself was held up too long since its last tick.

    The shutter may have closed meanwhile. It must not open again as if nothing had been.
    """
    since_s = now_s - max(ticked_s, lease.armed_s)
    if not lease.armed or since_s <= _HELD_UP_PART * stale_s:
        return None
    return Trip(
        Cause.HELD_UP,
        f"the guard itself was held up for {since_s:.2f} s, by a slow disk or a busy machine, and "
        f"the shutter closes when nothing comes from it for {stale_s:g} s",
    )


def why_lost(
    account: BeamAccount, lease: HeldLease, now_s: float, *, spared: bool = False
) -> Trip | None:
    """Why a lease must end now; None while it may go on.

    Parameters
    ----------
    account : BeamAccount
        Who pays.
    lease : HeldLease
        Which.
    now_s : float
        UTC, s.
    spared : bool
        Whether renewals may have come that the guard could not look at yet.
    """
    settings = account.settings
    if not lease.armed:
        late = now_s - lease.asked_s > _ARM_WITHIN_s
        return Trip(Cause.GATE_NOT_SET, _NOT_ARMED) if late else None
    if now_s - lease.renewed_s > settings.stale_s and not spared:
        return Trip(
            Cause.LEASE_SILENT,
            f"the lease was not renewed for {settings.stale_s:g} s: its holder is dead, stopped "
            "or held up",
        )
    sample = settings.sample(lease.sample)
    if lease.request is None or sample is None or account.beam is None:
        return None
    late = _trigger_late(account, lease, lease.request, now_s)
    if late is not None:
        return late
    return over_limit(account, lease.sample, now_s) or _over(account, lease, now_s)


def over_limit(account: BeamAccount, name: str, now_s: float) -> Trip | None:
    """Which limit of a sample with the beam on it is as good as reached; None while none is."""
    sample = account.settings.sample(name)
    if sample is None:
        return None
    spent = account.budget(sample, now_s).spent()
    if spent:
        return Trip(Cause.LIMIT, spent)
    watch = account.heat.get(name)
    if watch is not None and not account.stamp:
        hot = watch.trip(account.flux.bound_per_cm2_s(now_s), early_s(account.settings))
        if hot:
            return Trip(Cause.HEATING, hot)
    state = account.policy(name, now_s)
    return None if state is None else state.trip()


def _trigger_late(
    account: BeamAccount, lease: HeldLease, request: LeaseRequest, now_s: float
) -> Trip | None:
    deadline_s, rise_s = request.trigger_deadline_s, lease.last_rise_s
    if deadline_s is None:
        return None
    if rise_s is not None and rise_s >= account.opened_s:
        since_s = now_s - rise_s
    else:
        since_s = now_s - account.opened_s
        deadline_s = max(deadline_s, account.settings.first_trigger_s)
    if since_s <= deadline_s:
        return None
    return Trip(
        Cause.TRIGGERS_SILENT,
        f"no trigger came for {since_s:.2f} s with the beam open (at most {deadline_s:g} s "
        "expected): the stage stands, or the trigger source has stopped",
    )


def _over(account: BeamAccount, lease: HeldLease, now_s: float) -> Trip | None:
    """Whether a lease used more than it asked for."""
    spent, request = account.spent(lease, now_s), lease.request
    if request is None:
        return None
    # A tenth of leeway, and half a second: margins are counted for every opening.
    if spent.open_s > 1.1 * request.seconds + 0.5:
        asked = f"{request.seconds:.4g} s of open beam"
        return Trip(Cause.USED_UP, f"the {asked} that it asked for are used up")
    if request.dose_Gy is not None and not account.stamp:
        most_Gy = 1.1 * request.dose_Gy + 0.5 * account.rate_Gy_s(lease.sample, now_s)
        if spent.dose_Gy > most_Gy:
            asked = f"{request.dose_Gy:.4g} Gy"
            return Trip(Cause.USED_UP, f"the {asked} that it asked for are used up")
    return None
