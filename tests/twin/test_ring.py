"""The ring: it decays, is filled up, is lost and comes back; corners are where they are said."""

import numpy as np
import pytest

from voltomo.twin.ring import NEVER_S, Dump, Ring

DECAY = Ring(200.0, 3600.0)


def test_it_decays_for_ever_unless_it_is_filled() -> None:
    assert DECAY.current_mA(0) == 200
    assert DECAY.current_mA(3600) == pytest.approx(200 / np.e)
    assert DECAY.next_top_up_s(100) == NEVER_S
    assert DECAY.breaks_s(0, 1e5) == []


def test_top_up_keeps_it_near_full() -> None:
    ring = Ring(200.0, 3600.0, top_up_period_s=60, fill_s=2)
    times = np.arange(0, 600, 0.01)
    current = np.array([ring.current_mA(t) for t in times])
    assert current.max() <= 200
    assert current.min() == pytest.approx(200 * np.exp(-60 / 3600), rel=1e-3)
    # No step anywhere: the fastest change is that of a fill.
    assert np.abs(np.diff(current)).max() < 0.02
    assert ring.next_top_up_s(70) == pytest.approx(50)
    assert ring.filling(61)
    assert not ring.filling(1)
    assert ring.breaks_s(55, 125) == [60, 62, 120, 122]


@pytest.mark.parametrize("period_s", [None, 60.0])
def test_a_dump_takes_all_and_a_fill_brings_it_back(period_s: float | None) -> None:
    ring = Ring(200.0, 3600.0, period_s, dumps=(Dump(30.0, 10.0), Dump(90.0)))
    assert ring.current_mA(29.9) > 198
    assert ring.current_mA(30.1) == ring.current_mA(39.9) == 0
    assert ring.next_top_up_s(35.0) == pytest.approx(5)
    assert ring.current_mA(41.0) == pytest.approx(100)
    assert ring.filling(41.0)
    assert ring.current_mA(50.0) == pytest.approx(200 * np.exp(-8 / 3600))
    assert ring.current_mA(1e6) == 0
    assert ring.next_top_up_s(95.0) == NEVER_S
    times = np.arange(0, 120, 0.001)
    corners = ring.breaks_s(0, 120)
    lines = np.interp(times, [0, *corners, 120], [ring.current_mA(t) for t in (0, *corners, 120)])
    # Between two corners there is hardly anything but a straight line.
    assert np.abs(lines - [ring.current_mA(t) for t in times]).max() < 0.05
