"""Measures of quality: the number, its interval, and what must not change it."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from tests.analysis import phantom
from tests.analysis.balls import Stage, in_cylinder, project, seen
from voltomo.analysis.axis_search import AxisFound
from voltomo.analysis.batch import fbp
from voltomo.analysis.measure import Measure
from voltomo.analysis.measures import axis_error, ring_strength, sharpness, snr_measure
from voltomo.analysis.missing_cone import missing_cone
from voltomo.analysis.motion import motion_between, motion_in_scan
from voltomo.analysis.polar import Circles
from voltomo.analysis.resolution import (
    frc_resolution,
    fsc_resolution,
    resolution_of,
    shell_correlation,
)
from voltomo.analysis.ring_spectrum import RingSpectrum

Image = NDArray[np.float32]
SIZE, VIEWS = 160, 240
ANGLES = np.arange(VIEWS) * 180 / VIEWS
BODY = np.concatenate([[[0.05, 0.05, 0.85, 0.75, 0.3, 1.0]], phantom.jelly_roll(200, 5)[16:]])
CLEAN = phantom.sinogram(BODY, SIZE, ANGLES)


def _rows(noise: float, rings: float = 0.0, blur: float = 0.0, seed: int = 1) -> Image:
    random = np.random.default_rng(seed)
    rows = gaussian_filter1d(CLEAN, blur, axis=1) if blur else CLEAN
    rows = rows + random.normal(0, noise, rows.shape) + rings * random.normal(0, 1, SIZE)
    return np.asarray(rows, np.float32)


def _halves(rows: Image) -> tuple[Image, Image]:
    return fbp(rows[::2], ANGLES[::2]), fbp(rows[1::2], ANGLES[1::2])


def test_resolution_follows_noise_and_blur() -> None:
    fine = frc_resolution(*_halves(_rows(0.02)))
    noisy = frc_resolution(*_halves(_rows(0.08)))
    blurred = frc_resolution(*_halves(_rows(0.02, blur=2)))
    assert 2 <= fine.value < 0.8 * noisy.value
    assert fine.value < 0.7 * blurred.value
    for found in (fine, noisy, blurred):
        assert found.low <= found.value <= found.high
    halves = _halves(_rows(0.02))
    assert frc_resolution(*halves, pixel_um=0.5).value == pytest.approx(fine.value / 2)
    assert frc_resolution(*halves, pixel_um=0.5).unit == "um"


def test_the_interval_of_the_resolution_holds_other_noise() -> None:
    found = [frc_resolution(*_halves(_rows(0.06, seed=seed))) for seed in range(6)]
    middle = float(np.median([one.value for one in found]))
    assert sum(one.low <= middle <= one.high for one in found) >= 5


def test_rings_are_not_taken_for_detail() -> None:
    true = frc_resolution(*_halves(_rows(0.05)))
    halves = _halves(_rows(0.05, rings=0.03))
    naive = resolution_of(shell_correlation(*halves))
    assert naive.value < 0.85 * true.value
    assert frc_resolution(*halves).value == pytest.approx(true.value, rel=0.1)


@pytest.mark.parametrize("turn_deg", [180.0, 360.0])
@pytest.mark.parametrize("start_deg", [0.0, 70.0])
def test_strong_rings_do_not_make_a_slice_finer(turn_deg: float, start_deg: float) -> None:
    angles = start_deg + np.arange(VIEWS) * turn_deg / VIEWS
    clean = phantom.sinogram(BODY, SIZE, angles)
    for seed in range(2):
        random = np.random.default_rng(seed)
        noisy = clean + random.normal(0, 0.05, clean.shape)
        ringed = noisy + 0.15 * random.normal(0, 1, SIZE)
        found: list[float] = []
        for rows in (noisy, ringed):
            halves = [fbp(rows[i::2].astype(np.float32), angles[i::2]) for i in (0, 1)]
            found.append(frc_resolution(halves[0], halves[1], start_deg).value)
        assert found[1] == pytest.approx(found[0], rel=0.03)


def test_what_is_taken_for_rings_is_little_of_the_sample() -> None:
    rings = RingSpectrum(SIZE)
    particles = fbp(phantom.sinogram(BODY[1:], SIZE, ANGLES), ANGLES)
    kept = shell_correlation(rings.without_rings(particles), particles)
    assert kept.correlation[10:-1].min() > 0.8
    assert kept.correlation[10:-1].mean() > 0.97
    columns = np.random.default_rng(1).normal(0, 1, SIZE)
    ringed = fbp(np.tile(columns, (VIEWS, 1)).astype(np.float32), ANGLES)
    left, before = (
        shell_correlation(one, one).shared_power[2:-2].sum()
        for one in (rings.without_rings(ringed), ringed)
    )
    assert left < 0.05 * before
    with pytest.raises(ValueError, match="slices of 160"):
        rings.without_rings(ringed[:100, :100])
    with pytest.raises(ValueError, match="16 pixels"):
        RingSpectrum(8)


def test_shells_of_volumes_are_those_of_slices() -> None:
    random = np.random.default_rng(2)
    size = 48
    signal = gaussian_filter(random.normal(size=(size,) * 3), 2.0) * 10
    halves = [np.asarray(signal + random.normal(0, 1.0, signal.shape), np.float32) for _ in "ab"]
    curve = shell_correlation(halves[0], halves[1])
    assert curve.correlation[2:4].min() > 0.9
    assert abs(curve.correlation[-6:]).max() < 0.3
    # Signal and noise are known, and so is where their correlation falls below the threshold.
    power = (10 * np.exp(-2 * (np.pi * curve.frequency * 2.0) ** 2)) ** 2
    expected = power / (power + 1)
    near = (expected > 0.2) & (expected < 0.9)
    assert abs(curve.correlation - expected)[near].max() < 0.15
    found = fsc_resolution(halves[0], halves[1])
    crossing = 1 / float(np.interp(0, (curve.half_bit - expected)[2:], curve.frequency[2:]))
    assert found.value == pytest.approx(crossing, rel=0.15)
    assert found.metric == "fsc_resolution"


def test_halves_of_noise_alone_resolve_nothing_and_equal_ones_all() -> None:
    random = np.random.default_rng(3)
    noise = [random.normal(size=(64, 64)).astype(np.float32) for _ in range(2)]
    assert resolution_of(shell_correlation(noise[0], noise[1])).value > 10
    assert resolution_of(shell_correlation(noise[0], noise[0])).value == 2
    with pytest.raises(ValueError, match="one square slice"):
        shell_correlation(noise[0], noise[1][:32])
    with pytest.raises(ValueError, match="constant"):
        shell_correlation(noise[0], np.ones((64, 64), np.float32))
    with pytest.raises(ValueError, match="not finite"):
        shell_correlation(noise[0], np.full((64, 64), np.nan, np.float32))


def test_snr_has_an_interval_that_holds_it() -> None:
    plain = phantom.sinogram(np.array([[0.0, 0.0, 0.9, 0.9, 0.0, 1.0]]), SIZE, ANGLES)
    found: list[Measure] = []
    for seed in range(6):
        noise = np.random.default_rng(seed).normal(0, 0.02, plain.shape)
        found.append(snr_measure(fbp((plain + noise).astype(np.float32), ANGLES)))
    middle = float(np.median([one.value for one in found]))
    assert sum(one.low <= middle <= one.high for one in found) >= 5
    assert snr_measure(np.zeros((16, 16), np.float32)).value == 0
    assert str(found[0]).startswith("snr ")


def test_sharpness_falls_with_blur_and_not_with_noise() -> None:
    sharp, noisy = sharpness(*_halves(_rows(0.01))), sharpness(*_halves(_rows(0.05)))
    blurred = sharpness(*_halves(_rows(0.01, blur=1)))
    assert noisy.low <= sharp.value <= noisy.high
    assert blurred.high < 0.9 * sharp.low


def test_ring_strength_counts_rings_and_not_noise() -> None:
    none = ring_strength(fbp(_rows(0.05), ANGLES))
    some = ring_strength(fbp(_rows(0.02, rings=0.02), ANGLES))
    noisy = ring_strength(fbp(_rows(0.05, rings=0.02), ANGLES))
    more = ring_strength(fbp(_rows(0.02, rings=0.04), ANGLES))
    assert none.low < 0.2 * some.value
    assert noisy.value == pytest.approx(some.value, rel=0.2)
    assert more.value == pytest.approx(2 * some.value, rel=0.2)
    assert some.low < some.value < some.high
    cleaned = Circles(SIZE).without_rings(fbp(_rows(0.02, rings=0.04), ANGLES))
    assert ring_strength(cleaned).value < 0.2 * more.value
    with pytest.raises(ValueError, match="16 pixels"):
        Circles(8)


def test_motion_in_a_scan_is_told_from_noise() -> None:
    angles = np.arange(60) * 6.0
    stage = Stage(20, 128, 63.2)
    balls = in_cylinder(50, 30, 25)
    still = motion_in_scan(seen(project(balls, stage, angles), 1e4), angles)
    drift = np.linspace(0, 1.2, 60)
    moving = motion_in_scan(seen(project(balls, stage, angles, drift), 1e4), angles)
    assert still.low == 0
    assert still.value < 0.05
    # A drift of 1.2 columns has .35 about its mean, of which the circle takes a part.
    assert moving.low > 0.05
    assert 0.08 < moving.value < 0.35


def test_motion_between_slices_is_measured_below_a_pixel() -> None:
    shapes = BODY.copy()
    shapes[:, 0] += 2 * 0.7 / SIZE
    shapes[:, 1] -= 2 * 1.3 / SIZE
    moved = phantom.sinogram(shapes, SIZE, ANGLES)
    noise = np.random.default_rng(5).normal(0, 0.03, moved.shape)
    measure, shift = motion_between(
        fbp(_rows(0.03), ANGLES), fbp((moved + noise).astype(np.float32), ANGLES)
    )
    assert shift == pytest.approx((-1.3, 0.7), abs=0.05)
    assert measure.low < math.hypot(1.3, 0.7) < measure.high
    same, _ = motion_between(fbp(_rows(0.03), ANGLES), fbp(_rows(0.03, seed=9), ANGLES))
    assert same.low == 0
    with pytest.raises(ValueError, match="no edges"):
        motion_between(np.ones((32, 32), np.float32), np.ones((32, 32), np.float32))


def test_the_error_of_the_axis_has_the_deviation_of_what_was_found() -> None:
    measure = axis_error(AxisFound(100.0, 0.05), 100.3)
    assert measure.value == pytest.approx(0.3)
    assert (measure.low, measure.high) == pytest.approx((0.202, 0.398))


@pytest.mark.parametrize("tilt", [0.0, 10.0, 30.0, 45.0])
def test_the_missing_cone_is_that_of_geometry(tilt: float) -> None:
    true = 1 - math.cos(math.radians(tilt))
    found = missing_cone(tilt, np.arange(0, 360, 2.0), 0.5)
    assert found.value == pytest.approx(true, abs=0.003)
    assert found.low <= true <= found.high


def test_a_missing_wedge_counts_too() -> None:
    wedge = missing_cone(0, np.arange(0, 120, 1.0))
    assert wedge.value == pytest.approx(50 / 180, abs=0.02)  # 60 deg, less half a step each side
    assert missing_cone(30, np.arange(0, 180, 1.0)).value > missing_cone(30, np.arange(360)).value
    with pytest.raises(ValueError, match="between 0 and 90"):
        missing_cone(90, [0, 1])
