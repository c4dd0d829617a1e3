"""Bubbles in the difference of two volumes: found where they are, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.ndimage

from voltomo.analysis.gas import GasSettings, GasWatch, chance, find_gas
from voltomo.analysis.gas_registration import NotRegistered, registered

LIQUID = 0.1
NOISE = 0.03


def sample(seed: int, shift=(0.0, 0.0, 0.0), bubble=None, radius=3.0, noise=NOISE) -> np.ndarray:
    """Bright balls in liquid, in a smooth picture that may stand elsewhere."""
    random = np.random.default_rng(7)
    z, y, x = np.mgrid[0:32, 0:48, 0:48].astype(np.float64)
    z, y, x = z - shift[0], y - shift[1], x - shift[2]
    volume = np.full(z.shape, LIQUID)
    for _ in range(14):
        cz, cy, cx = random.uniform((0, 0, 0), (32, 48, 48))
        away = np.sqrt((z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2)
        volume += 0.6 / (1 + np.exp((away - 4.0) / 0.5))
    if bubble is not None:
        away = np.sqrt((z - bubble[0]) ** 2 + (y - bubble[1]) ** 2 + (x - bubble[2]) ** 2)
        volume -= LIQUID / (1 + np.exp((away - radius) / 0.5))
    noisy = np.random.default_rng(seed).normal(0, noise, volume.shape)
    return (volume + noisy).astype(np.float32)


def room() -> tuple[float, float, float]:
    """The place farthest from all balls."""
    free = np.array(scipy.ndimage.distance_transform_edt(sample(0, noise=0.0) < 1.2 * LIQUID))
    free[:6] = free[-6:] = 0
    free[:, :6] = free[:, -6:] = 0
    free[:, :, :6] = free[:, :, -6:] = 0
    z, y, x = np.unravel_index(int(free.argmax()), free.shape)
    return float(z), float(y), float(x)


@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.4, -0.7, 1.6)])
def test_a_bubble_is_found_where_it_is(shift: tuple[float, float, float]) -> None:
    at = room()
    found = find_gas(sample(1), sample(2, shift, at), LIQUID)
    assert found
    first = found[0]
    assert math.dist((first.z, first.y, first.x), at) < 1.0
    assert first.voxels == pytest.approx(4 / 3 * math.pi * 27, rel=0.5)
    assert first.drop == pytest.approx(LIQUID, rel=0.5)
    assert first.confidence > 0.99


def test_movement_alone_is_no_gas() -> None:
    for seed, shift in enumerate([(0.0, 0.0, 0.0), (0.5, 0.5, -0.5), (-1.3, 0.2, 2.0)]):
        assert find_gas(sample(10), sample(11 + seed, shift), LIQUID) == ()


def test_what_grows_brighter_is_no_gas() -> None:
    assert find_gas(sample(2, bubble=room()), sample(1), LIQUID) == ()


@pytest.mark.parametrize("shift", [(0.3, -0.45, 0.2), (1.5, 2.2, -1.7)])
def test_volumes_are_registered_below_a_tenth_of_a_voxel(shift) -> None:
    moved, seen = registered(sample(1), sample(2, shift), 0.5)
    still = sample(1, noise=0.0)
    assert float(np.std((moved - still)[seen])) < 1.2 * NOISE


@pytest.mark.parametrize(
    "shift",
    [(-7.0, 0.0, 0.0), (0.0, -7.0, 5.0), (-3.0, 8.0, -8.0), (0.0, 9.0, 0.0), (0.0, 0.0, 12.0)],
)
def test_large_movement_is_no_gas_and_hides_none(shift: tuple[float, float, float]) -> None:
    assert find_gas(sample(20), sample(21, shift), LIQUID) == ()
    at = room()
    found = find_gas(sample(20), sample(22, shift, at), LIQUID)
    assert math.dist((found[0].z, found[0].y, found[0].x), at) < 1.0


def test_what_cannot_be_registered_is_passed_over_and_the_watch_says_why() -> None:
    at, watch = room(), GasWatch(LIQUID)
    watch.take(sample(1))
    assert watch.take(sample(2, bubble=at)) == ()
    assert watch.silent_because == ""
    for wrong in (sample(3)[::-1, ::-1].copy(), np.zeros((32, 48, 48), np.float32)):
        assert watch.take(wrong) == ()
        assert "no gas was sought" in watch.silent_because.lower()
    assert len(watch.take(sample(4, bubble=at))) == 1
    assert watch.silent_because == ""
    noise = np.random.default_rng(1).normal(size=(2, 32, 48, 48)).astype(np.float32)
    with pytest.raises(NotRegistered):
        find_gas(noise[0], noise[1], LIQUID)


def test_one_volume_alone_does_not_alarm() -> None:
    at, watch = room(), GasWatch(LIQUID)
    assert watch.take(sample(1)) == ()
    assert watch.take(sample(2, bubble=at)) == ()
    assert watch.take(sample(3)) == ()
    assert watch.take(sample(4, bubble=at)) == ()
    assert len(watch.take(sample(5, bubble=at))) == 1


def test_a_slice_is_a_volume_of_depth_one() -> None:
    at = room()
    before, after = sample(1), sample(2, bubble=at, radius=5.0)
    row = slice(int(at[0]), int(at[0]) + 1)
    found = find_gas(before[row], after[row], LIQUID, GasSettings(threshold=6.0))
    assert math.dist((found[0].y, found[0].x), at[1:]) < 1.5


def test_a_mask_says_where_gas_can_be() -> None:
    at = room()
    nowhere = np.zeros((32, 48, 48), np.bool_)
    assert find_gas(sample(1), sample(2, bubble=at), LIQUID, mask=nowhere) == ()


def test_chance_falls_with_depth_and_grows_with_the_volume() -> None:
    own = GasSettings()
    assert chance(own.chance_place, 10**6, own) == pytest.approx(1 - math.exp(-1))
    assert chance(9.0, 10**6, own) > chance(10.0, 10**6, own)
    assert chance(9.0, 10**8, own) > chance(9.0, 10**6, own)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="one shape"):
        find_gas(sample(1), sample(2)[1:], LIQUID)
    with pytest.raises(ValueError, match="above zero"):
        find_gas(sample(1), sample(2), 0.0)
    spoilt = sample(2)
    spoilt[3, 3, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        find_gas(sample(1), spoilt, LIQUID)
