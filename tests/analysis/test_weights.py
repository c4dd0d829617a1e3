"""Weights of views at any set of angles."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.analysis.weights import angular_weights


@given(st.integers(10, 400), st.floats(-720, 720), st.floats(0, 0.45), st.integers(0, 2**32 - 1))
def test_a_full_half_turn_sums_to_pi(
    views: int, start_deg: float, jitter: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    steps = np.arange(views) + jitter * random.uniform(-1, 1, views)
    angles = random.permutation(start_deg + steps * 180 / views)
    weights = angular_weights(angles)
    assert weights.sum() == pytest.approx(np.pi)
    assert (weights >= 0).all()


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=60))
def test_any_angles_give_weights_of_at_most_pi(angles: list[float]) -> None:
    weights = angular_weights(angles)
    assert weights.shape == (len(angles),)
    assert (weights >= 0).all()
    assert weights.sum() <= np.pi * (1 + 1e-9)


def test_equidistant_views_have_equal_weights() -> None:
    np.testing.assert_allclose(angular_weights(np.arange(90) * 2.0), np.pi / 90)
    np.testing.assert_allclose(angular_weights(np.arange(360) * 1.0), np.pi / 360)


def test_about_a_tilted_axis_the_opposite_view_is_another_direction() -> None:
    weights = angular_weights(np.arange(360) * 1.0, turn_deg=360.0)
    np.testing.assert_allclose(weights, np.pi / 360)
    lost = angular_weights(np.delete(np.arange(360.0), 50), turn_deg=360.0)
    np.testing.assert_allclose(lost[[49, 50]], 1.5 * np.pi / 360)
    assert lost.sum() == pytest.approx(np.pi)


def test_both_ends_of_a_half_turn_share_one_direction() -> None:
    weights = angular_weights(np.linspace(0, 180, 181))
    np.testing.assert_allclose(weights[[0, -1]], np.pi / 360)
    np.testing.assert_allclose(weights[1:-1], np.pi / 180)


def test_neighbours_stand_for_a_missing_view() -> None:
    weights = angular_weights(np.delete(np.arange(180.0), 50))
    np.testing.assert_allclose(weights[[49, 50]], 1.5 * np.pi / 180)
    assert weights.sum() == pytest.approx(np.pi)


def test_nobody_stands_for_a_missing_wedge() -> None:
    weights = angular_weights(np.arange(120.0))
    np.testing.assert_allclose(weights, np.pi / 180)


def test_several_turns_with_jitter_share_directions() -> None:
    turns = np.concatenate([np.arange(180.0), np.arange(180.0) + 180.02, np.arange(180.0) + 0.01])
    np.testing.assert_allclose(angular_weights(turns, merge_deg=0.1), np.pi / 540, rtol=0.02)


def test_no_angles_and_angles_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="list of angles"):
        angular_weights([])
    with pytest.raises(ValueError, match=r"views \[1\] are not"):
        angular_weights([0.0, np.nan])
