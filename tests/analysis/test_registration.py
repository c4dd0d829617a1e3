"""Time points are laid upon each other before they are compared; what changed does not pull."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from voltomo.analysis.registration import (
    Shift,
    difference,
    differences,
    find_shift,
    laid_upon,
)

Image = NDArray[np.float32]


def sample(shape: tuple[int, ...], shift: tuple[float, ...], noise: float, seed: int) -> Image:
    """Blobs, moved on a grid three times as fine and taken as pixel means; noise of its own."""
    fine = 3
    random = np.random.default_rng(7)
    still = gaussian_filter(random.normal(size=[fine * side for side in shape]), 2.0 * fine)
    still /= still.std()
    place: NDArray[np.float64] = np.indices(still.shape).astype(np.float64)
    for axis, pixels in enumerate(shift):
        place[axis] = place[axis] - fine * pixels
    moved = map_coordinates(still, place, order=3, mode="grid-wrap")
    for axis, side in enumerate(shape):
        moved = moved.reshape([*moved.shape[:axis], side, fine, *moved.shape[axis + 1 :]])
        moved = moved.mean(axis=axis + 1)
    return (moved + np.random.default_rng(seed).normal(0, noise, shape)).astype(np.float32)


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.37, -0.81), (-4.6, 7.25)])
def test_a_slice_is_found_where_it_went(shift: tuple[float, ...]) -> None:
    found = find_shift(sample((96, 80), (0, 0), 0.2, 1), sample((96, 80), shift, 0.2, 2))
    assert found.pixels == pytest.approx(shift, abs=0.05)
    assert found.certain
    assert found.distance == pytest.approx(math.hypot(*shift), abs=0.06)


def test_a_volume_is_found_where_it_went() -> None:
    shift = (0.6, -1.3, 2.45)
    one, other = (sample((24, 28, 32), s, 0.3, n) for n, s in enumerate([(0, 0, 0), shift]))
    assert find_shift(one, other).pixels == pytest.approx(shift, abs=0.1)


def test_the_deviation_covers_the_error() -> None:
    shift = (0.3, -0.45)
    pulls: list[float] = []
    for seed in range(12):
        one = sample((64, 64), (0, 0), 0.8, 10 + seed)
        found = find_shift(one, sample((64, 64), shift, 0.8, 50 + seed))
        pulls += [
            (got - true) / sigma
            for got, true, sigma in zip(found.pixels, shift, found.sigma, strict=True)
        ]
    assert float(np.sqrt(np.mean(np.square(pulls)))) < 1.6
    assert np.mean(np.abs(pulls) < 1.96) > 0.8


def test_a_bubble_stands_out_and_does_not_pull() -> None:
    shift = (1.42, -1.36)
    one, other = sample((96, 96), (0, 0), 0.2, 1), sample((96, 96), shift, 0.2, 2)
    row, column = np.indices(other.shape)
    bubble = np.hypot(row - 60, column - 40) < 5
    other[bubble] -= 3
    found = difference(one, other)
    assert found.shift.pixels == pytest.approx(shift, abs=0.06)
    away = found.significance
    assert float(away[bubble].mean()) < -5
    calm = found.seen & (np.hypot(row - 60, column - 40) > 9)
    assert float(away[calm].std()) == pytest.approx(1, abs=0.25)
    # Without registration, edges of all that is there drown the bubble.
    naive = other - one
    assert naive[calm].std() > 2 * found.image[calm].std()


def test_what_left_the_frame_is_not_compared() -> None:
    one, other = sample((64, 64), (0, 0), 0.1, 1), sample((64, 64), (5.0, -3.0), 0.1, 2)
    found = difference(one, other)
    assert not found.seen[-4:].any()
    assert not found.seen[:, :2].any()
    assert (found.image[~found.seen] == 0).all()
    moved, seen = laid_upon(other, Shift((5.0, -3.0), (0.0, 0.0)))
    assert np.corrcoef(moved[seen], one[seen])[0, 1] > 0.95


def test_each_time_point_is_laid_upon_the_last() -> None:
    drift = [(0.4 * step, -0.2 * step) for step in range(4)]
    series = (sample((72, 72), shift, 0.2, step) for step, shift in enumerate(drift))
    found = list(differences(series))
    assert len(found) == 3
    for one in found:
        assert one.shift.pixels == pytest.approx((0.4, -0.2), abs=0.06)
        assert one.noise == pytest.approx(0.28, abs=0.08)


def test_what_cannot_be_registered_is_refused() -> None:
    one = sample((64, 64), (0, 0), 0.1, 1)
    with pytest.raises(ValueError, match="one shape"):
        find_shift(one, one[:32])
    with pytest.raises(ValueError, match="not finite"):
        find_shift(one, np.full_like(one, np.nan))
    with pytest.raises(ValueError, match="constant"):
        difference(one, np.ones_like(one))
    with pytest.raises(ValueError, match="hardly any pixels"):
        find_shift(one, one, np.zeros(one.shape, bool))
    with pytest.raises(ValueError, match="leaves nothing"):
        difference(one, one, shift=Shift((90.0, 0.0), (0.0, 0.0)))
