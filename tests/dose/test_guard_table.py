"""The guard's specification: every cause comes about, and its row is held against the core."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.dose.guard_rig import FLUX, RATE_GY_S, Rig
from tests.dose.test_guard_heat import heated
from tests.dose.test_guard_policies import policy
from voltomo.dose.guard_table import ROWS, TABLE, Cause, Deed
from voltomo.dose.guard_words import ShutterState
from voltomo.dose.lease import LeaseRequest

STEP_S = 0.02
TRIGGERS_s = 0.3
LIMIT_GY = 10 * RATE_GY_S


@dataclass(frozen=True)
class Scene:
    """How a cause comes about, from a lease that is live and has beam.

    ``renewed``: the holder goes on renewing. ``begin`` brings the cause about. ``more`` goes into
    the request, ``rig`` into the rig; ``ask_s`` of beam are refused while the cause lasts.
    """

    begin: Callable[[Rig], Any]
    renewed: bool = True
    more: dict[str, Any] | None = None
    ask_s: float = 0.1
    rig: dict[str, Any] | None = None


def to_the_limit(rig: Rig) -> None:
    """Time goes on until what the guard counts is a second before the limit."""
    lease = rig.core.lease
    assert lease is not None
    while rig.core.account.used("cell", rig.now_s).dose_Gy < LIMIT_GY - RATE_GY_S:
        rig.run(STEP_S, lease.lease_id)


def use_up(rig: Rig) -> None:
    """Until what was asked for is used up, but for a step."""
    lease = rig.core.lease
    assert lease is not None
    while rig.core.account.spent(lease, rig.now_s).open_s < 1.1 * 2.0 + 0.5 - STEP_S:
        rig.run(STEP_S, lease.lease_id)


def into_amber(rig: Rig) -> None:
    """Until half of the limit has been received, but for a step."""
    lease = rig.core.lease
    assert lease is not None
    while rig.core.account.used("cell", rig.now_s).dose_Gy < 20 * RATE_GY_S * 0.98:
        rig.run(STEP_S, lease.lease_id)


def die_and_return_to_an_open_shutter(rig: Rig) -> None:
    rig.kill_guard()
    rig.stuck = True
    rig.run(1.0)
    rig.start_guard()


def jam(rig: Rig) -> None:
    lease = rig.core.lease
    assert lease is not None
    rig.stuck = True
    rig.core.settle("done", lease.lease_id, "done", rig.now_s)


def open_by_hand(rig: Rig) -> None:
    lease = rig.core.lease
    assert lease is not None
    rig.settle(lease.lease_id)
    rig.manual = True


def let_gate_fail(rig: Rig) -> None:
    lease = rig.core.lease
    assert lease is not None
    rig.settle(lease.lease_id)
    rig.core.request("2", LeaseRequest(sample="cell", seconds=1.0), rig.now_s)
    second = rig.core.lease
    assert second is not None
    rig.core.gate_set(second.lease_id, False, rig.now_s)


def give_up(rig: Rig) -> None:
    lease = rig.core.lease
    assert lease is not None
    rig.settle(lease.lease_id)
    rig.core.request("2", LeaseRequest(sample="cell", seconds=1.0), rig.now_s)
    rig.core.give_up("2", rig.now_s)


def return_to_a_mended_log(rig: Rig) -> None:
    rig.kill_guard()
    rig.run(1.0)
    reason = {"reason": "entry 7 does not fit its checksum", "cause": Cause.LOG_DAMAGED}
    rig.disk.append("latch", reason, utc_s=rig.now_s)
    rig.start_guard()


def nothing(_rig: Rig) -> None:
    return


def last_word(state: ShutterState | None) -> Callable[[Rig], None]:
    """The shutter reads so, and nothing is heard of it afterwards."""

    def say(rig: Rig) -> None:
        rig.core.shutter(state, rig.now_s, rig.now_s)
        rig._hear = lambda: None

    return say


def fill_the_disk(rig: Rig) -> None:
    rig.disk.full = True
    rig.core.stop_beam(rig.now_s)
    rig.act()


SCENES: dict[Cause, Scene] = {
    Cause.LIMIT: Scene(to_the_limit, rig={"limit_Gy": LIMIT_GY}),
    Cause.RATE: Scene(
        lambda rig: setattr(rig, "flux", 1.9 * FLUX), rig=policy(rate_Gy_s=1.5 * RATE_GY_S)
    ),
    Cause.AMBER: Scene(into_amber, more={"seconds": 30.0, "last_scan": True}, rig=policy()),
    Cause.HEATING: Scene(
        lambda rig: setattr(rig, "flux", 1.9 * FLUX),
        more={"seconds": 0.6},
        ask_s=60.0,
        rig=heated(),
    ),
    Cause.USED_UP: Scene(use_up, more={"seconds": 2.0}),
    Cause.LEASE_SILENT: Scene(nothing, renewed=False),
    Cause.HELD_UP: Scene(lambda rig: rig.stall(0.45)),
    Cause.STOPPED_BY_HAND: Scene(lambda rig: rig.core.stop_beam(rig.now_s)),
    Cause.GUARD_STOPPED: Scene(lambda rig: rig.core.shut_down(rig.now_s)),
    Cause.TRIGGERS_SILENT: Scene(
        lambda rig: rig.core.trigger_count(7, rig.now_s),
        more={"trigger_deadline_s": TRIGGERS_s},
    ),
    Cause.TRIGGERS_AWAY: Scene(
        lambda rig: rig.core.trigger_count(None, rig.now_s),
        more={"trigger_deadline_s": TRIGGERS_s},
    ),
    Cause.FLUX_STALE: Scene(lambda rig: setattr(rig, "monitor_lives", False)),
    Cause.WRONG_SAMPLE: Scene(
        lambda rig: rig.core.mounted("another", rig.now_s),
        rig={"mounted_sample_pv": "Changer:Sample"},
    ),
    Cause.SHUTTER_AWAY: Scene(last_word(None)),
    Cause.SHUTTER_FAULT: Scene(last_word(ShutterState.FAULT)),
    Cause.SHUTTER_SLOW: Scene(lambda rig: rig.core.stale_time(5.0, rig.now_s)),
    Cause.GATE_NOT_SET: Scene(let_gate_fail),
    Cause.GATE_CHANGED: Scene(lambda rig: rig.core.gate_mode(1, rig.now_s)),
    Cause.NOT_FOLLOWING: Scene(jam),
    Cause.FOREIGN: Scene(open_by_hand),
    Cause.FOUND_OPEN: Scene(die_and_return_to_an_open_shutter),
    Cause.LOG_NOT_WRITABLE: Scene(fill_the_disk),
    Cause.LOG_DAMAGED: Scene(return_to_a_mended_log),
    Cause.CLOCK_STEPPED: Scene(lambda rig: rig.core.clock_stepped(-3600.0)),
    Cause.GIVEN_UP: Scene(give_up),
}


def met(rig: Rig, deed: Deed, ways_out: int, ask_s: float = 0.1) -> bool:
    """Whether a deed is done."""
    core = rig.core
    if deed is Deed.CLOSE:
        return not core.enable
    if deed is Deed.LATCH:
        return core.state == "Latched"
    if deed is Deed.ALARM:
        return core.alarmed or core.warned
    if deed is Deed.NOTE:
        return bool(rig.core.reason) and bool({"clock", "warn"} & set(rig.kinds()))
    if deed is Deed.WAY_OUT:
        return rig.ways_out > ways_out
    if deed is Deed.COUNT:
        return core.account.beam is not None
    if deed is Deed.UPPER_BOUND:
        bound = rig.settings.flux_upper_bound_per_cm2_s
        return core.account.flux.bound_per_cm2_s(rig.now_s) >= bound > FLUX
    more = {"trigger_deadline_s": 1.0} if core._count is None else {}
    answer = rig.request(ask_s, **more) if core.lease is None else {"ok": True}
    return answer.get("ok") is False


def test_every_cause_has_one_row_and_one_scene() -> None:
    assert [row.cause for row in ROWS] == list(Cause)
    assert set(SCENES) == set(TABLE)


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_is_answered_in_time(cause: Cause) -> None:
    scene, row = SCENES[cause], TABLE[cause]
    rig = Rig(**(scene.rig or {}))
    if "mounted_sample_pv" in (scene.rig or {}):
        rig.core.mounted("cell", rig.now_s)
    rig.run(0.2)
    lease = rig.request(**({"seconds": 60.0 if scene.rig is None else 9.0} | (scene.more or {})))
    rig.run(0.5, lease["lease_id"])
    assert rig.core.enable
    held = lease["lease_id"] if scene.renewed else None
    ways_out = rig.ways_out
    scene.begin(rig)
    begun_s = rig.now_s
    deadline_s = row.deadline_s(rig.settings, TRIGGERS_s)
    if row.early:
        # The beam is off before the cause comes about.
        deadline_s = 1.0
    if cause is Cause.AMBER:
        # The last step to it is still to be exposed.
        deadline_s += 0.5
    if cause is Cause.HELD_UP:
        # The controller was at it meanwhile; a guard that comes back does not enable again.
        deadline_s = STEP_S
    missing = {deed for deed in row.deeds if deed is not Deed.REFUSE}
    while missing and rig.now_s - begun_s <= deadline_s + STEP_S:
        missing = {deed for deed in missing if not met(rig, deed, ways_out)}
        if missing:
            rig.run(STEP_S, held)
    assert not missing, f"not done {deadline_s:g} s after it began: {missing}"
    if Deed.REFUSE in row.deeds:
        rig.run(0.8)
        assert met(rig, Deed.REFUSE, ways_out, scene.ask_s)
    assert rig.dose_Gy() >= rig.truth_Gy


@pytest.mark.parametrize("flux", [0.2, 1.0, 1.9])
@pytest.mark.parametrize("reaction_s", [0.02, 0.1, 0.5])
def test_a_limit_is_kept_even_where_the_blade_takes_all_its_time(
    flux: float, reaction_s: float
) -> None:
    """It trips early by the dose of its own deadline and of the blade's travel."""
    limit_Gy = 5 * RATE_GY_S
    rig = Rig(limit_Gy=limit_Gy, reaction_s=reaction_s, travel_s=0.05)
    rig.flux = flux * FLUX
    rig.run(0.2)
    lease = rig.request(0.5 * 5 / flux)["lease_id"]
    assert lease
    rig.run(0.3, lease)
    held = rig.core.lease
    assert held is not None
    while rig.core.enable and held.ending is None:
        rig.run(STEP_S, lease)
    cause = next(data["cause"] for kind, data in rig.disk.entries if kind == "lost")
    assert cause in (Cause.LIMIT, Cause.USED_UP)
    late_s = TABLE[Cause.LIMIT].deadline_s(rig.settings) + rig.settings.travel_s
    spent_Gy = rig.core.account.used("cell", rig.now_s).dose_Gy
    assert spent_Gy + late_s * rig.flux * RATE_GY_S / FLUX <= 1.02 * limit_Gy


def test_the_second_way_out_is_taken_and_its_outcome_said() -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request()["lease_id"]
    rig.run(0.3, lease)
    rig.stuck = True
    rig.settle(lease)
    assert rig.ways_out == 1
    assert "told to stop the beam instead: filters" in rig.core.reason
    assert rig.kinds().count("way_out") == 1
    rig.core.way_out({"filters": False})
    assert "not reached: filters" in rig.core.reason


def test_a_monitor_at_zero_is_believed_where_something_else_agrees() -> None:
    rig = Rig()
    rig.run(0.2)
    rig.monitor_lives = False
    for agrees in (False, True):
        rig.core.ring_current(0.0 if agrees else 200.0)
        rig.core.monitor(0.0, rig.now_s)
        rig.run(2.0)
        assert bool(rig.core.account.flux.doubt(rig.now_s)) is not agrees
        rate = rig.core.account.flux.bound_per_cm2_s(rig.now_s)
        assert rate == (0.0 if agrees else rig.settings.flux_upper_bound_per_cm2_s)
    rig.core.ring_current(None)
    rig.run(1.0)
    assert rig.core.account.flux.doubt(rig.now_s)
    for witness in (rig.core.second_monitor, rig.core.attenuator):
        witness(0.0)
        rig.run(0.2)
        assert not rig.core.account.flux.doubt(rig.now_s)
        witness(None)
        rig.run(1.0)
        assert rig.core.account.flux.doubt(rig.now_s)


def test_a_saturated_monitor_costs_the_upper_bound() -> None:
    rig = Rig(monitor_saturates_counts_s=5e5)
    rig.run(0.2)
    rig.flux = 1.9 * FLUX
    rig.run(1.0)
    assert "saturated" in rig.core.account.flux.doubt(rig.now_s)


def test_a_foreign_beam_is_counted_on_the_sample_that_is_mounted() -> None:
    rig = Rig(mounted_sample_pv="Changer:Sample")
    assert "none can be read" in rig.request()["error"]
    rig.core.mounted("cell", rig.now_s)
    rig.manual = True
    rig.run(0.3)
    assert "counted on 'cell'" in rig.core.reason
