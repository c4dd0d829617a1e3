"""Every device keeps its own time; a map brings it to the reference, with what it does not know."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltomo.model.clock import Clock, ClockMap, SystemClock


@settings(max_examples=60, deadline=None)
@given(
    offset_s=st.floats(-1e6, 1e6),
    skew=st.floats(-1e-3, 1e-3),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_map_finds_offset_and_rate_within_what_it_says(offset_s, skew, seed) -> None:
    rng = np.random.default_rng(seed)
    device_s = np.sort(rng.uniform(0, 20, 80))
    true_s = device_s * (1 + skew) + offset_s
    noisy_s = true_s + rng.normal(0, 1e-4, 80)
    found = ClockMap.fit(device_s, noisy_s)
    later_s = np.array([0.0, 10.0, 60.0])
    error_s = found.to_reference(later_s) - (later_s * (1 + skew) + offset_s)
    assert np.all(np.abs(error_s) < 6 * found.uncertainty_s(later_s))
    assert found.jitter_s == pytest.approx(1e-4, rel=0.5)


def test_uncertainty_grows_away_from_the_evidence() -> None:
    rng = np.random.default_rng(2)
    device_s = np.arange(12) * 0.04
    found = ClockMap.fit(device_s, device_s + rng.normal(0, 1e-4, 12))
    near, far, farther = found.uncertainty_s([0.22, 5.0, 50.0])
    assert near < far < farther
    assert farther == pytest.approx(10 * far, rel=0.1)


@pytest.mark.parametrize(("device_s", "reference_s"), [([1.0], [2.0]), ([1.0, 2.0], [1.0])])
def test_too_few_pairs_are_refused(device_s, reference_s) -> None:
    with pytest.raises(ValueError, match="at least two pairs"):
        ClockMap.fit(device_s, reference_s)


def test_the_machines_clock_goes_on() -> None:
    clock: Clock = SystemClock()
    before_s, utc_s = clock.now_s(), clock.utc_s()
    assert clock.now_s() >= before_s
    assert utc_s > 1.6e9
