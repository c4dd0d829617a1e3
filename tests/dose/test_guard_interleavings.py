"""Whatever happens in whatever order: at most the limit and one reservation, and all logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.dose.guard_rig import FLUX, GY_PER_PHOTON, RATE_GY_S, Rig

LIMIT_S = 6.0
ROUNDING = 1 + 1e-9
# A guard that was deaf for a moment looks once more before it calls a holder dead.
SPARED_S = 0.45


class WatchedRig(Rig):
    """Looks at every step whether what must always hold does hold.

    ``forced``: the blade was held open past the guard's enable, by hand or because it jammed.
    ``blind``: it was held open where no guard could see it or write it down.
    """

    def __init__(self, **limits: float) -> None:
        self.forced = self.blind = self.disturbed = False
        self.unlogged = False
        self.highest = FLUX
        self.changed_s = 0.0
        super().__init__(**limits)

    def step(self, seconds: float = 0.02) -> None:
        super().step(seconds)
        self.look()

    def stall(self, seconds: float) -> None:
        super().stall(seconds)
        self.look()

    def look(self) -> None:
        """Assert what must always hold."""
        held_open = self.manual or self.stuck
        self.forced |= held_open
        self.unlogged = (held_open and self.disk.full) or (self.unlogged and self.log.behind)
        if self.guard is not None:
            self.look_at_enable()
        unseen = self.blind or self.unlogged or (self.guard is None and held_open)
        if not unseen:
            assert self.dose_Gy() * ROUNDING >= self.truth_Gy
        if not self.forced:
            assert self.truth_Gy <= LIMIT_S * RATE_GY_S + self.one_reservation_Gy
            assert not self.open_part or self.guard is None or self.guard.lease is not None

    def look_at_enable(self) -> None:
        """Assert that the beam is on for a live lease alone, and only after its reservation."""
        if self.core.enable:
            lease = self.core.lease
            assert lease is not None
            assert lease.ending is None
            assert not self.log.behind
            assert lease.lease_id in self.disk.fold.open_leases
            told_s = max(self.renewed_s, lease.armed_s)
            assert self.now_s - told_s <= self.settings.stale_s + SPARED_S

    @property
    def one_reservation_Gy(self) -> float:
        """1 % of the budget is less than what a dead guard may cost: that, and one top-up."""
        reserved_s = self.settings.floor_s + 0.15
        return reserved_s * self.highest * 1.02 * GY_PER_PHOTON

    # ---- what happens

    def begin(self, number: float) -> str | None:
        """A client asks for beam."""
        return self.request(2 * number).get("lease_id") if self.guard else None

    def let_flux_be_told(self) -> None:
        """Until a reading, or the lack of one, tells of a change, no second change comes.

        A rise that is over by the next reading is counted by nobody.
        """
        told_s = 0.1 if self.monitor_lives else self.settings.monitor_stale_s + 0.1
        if self.now_s - self.changed_s < told_s:
            self.run(told_s)

    def change_flux(self, number: float) -> None:
        """An attenuator moves, not past a dead guard; the upper bound is twice the usual flux."""
        if self.guard is None:
            return
        self.disturbed = True
        self.let_flux_be_told()
        self.flux = FLUX * min(1.7 * number, 1.95)
        self.highest = max(self.highest, self.flux)
        self.changed_s = self.now_s
        self.step()

    def kill(self, _number: float) -> None:
        """The guard dies, also in the very moment in which the flux rises."""
        if self.guard is None:
            return
        self.disturbed = True
        self.blind |= self.unlogged
        self.kill_guard()

    def start(self, _number: float) -> None:
        """A new one, after a supervisor's time: longer than a silent counter lasts."""
        if self.guard is not None:
            return
        was_open = self.manual or self.stuck
        self.run(1.0)
        self.start_guard()
        self.blind |= was_open and self.open_part == 0

    def force(self, name: str, on: bool) -> None:
        """The blade is opened by hand, or jams; or no longer."""
        if self.guard is None and not on and getattr(self, name) and self.open_part:
            self.blind = True
        if self.guard is not None or not on:
            setattr(self, name, on)
        self.disturbed |= on

    def hold_up(self, number: float) -> None:
        """The guard is stopped for a while."""
        if self.guard is not None:
            self.disturbed = True
            self.stall(number)

    def fill_disk(self, full: bool) -> None:
        """The disk is full, or has room again."""
        self.disk.full = full

    def calm_down(self) -> None:
        """Everything is put right, and left alone for a while."""
        self.fill_disk(False)
        self.force("manual", False)
        self.force("stuck", False)
        self.monitor_lives = True
        self.start(0.0)
        self.run(2.0)


def happen(rig: WatchedRig, event: str, number: float, lease: str) -> str:
    """Let one event come about; the lease that the client holds from then on."""
    if event == "request":
        return rig.begin(number) or lease
    core = rig.guard
    table: dict[str, Callable[[], Any]] = {
        "run": lambda: rig.run(number, lease),
        "silence": lambda: rig.run(number),
        "settle": lambda: core and rig.settle(lease),
        "stop": lambda: core and core.stop_beam(rig.now_s),
        "reset": lambda: core and core.reset("tested"),
        "kill": lambda: rig.kill(number),
        "start": lambda: rig.start(number),
        "hold up": lambda: rig.hold_up(number),
        "by hand": lambda: rig.force("manual", True),
        "by hand no more": lambda: rig.force("manual", False),
        "jam": lambda: rig.force("stuck", True),
        "free": lambda: rig.force("stuck", False),
        "gate": lambda: setattr(rig, "gate", not rig.gate),
        "monitor": lambda: setattr(rig, "monitor_lives", not rig.monitor_lives),
        "flux": lambda: rig.change_flux(number),
        "disk full": lambda: rig.fill_disk(True),
        "disk free": lambda: rig.fill_disk(False),
    }
    table[event]()
    rig.look()
    return lease


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["request", "request", "run", "run", "run", "silence", "settle", "stop", "reset",
             "kill", "start", "hold up", "by hand", "by hand no more", "jam", "free", "gate",
             "monitor", "flux", "disk full", "disk free"]
        ),
        st.floats(0.02, 1.2),
    ),
    max_size=40,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@example([("flux", 0.25), ("request", 1.0), ("run", 1.0), ("monitor", 1.0), ("flux", 1.0),
          ("run", 1.0)])  # fmt: skip
@given(EVENTS)
def test_no_interleaving_exceeds_limit_and_one_reservation(events: list[tuple[str, float]]) -> None:
    """The truth never passes the limit and what one reservation allows; the log is never below."""
    rig = WatchedRig(limit_Gy=LIMIT_S * RATE_GY_S)
    lease = "none"
    for event, number in events:
        lease = happen(rig, event, number, lease)
    if not (rig.disturbed or rig.forced):
        assert rig.truth_Gy <= LIMIT_S * RATE_GY_S
    rig.calm_down()
    assert rig.core.lease is None
    assert not rig.disk.fold.open_leases
    again = rig.disk.ledger()
    exposed_Gy = sum(again.settled(name).dose_Gy for name in again.samples)
    assert exposed_Gy == sum(again.account(name).dose_Gy for name in again.samples)
    assert exposed_Gy == rig.dose_Gy()
    if not rig.blind:
        assert exposed_Gy * ROUNDING >= rig.truth_Gy
