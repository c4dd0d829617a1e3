"""What the guard counts: flux that cannot be believed, beams of nobody, samples out of the way."""

from __future__ import annotations

import math

import pytest

from tests.dose.guard_rig import COUNTS, FLUX, RATE_GY_S, Rig
from voltomo.dose.exposure import OUT_OF_FIELD, REPLAY
from voltomo.dose.guard_words import ShutterState


@pytest.mark.parametrize("counts", [None, math.nan, math.inf, 0.0, -3.0, COUNTS])
def test_a_monitor_that_cannot_be_believed_costs_the_upper_bound(counts: float | None) -> None:
    rig = Rig()
    rig.run(0.2)
    rig.monitor_lives = False
    for _ in range(40):
        rig.step()
        rig.core.monitor(counts, rig.now_s)
    answer = rig.request(5.0)
    assert "upper bound" in answer["note"]
    rig.run(2.0, answer["lease_id"])
    settlement = rig.settle(answer["lease_id"])["settlement"]
    assert settlement["dose_Gy"] == pytest.approx(2 * 2.0 * RATE_GY_S, rel=0.05)
    assert "upper bound" in settlement["stamp"]


def test_flux_that_rose_after_the_last_reading_is_counted() -> None:
    rig = Rig()
    rig.flux = 0.02 * FLUX
    rig.run(0.2)
    lease = rig.request(5.0)["lease_id"]
    rig.run(1.0, lease)
    rig.core.monitor(rig.flux / 1e5, rig.now_s)
    rig._read_s = rig.now_s
    rig.flux = FLUX
    rig.step()
    rig.step()
    settlement = rig.settle(lease)["settlement"]
    assert rig.truth_Gy > 0.05 * RATE_GY_S
    assert settlement["dose_Gy"] >= rig.truth_Gy


def test_a_monitor_that_dies_under_the_beam_costs_the_upper_bound_since_its_last_word() -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request(5.0)["lease_id"]
    rig.run(1.0, lease)
    rig.monitor_lives = False
    rig.flux = 1.9 * FLUX
    rig.run(0.2, lease)
    settlement = rig.settle(lease)["settlement"]
    assert rig.truth_Gy <= settlement["dose_Gy"] <= 1.1 * rig.truth_Gy
    assert "upper bound" in settlement["stamp"]


def test_an_energy_that_is_not_read_counts_as_the_worse_of_declared_and_last() -> None:
    rig = Rig(energy_keV=20.0)
    per_fluence = {20.0: 5e-10, 40.0: 1e-10}
    rig.core.account.absorption._own = lambda _, energy_keV: per_fluence[energy_keV]
    rig.core.energy(40.0)
    rig.run(0.2)
    lease = rig.request(5.0)["lease_id"]
    rig.run(1.0, lease)
    assert "energy" not in rig.settle(lease)["settlement"]["stamp"]
    lease = rig.request(5.0)["lease_id"]
    rig.run(0.5, lease)
    rig.core.energy(math.nan)
    rig.run(0.5, lease)
    settlement = rig.settle(lease)["settlement"]
    assert 5 * RATE_GY_S <= settlement["dose_Gy"] <= 1.15 * 5 * RATE_GY_S
    assert "energy is not read" in settlement["stamp"]


def test_beam_that_nobody_asked_for_is_counted_named_and_alarmed() -> None:
    rig = Rig()
    lease = rig.request()["lease_id"]
    rig.run(0.5, lease)
    before = rig.settle(lease)["settlement"]["dose_Gy"]
    assert not rig.core.alarmed
    rig.manual = True
    rig.run(2.0)
    assert rig.core.alarmed
    assert "open without a lease; its dose is counted on 'cell'" in rig.core.reason
    assert "open without a lease" in rig.request()["error"]
    rig.manual = False
    rig.run(0.2)
    assert not rig.core.alarmed
    assert "was open without a lease for 2.0" in rig.core.reason
    assert "foreign" in rig.kinds()
    assert rig.dose_Gy() - before == pytest.approx(2.0 * RATE_GY_S, rel=0.06)
    assert rig.dose_Gy() >= rig.truth_Gy
    assert rig.request()["ok"]


def test_a_beam_that_is_heard_of_late_is_in_the_log_at_once() -> None:
    rig = Rig()
    rig.run(0.2)
    rig.manual = True
    rig.stall(3.0)
    assert rig.dose_Gy() >= rig.truth_Gy > 2.9 * RATE_GY_S


def test_only_a_stage_read_out_and_still_is_free() -> None:
    rig = Rig()
    rig.run(0.2)
    rig.core.place(8.0, True, rig.now_s)
    lease = rig.request(20.0, beside_sample=True)["lease_id"]
    rig.run(2.0, lease)
    rig.core.place(8.0, False, rig.now_s)
    rig.run(1.0, lease)
    settlement = rig.settle(lease)["settlement"]
    assert settlement["dose_Gy"] == pytest.approx(RATE_GY_S, rel=0.06)
    assert settlement["open_s"] == pytest.approx(3.0, abs=0.1)
    assert OUT_OF_FIELD in settlement["stamp"]
    assert rig.request(20.0, beside_sample=True)["ok"]
    for unread in (None, math.nan):
        rig.core.place(8.0, True, rig.now_s)
        assert rig.core.account.stamp == OUT_OF_FIELD
        rig.core.place(unread, True, rig.now_s)
        assert rig.core.account.stamp == ""


def test_a_sweep_pays_wherever_its_stage_is_read() -> None:
    """Somebody may have set the axis to zero anew, or mounted the sample off its middle."""
    rig = Rig()
    rig.run(0.2)
    rig.core.place(8.0, True, rig.now_s)
    lease = rig.request(20.0)["lease_id"]
    rig.run(2.0, lease)
    settlement = rig.settle(lease)["settlement"]
    assert settlement["dose_Gy"] == pytest.approx(2 * RATE_GY_S, rel=0.06)
    assert OUT_OF_FIELD not in settlement["stamp"]


def test_a_replay_costs_nothing_and_says_so() -> None:
    rig = Rig(limit_Gy=1e-6, source="replay")
    lease = rig.request(60.0)["lease_id"]
    rig.run(2.0, lease)
    settlement = rig.settle(lease)["settlement"]
    assert settlement["dose_Gy"] == settlement["dose_central_Gy"] == 0
    assert settlement["stamp"] == REPLAY
    assert rig.dose_Gy() == 0


@pytest.mark.parametrize("blade", [0.4, math.nan, None])
def test_a_fault_passes_beam_unless_the_blade_is_read_closed(blade: float | None) -> None:
    rig = Rig()
    rig.core.blade(blade, rig.now_s, rig.now_s)
    rig.core.shutter(ShutterState.FAULT, rig.now_s, rig.now_s)
    assert rig.core.account.beam is not None
    rig.core.blade(0.0, rig.now_s, rig.now_s)
    assert rig.core.account.beam is None


@pytest.mark.parametrize("off_s", [-3600.0, 3600.0])
def test_a_wrong_clock_of_the_shutter_costs_no_hours_and_hides_nothing(off_s: float) -> None:
    rig = Rig()
    rig.run(0.2)
    lease = rig.request(5.0)["lease_id"]
    core, begun_s = rig.core, rig.now_s
    for _ in range(2):
        core.shutter(ShutterState.OPENING, rig.now_s + off_s, rig.now_s)
        for _ in range(10):
            rig.now_s += 0.02
            core.monitor(COUNTS * (1 + rig.now_s % 0.01), rig.now_s)
            core.tick(rig.now_s)
            core.renew("x", lease, rig.now_s)
            core.shutter(ShutterState.OPEN, rig.now_s + off_s, rig.now_s)
        core.shutter(ShutterState.CLOSED, rig.now_s + off_s, rig.now_s)
    assert core.lease is not None
    assert core.lease.ending is None
    spent = core.account.spent(core.lease, rig.now_s)
    assert 0.4 <= spent.open_s <= 0.45 + rig.now_s - begun_s - 0.4


def test_a_shutter_found_open_is_counted_from_what_was_logged_last() -> None:
    rig = Rig()
    rig.run(1.0)
    rig.kill_guard()
    last_s = rig.disk.last_s
    assert last_s is not None
    rig.manual = True
    rig.run(3.0)
    rig._changes = [(ShutterState.OPEN, 0.0)]
    rig.start_guard()
    rig.manual = False
    rig.run(0.2)
    assert rig.disk.ledger().settled("unknown").open_s == pytest.approx(4.0, abs=0.1)
    assert rig.dose_Gy() >= rig.truth_Gy
