"""The slice against the phantom, against another implementation, and against bad input."""

import numpy as np
import pytest
from skimage.transform import iradon

from tests.analysis import phantom
from tests.analysis.conftest import SIZE, VIEWS, Scan
from voltomo.analysis.batch import fbp
from voltomo.analysis.correlation import disc_correlation
from voltomo.analysis.sheared_rows import SliceReconstructor
from voltomo.analysis.weights import angular_weights
from voltomo.model.geometry import Geometry


def test_truth_and_another_implementation_agree_with_the_slice(scan: Scan) -> None:
    own = fbp(scan.sinogram, scan.angles_deg)
    # The other one turns the opposite way; its axis is the middle of an odd number of columns.
    other = iradon(scan.sinogram.T, theta=-scan.angles_deg, filter_name="ramp", circle=True).astype(
        np.float32
    )
    own_rmse, scale, dx, dy = phantom.compare(own, scan.truth)
    other_rmse = phantom.compare(other, scan.truth)[0]
    assert own_rmse <= 1.02 * other_rmse
    assert max(abs(dx), abs(dy)) < 0.05
    assert scale == pytest.approx(1.0, abs=0.05)  # edges of this coarse grid are blurred
    assert disc_correlation(own, other) > 0.995


@pytest.mark.parametrize(("columns", "axis"), [(96, 47.5), (129, 64.0), (200, 83.3), (201, 140.0)])
def test_a_smooth_blob_keeps_scale_and_place_at_any_length_and_axis(
    columns: int, axis: float
) -> None:
    x0, y0, sigma, size = -7.1, 3.3, 4.0, 80
    angles_deg = np.arange(180) * 1.0
    angle = np.radians(angles_deg)[:, None]
    u = np.arange(columns)[None, :] - axis - x0 * np.cos(angle) - y0 * np.sin(angle)
    slice_ = fbp(np.exp(-(u**2) / (2 * sigma**2)).astype(np.float32), angles_deg, axis, size)
    place = np.arange(size) - (size - 1) / 2
    x, y = place[None, :] - x0, place[:, None] - y0
    blob = np.exp(-(x**2 + y**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
    _, scale, dx, dy = phantom.compare(slice_, blob.astype(np.float32))
    assert scale == pytest.approx(1.0, abs=0.02)
    assert max(abs(dx), abs(dy)) < 0.05


@pytest.mark.parametrize(("axis", "at_most"), [(151.0, 1.01), (150.6, 1.12)])
def test_an_axis_off_the_middle_gives_the_same_slice(
    scan: Scan, axis: float, at_most: float
) -> None:
    centred = phantom.compare(fbp(scan.sinogram, scan.angles_deg), scan.truth)[0]
    moved = phantom.sinogram(scan.shapes, SIZE, scan.angles_deg, axis, columns=290)
    rmse, _, dx, dy = phantom.compare(fbp(moved, scan.angles_deg, axis, SIZE), scan.truth)
    assert rmse < at_most * centred
    assert max(abs(dx), abs(dy)) < 0.05


def test_order_and_turn_do_not_matter(scan: Scan) -> None:
    order = np.random.default_rng(0).permutation(VIEWS)
    expected = fbp(scan.sinogram, scan.angles_deg)
    shuffled = fbp(scan.sinogram[order], scan.angles_deg[order] - 720.0)
    np.testing.assert_allclose(shuffled, expected, atol=1e-5)
    opposite = fbp(np.ascontiguousarray(scan.sinogram[:, ::-1]), scan.angles_deg + 180.0)
    np.testing.assert_allclose(opposite, expected, atol=1e-4)


def test_looking_between_two_views_changes_nothing(scan: Scan) -> None:
    reconstructor = SliceReconstructor(SIZE, 128.0)
    for view in range(60):
        reconstructor.add(scan.sinogram[view], float(scan.angles_deg[view]))
        if view % 7 == 0:
            reconstructor.recon()
    direct = fbp(scan.sinogram[:60], scan.angles_deg[:60])
    np.testing.assert_allclose(reconstructor.recon(), direct, atol=1e-6)


def test_a_uniform_disc_is_flat_and_has_its_value() -> None:
    shapes = np.array([[0.0, 0.0, 0.8, 0.8, 0.0, 1.0]])
    angles_deg = np.arange(200) * 0.9
    slice_ = fbp(phantom.sinogram(shapes, 128, angles_deg), angles_deg)
    inner = slice_[44:84, 44:84] * 64
    assert inner.mean() == pytest.approx(1.0, abs=0.02)
    assert inner.std() < 0.02


def test_weights_repair_uneven_angles(scan: Scan) -> None:
    uneven = np.concatenate((np.arange(200) * 0.45, 90 + np.arange(67) * 90 / 67))
    sinogram = phantom.sinogram(scan.shapes, SIZE, uneven)
    equal = phantom.compare(fbp(sinogram, uneven), scan.truth)
    weights = angular_weights(uneven)
    weighted = phantom.compare(fbp(sinogram, uneven, weights_rad=weights), scan.truth)
    assert weighted[0] < 0.7 * equal[0]
    assert weighted[1] == pytest.approx(1.0, abs=0.05)


def test_an_empty_slice_is_zero_and_clear_forgets(scan: Scan) -> None:
    reconstructor = SliceReconstructor(SIZE, 128.0)
    assert not reconstructor.recon().any()
    reconstructor.add(scan.sinogram[0], 0.0, weight_rad=0.1)
    assert reconstructor.views == 1
    reconstructor.clear()
    assert reconstructor.views == 0
    reconstructor.add(scan.sinogram[0], 0.0)
    reconstructor.clear()
    assert not reconstructor.recon().any()


def test_rows_that_cannot_be_used_are_refused_and_leave_the_slice_alone(scan: Scan) -> None:
    reconstructor = SliceReconstructor(SIZE, 128.0)
    reconstructor.add(scan.sinogram[0], 0.0)
    before = reconstructor.recon()
    bad = scan.sinogram[1].copy()
    bad[17] = np.nan
    with pytest.raises(ValueError, match="1 of 257 values that are not finite"):
        reconstructor.add(bad, 1.0)
    with pytest.raises(ValueError, match="one row of 257 columns"):
        reconstructor.add(scan.sinogram[1, :-1], 1.0)
    with pytest.raises(ValueError, match="finite angle"):
        reconstructor.add(scan.sinogram[1], float("nan"))
    with pytest.raises(ValueError, match="one way for a whole slice"):
        reconstructor.add(scan.sinogram[1], 1.0, weight_rad=0.1)
    assert reconstructor.views == 1
    np.testing.assert_array_equal(reconstructor.recon(), before)


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="0 or more"):
        SliceReconstructor(16, 7.5).add(np.ones(16, np.float32), 0.0, weight_rad=-1.0)


@pytest.mark.parametrize(("roll_deg", "tilt_deg", "why"), [(0, 30, "laminography"), (2, 0, "roll")])
def test_geometries_that_one_row_cannot_serve_are_refused(
    roll_deg: float, tilt_deg: float, why: str
) -> None:
    geometry = Geometry(
        rows=4,
        columns=64,
        pixel_um=1.0,
        roll_deg=roll_deg,
        tilt_deg=tilt_deg,
        step_deg=1.0,
        projections=180,
    )
    with pytest.raises(ValueError, match=why):
        SliceReconstructor(64, 31.5).prepare(geometry)


def test_an_axis_off_the_row_is_refused() -> None:
    with pytest.raises(ValueError, match="columns 0 to 63"):
        SliceReconstructor(64, 64.0)


def test_rebuild_needs_one_angle_and_one_weight_a_view() -> None:
    reconstructor = SliceReconstructor(16, 7.5)
    with pytest.raises(ValueError, match="one angle a view"):
        reconstructor.rebuild(np.ones((3, 16), np.float32), [0.0, 1.0])
    with pytest.raises(ValueError, match="one weight a view"):
        reconstructor.rebuild(np.ones((2, 16), np.float32), [0.0, 1.0], [1.0])
    with pytest.raises(ValueError, match="views, columns"):
        fbp(np.ones(16, np.float32), [0.0])


def test_covered_radius_ends_at_the_nearer_end_of_the_row() -> None:
    assert SliceReconstructor(100, 30.0).covered_radius == 30.0
    assert SliceReconstructor(100, 30.0, size=40).covered_radius == 20.0
