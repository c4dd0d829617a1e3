"""The rotation axis from opposite projections."""

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.analysis import phantom
from voltomo.analysis.axis import axis_from_opposite, axis_from_views, opposite_views

SHAPES = phantom.jelly_roll(particles=40, seed=8)


def _pair(axis: float, columns: int, counts: float, seed: int = 0) -> list[NDArray[np.float32]]:
    """Two rows, half a turn apart, with the noise of that many counts."""
    angles = np.array([20.0, 200.0])
    integrals = phantom.sinogram(SHAPES, 400, angles, axis, columns)
    random = np.random.default_rng(seed)
    two_rows = np.stack([integrals, 0.7 * integrals], axis=1)
    seen = random.poisson(counts * np.exp(-two_rows)) + 0.5
    return list((-np.log(seen / counts)).astype(np.float32))


@pytest.mark.parametrize(("columns", "axis"), [(640, 296.0), (512, 255.5), (500, 262.37)])
def test_the_axis_is_found_from_two_noisy_rows(columns: int, axis: float) -> None:
    found, sigma = axis_from_opposite(*_pair(axis, columns, 10000))
    assert abs(found - axis) < max(5 * sigma, 0.02)
    assert sigma < 0.1


def test_sigma_is_about_the_scatter_of_repeated_measurements() -> None:
    results = [axis_from_opposite(*_pair(250.3, 512, 2000, seed)) for seed in range(30)]
    scatter = np.std([found for found, _ in results])
    promised = np.mean([sigma for _, sigma in results])
    assert scatter / 3 < promised < 3 * scatter


def test_a_sample_wider_than_the_detector_still_shows_its_axis() -> None:
    found, _ = axis_from_opposite(*_pair(140.0, 300, 10000))
    assert found == pytest.approx(140.0, abs=0.3)


def test_a_scan_that_ends_one_step_early_gives_the_same_axis() -> None:
    angles = np.arange(180.0)
    sinogram = phantom.sinogram(SHAPES, 400, angles, 210.0, 440)
    found, _ = axis_from_views(sinogram[:, None, :], angles)
    assert found == pytest.approx(210.0, abs=0.1)
    naive, _ = axis_from_opposite(sinogram[0], sinogram[-1])
    assert abs(found - 210.0) < abs(naive - 210.0)


def test_three_views_are_enough() -> None:
    rng = np.random.default_rng(4)
    angles = np.arange(90) * 2.0 + 1.0
    views = rng.normal(size=(90, 2, 64)).cumsum(axis=2).astype(np.float32)
    views[89] = views[0][:, ::-1]
    views[88] = views[89]
    needed = opposite_views(angles)
    assert needed.tolist() == [0, 89, 88]
    assert axis_from_views(views[needed], angles[needed]) == axis_from_views(views, angles)
    with pytest.raises(ValueError, match="Give the axis by hand"):
        opposite_views(angles[:80])


def test_a_full_turn_uses_the_opposite_view() -> None:
    angles = np.arange(0.0, 360.0, 3.0)
    sinogram = phantom.sinogram(SHAPES, 400, angles, 210.4, 440)
    assert axis_from_views(sinogram, angles)[0] == pytest.approx(210.4, abs=0.02)


def test_what_cannot_be_matched_is_refused() -> None:
    flat = np.zeros((2, 64), np.float32)
    ramp = np.tile(np.arange(64, dtype=np.float32), (2, 1))
    with pytest.raises(ValueError, match="no sample"):
        axis_from_opposite(flat, flat)
    with pytest.raises(ValueError, match="one shape"):
        axis_from_opposite(ramp, ramp[:1])
    with pytest.raises(ValueError, match="not finite"):
        axis_from_opposite(ramp, ramp * np.float32(np.nan))
    with pytest.raises(ValueError, match="within 2 deg of the opposite"):
        axis_from_views(np.stack([ramp] * 4), [0.0, 30.0, 60.0, 90.0])
    with pytest.raises(ValueError, match="three or more views"):
        axis_from_views(np.stack([ramp] * 2), [0.0, 180.0])
