"""The phantom: the same from a seed, within the field, and its projections fit its slices."""

import numpy as np
import pytest
from skimage.transform import iradon

from voltomo.twin.phantom import Phantom


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return Phantom.make(seed=5, columns=255, rows=64, pixel_um=2.5, energy_keV=20.0)


def test_a_seed_gives_one_cell() -> None:
    def made(seed: int) -> Phantom:
        return Phantom.make(seed, columns=96, rows=32, pixel_um=5.0, energy_keV=25.0)

    assert np.array_equal(made(1).projection(30)[0], made(1).projection(30)[0])
    assert not np.array_equal(made(1).projection(30)[0], made(2).projection(30)[0])


@pytest.mark.parametrize("energy_keV", [10.0, 20.0, 40.0])
def test_it_lets_light_through_and_stays_in_the_field(energy_keV: float) -> None:
    cell = Phantom.make(seed=1, columns=128, rows=32, pixel_um=4.0, energy_keV=energy_keV)
    for angle_deg in range(0, 180, 15):
        attenuation, path_m = cell.projection(angle_deg)
        assert attenuation.dtype == path_m.dtype == np.float32
        assert attenuation.min() > -1e-6
        assert np.exp(-attenuation.max()) > 0.08
        assert np.abs(attenuation[:, :5]).max() == np.abs(attenuation[:, -5:]).max() == 0


def test_sums_of_a_slice_are_its_projections(phantom: Phantom) -> None:
    truth = phantom.slice_attenuation(30)
    # u = x at 0 deg, u = y at 90 deg; image[y, x].
    for angle_deg, axis in ((0.0, 0), (90.0, 1)):
        line = phantom.projection(angle_deg)[0][30]
        assert np.abs(truth.sum(axis) - line).max() < 0.02
    turned = phantom.projection(180.0)[0][30][::-1]
    assert np.allclose(turned, phantom.projection(0.0)[0][30], atol=1e-4)


def test_projections_reconstruct_to_the_slice(phantom: Phantom) -> None:
    angles_deg = np.arange(360) / 2
    sinogram = np.array([phantom.projection(angle)[0][20] for angle in angles_deg])
    # The other library's y axis points up.
    made = iradon(sinogram.T, theta=angles_deg, circle=True)[::-1]
    truth = phantom.slice_attenuation(20)
    disc = np.hypot(*(np.mgrid[:255, :255] - 127)) < 120
    assert np.corrcoef(made[disc], truth[disc])[0, 1] > 0.97
    assert np.polyfit(truth[disc], made[disc], 1)[0] == pytest.approx(1.0, abs=0.04)


def test_shifts_move_it_over_the_detector(phantom: Phantom) -> None:
    still, moved = phantom.projection(40)[0], phantom.projection(40, 7.0, 3.0)[0]
    assert np.allclose(moved[3:, 7:], still[:-3, :-7], atol=1e-4)
    assert not phantom.projection(40, 300.0)[0].any()
    beside = Phantom.make(5, 255, 64, 2.5, 20.0, axis_column=120.0)
    assert beside.projection(0)[0].any()
