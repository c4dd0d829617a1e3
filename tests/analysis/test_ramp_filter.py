"""The ramp filter against the direct convolution."""

from typing import cast, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.analysis.ramp_filter import (
    RampFilter,
    Window,
    WindowFilter,
    ramp_gain,
    window_gain,
)


@given(st.integers(16, 3000))
def test_the_gain_is_a_ramp_at_every_length(length: int) -> None:
    gain = ramp_gain(length)
    ramp = np.abs(np.fft.fftfreq(length))
    assert 0 <= gain[0] < 0.25 / length
    assert np.abs(gain - ramp).max() < 0.25 / length + 1e-6


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_pairs_of_rows_equal_the_direct_convolution(rows: int) -> None:
    n = 65
    data = np.random.default_rng(1).random((rows, n), np.float32)
    distance = np.arange(n)[:, None] - np.arange(n)[None, :]
    odd = distance % 2 == 1
    direct = np.where(odd, -1 / (np.pi * np.where(odd, distance, 1)) ** 2, 0.0)
    direct[distance == 0] = 0.25
    filtered = RampFilter(n, padding=2.0).apply(data)
    np.testing.assert_allclose(filtered, data @ direct.T, atol=2e-5)
    np.testing.assert_allclose(RampFilter(n).apply(data), filtered, atol=5e-3)


def test_one_row_keeps_its_shape_and_a_wrong_length_is_refused() -> None:
    ramp = RampFilter(64)
    assert ramp.length >= 96
    assert ramp.apply(np.ones(64, np.float32)).shape == (64,)
    with pytest.raises(ValueError, match="64 columns; these have 63"):
        ramp.apply(np.ones((2, 63), np.float32))
    with pytest.raises(ValueError, match="at least 2 columns"):
        RampFilter(1)
    with pytest.raises(ValueError, match="padding"):
        RampFilter(64, padding=0.5)


@pytest.mark.parametrize("window", get_args(Window))
def test_a_window_keeps_the_mean_and_lowers_the_noise(window: Window) -> None:
    gain = window_gain(256, window)
    assert gain[0] == 1
    assert (np.diff(gain[:129]) <= 1e-12).all()
    noise = np.random.default_rng(3).normal(size=(4, 200)).astype(np.float32)
    smooth = WindowFilter(200, window).apply(noise)
    if window == "ram-lak":
        np.testing.assert_allclose(smooth, noise, atol=1e-5)
    assert RampFilter(200).apply(smooth).std() <= RampFilter(200).apply(noise).std() + 1e-6


def test_a_cutoff_ends_the_window() -> None:
    gain = window_gain(400, "hann", cutoff=0.5)
    assert gain[100] == pytest.approx(0, abs=1e-12)
    assert gain[50] == pytest.approx(0.5)
    assert (gain[101:300] == 0).all()
    with pytest.raises(ValueError, match="cut-off"):
        window_gain(16, "hann", cutoff=0)
    with pytest.raises(ValueError, match="must be one of ram-lak"):
        window_gain(16, cast(Window, "box"))
