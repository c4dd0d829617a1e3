"""Samples wider than the detector: half acquisition, and rows that end inside the sample."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.analysis import phantom
from voltomo.analysis.batch import fbp
from voltomo.analysis.half_acquisition import HalfAcquisition, check_full_turn
from voltomo.analysis.truncation import continue_rows, fit_ellipse, is_truncated

SIZE = 200
# A homogeneous body with particles in it, off the axis.
BODY = np.concatenate([[[0.05, 0.05, 0.85, 0.75, 0.3, 1.0]], phantom.jelly_roll(120, 5)[16:]])


def _rings(image: NDArray[np.float32], truth: NDArray[np.float32]) -> list[float]:
    """Relative error of the mean in rings from the centre to the edge of a slice."""
    n = len(image)
    axis = np.arange(n) - (n - 1) / 2
    radius = np.hypot(axis[None, :], axis[:, None]) / (n / 2)
    level = float(truth[radius < 0.9].mean())
    edges = np.linspace(0, 0.9, 7)
    return [
        float((image - truth)[(radius >= a) & (radius < b)].mean()) / level
        for a, b in itertools.pairwise(edges)
    ]


@pytest.mark.parametrize("axis", [27.3, 105.75])
def test_half_acquisition_gives_the_whole_sample_without_cupping(axis: float) -> None:
    angles = np.arange(0, 360, 1.0)
    columns = 134
    rows = phantom.sinogram(BODY, SIZE, angles, axis, columns)
    half = HalfAcquisition(columns, axis)
    wide = half.widen(rows)
    assert wide.shape == (360, half.wide_columns)
    image = fbp(wide, angles, half.wide_axis_column, SIZE)
    truth = phantom.image(BODY, SIZE)
    assert max(map(abs, _rings(image, truth))) < 0.02
    whole = fbp(phantom.sinogram(BODY, SIZE, angles), angles)
    error, scale, dx, dy = phantom.compare(image, truth, 0.8)
    best_error, best_scale, _, _ = phantom.compare(whole, truth, 0.8)
    assert error < 1.1 * best_error
    assert scale == pytest.approx(best_scale, abs=0.01)
    assert abs(dx) < 0.05
    assert abs(dy) < 0.05


def test_the_two_weights_of_a_line_add_up() -> None:
    half = HalfAcquisition(101, 20.0)
    weights = half.weights()
    np.testing.assert_allclose(weights[:41] + weights[40::-1], 2, atol=1e-6)
    np.testing.assert_array_equal(weights[41:], 2)
    assert half.wide_axis_column == (half.wide_columns - 1) / 2


def test_half_acquisition_refuses_what_it_cannot_stitch() -> None:
    with pytest.raises(ValueError, match="they share 2"):
        HalfAcquisition(100, 1.0)
    with pytest.raises(ValueError, match="have 99"):
        HalfAcquisition(100, 20.0).widen(np.zeros((3, 99), np.float32))
    check_full_turn(np.arange(1, 360, 2.0))
    with pytest.raises(ValueError, match="one of 181"):
        check_full_turn(np.arange(180.0))


@pytest.mark.parametrize("columns", [100, 140])
def test_truncated_rows_give_a_slice_without_cupping(columns: int) -> None:
    angles = np.arange(0, 180, 0.9)
    axis = (columns - 1) / 2
    rows = phantom.sinogram(BODY, SIZE, angles, axis, columns)
    random = np.random.default_rng(1)
    rows += random.normal(0, 0.01, rows.shape).astype(np.float32)
    assert is_truncated(rows)
    added = 3 * columns // 2
    ellipse = fit_ellipse(rows, angles, axis)
    wide = continue_rows(rows, angles, axis, ellipse, added)
    np.testing.assert_array_equal(wide[:, added:-added], rows)
    image = fbp(wide, angles, axis + added, columns)
    from_edge = (SIZE - columns) // 2
    truth = phantom.image(BODY, SIZE)[from_edge : SIZE - from_edge, from_edge : SIZE - from_edge]
    errors = _rings(image, truth)
    assert max(map(abs, errors)) < 0.02
    by_edge = np.pad(rows, ((0, 0), (added, added)), mode="edge")
    worse = _rings(fbp(by_edge, angles, axis + added, columns), truth)
    assert max(map(abs, errors)) < 0.2 * max(map(abs, worse))


def test_whole_rows_are_not_called_truncated() -> None:
    angles = np.arange(0, 180, 3.0)
    rows = phantom.sinogram(BODY, SIZE, angles)
    noise = np.random.default_rng(2).normal(0, 0.02, rows.shape)
    assert not is_truncated((rows + noise).astype(np.float32))


def test_air_cannot_be_continued() -> None:
    with pytest.raises(ValueError, match="hold no sample"):
        fit_ellipse(np.zeros((10, 32), np.float32), np.arange(10.0), 15.5)
    with pytest.raises(ValueError, match="one angle a view"):
        fit_ellipse(np.ones((10, 32), np.float32), np.arange(9.0), 15.5)
