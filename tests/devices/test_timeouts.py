"""Time-outs follow the expected duration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.devices.timeouts import move_timeout_s, train_timeout_s


@given(st.floats(-1000, 1000), st.floats(0.01, 200), st.floats(0, 5))
def test_a_move_has_longer_than_it_takes(distance: float, speed: float, ramp: float) -> None:
    assert move_timeout_s(distance, speed, ramp) > abs(distance) / speed + 2 * ramp


def test_an_axis_without_speed_is_refused() -> None:
    with pytest.raises(ValueError, match="never arrives"):
        move_timeout_s(1.0, 0.0, 0.1)


@given(st.integers(0, 10**5), st.floats(1e-3, 10), st.floats(0, 100))
def test_a_train_has_longer_than_it_takes(count: int, period: float, before: float) -> None:
    assert train_timeout_s(count, period, before) > count * period + before
