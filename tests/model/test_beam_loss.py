"""When the beam is lost, when it is back, and how long a fill of the ring is waited for."""

from __future__ import annotations

import pytest

from voltomo.model.beam_loss import FLUX, RING, TOP_UP, BeamJudge, BeamLossLimits

LIMITS = BeamLossLimits(
    ring_current_mA=20, flux_counts_s=1000, position_um=30, settle_s=5, hysteresis=0.1
)


def test_it_is_lost_at_once_and_back_once_it_stayed_for_the_settle_time() -> None:
    judge = BeamJudge(LIMITS)
    assert not judge.look({RING: 200, FLUX: 1e6}, 0.0)
    assert judge.look({RING: 3, FLUX: 1e6}, 1.0)
    assert judge.gone == "ring current: expected at least 20 mA, saw 3 mA"
    assert not judge.look({RING: 200, FLUX: 1e6}, 2.0)
    # Gone again before it had settled: the time begins anew.
    assert not judge.look({RING: 0, FLUX: 1e6}, 6.0)
    assert not judge.look({RING: 200, FLUX: 1e6}, 7.0)
    assert not judge.look({RING: 200, FLUX: 1e6}, 11.9)
    assert judge.gone
    assert judge.look({RING: 200, FLUX: 1e6}, 12.0)
    assert not judge.gone
    assert judge.gone_since(0.5)
    assert not judge.gone_since(1.5)


@pytest.mark.parametrize(
    ("readings", "word"),
    [({FLUX: 10.0}, "flux monitor"), ({"beam_x": -31.0}, "across"), ({"beam_y": 31.0}, "up")],
)
def test_every_reading_can_lose_it(readings: dict[str, float], word: str) -> None:
    assert word in LIMITS.beyond(readings, lost=False)


def test_what_is_not_read_or_not_limited_says_nothing() -> None:
    assert not LIMITS.beyond({}, lost=False)
    assert not BeamLossLimits().beyond({RING: 0, FLUX: 0, "beam_x": 1e3}, lost=False)
    assert BeamLossLimits().looked_at == ()


def test_it_must_do_better_to_be_back_than_to_stay() -> None:
    assert not LIMITS.beyond({RING: 21.0}, lost=False)
    assert LIMITS.beyond({RING: 21.0}, lost=True)
    assert LIMITS.beyond({"beam_x": 28.0}, lost=True)
    assert LIMITS.beyond({RING: float("nan")}, lost=False)


def test_a_fill_of_the_ring_is_waited_for_where_that_is_asked() -> None:
    judge = BeamJudge(BeamLossLimits(hold_for_top_up=True, after_top_up_s=3))
    judge.look({TOP_UP: 60.0}, 0.0)
    assert judge.hold_s(10, 1.0) == 0
    judge.look({TOP_UP: 8.0}, 52.0)
    assert judge.hold_s(10, 52.0) == pytest.approx(11.0)
    assert judge.hold_s(5, 52.0) == 0
    judge.look({TOP_UP: 60.0}, 60.0)
    assert judge.hold_s(10, 61.0) == pytest.approx(2.0)
    assert judge.hold_s(10, 63.5) == 0
    # Longer than from fill to fill: it begins behind one.
    assert judge.hold_s(100, 63.5) == 0
    assert judge.hold_s(100, 90.0) > 0
    assert BeamJudge(BeamLossLimits()).hold_s(1e6, 0.0) == 0


def test_a_countdown_that_stands_still_holds_nothing_for_good() -> None:
    judge = BeamJudge(BeamLossLimits(hold_for_top_up=True, after_top_up_s=3))
    judge.look({TOP_UP: 60.0}, 0.0)
    assert judge.hold_s(10, 55.0) == pytest.approx(8.0)
    assert judge.hold_s(10, 62.0) == pytest.approx(3.0)
    assert judge.hold_s(10, 63.1) == 0
