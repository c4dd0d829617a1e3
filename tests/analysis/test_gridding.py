"""Gridding: batches, exactness against a direct sum, and detectors of odd or great width."""

import numpy as np
import pytest

from tests.analysis import phantom
from tests.analysis.conftest import SIZE, Scan
from tests.analysis.test_reconstructor import Bench, blob
from voltomo.analysis.gridding import GriddingReconstructor
from voltomo.analysis.gridding_kernels import LANES
from voltomo.analysis.ramp_filter import ramp_gain


def direct_sum(sinogram, angles_deg, axis: float, size: int, length: int) -> np.ndarray:
    """Band-limited filtered back-projection, frequency by frequency, in double precision."""
    frequency = np.fft.fftfreq(length, 1 / length)
    gain = ramp_gain(length) * (2 * np.abs(frequency) != length)
    place = np.arange(size) - (size - 1) / 2
    out = np.zeros((size, size))
    for row, angle in zip(sinogram, np.radians(angles_deg), strict=True):
        spectrum = np.fft.fft(row, length) * gain / length
        u = axis + place[None, :] * np.cos(angle) + place[:, None] * np.sin(angle)
        waves = np.exp(2j * np.pi / length * u[:, :, None] * frequency)
        out += (waves @ spectrum).real
    return out * np.pi / len(angles_deg)


@pytest.mark.parametrize(("columns", "size"), [(48, 40), (45, 45)])
def test_the_grid_stands_for_the_direct_sum(columns: int, size: int) -> None:
    random = np.random.default_rng(5)
    angles_deg = np.arange(12) * 15.0
    sinograms = random.standard_normal((2, 12, columns)).astype(np.float32)
    axis = columns / 2 + 1.3
    backend = GriddingReconstructor()
    backend.prepare(Bench(columns, axis), angles_deg, size)
    slices = backend.recon_slices(sinograms)
    length = 72 if columns == 48 else 70
    place = np.arange(size) - (size - 1) / 2
    inside = place[:, None] ** 2 + place[None, :] ** 2 < (size / 2 - 1) ** 2
    for sinogram, slice_ in zip(sinograms, slices, strict=True):
        expected = direct_sum(sinogram, angles_deg, axis, size, length)
        error = (slice_ - expected)[inside]
        assert np.sqrt(np.mean(error**2)) < 0.01 * expected[inside].std()


def test_every_slice_of_a_volume_is_its_own(scan: Scan) -> None:
    count = LANES + 3
    factors = np.random.default_rng(1).permutation(count).astype(np.float32) - 4
    sinograms = factors[:, None, None] * scan.sinogram
    backend = GriddingReconstructor()
    backend.prepare(Bench(), scan.angles_deg)
    slices = backend.recon_slices(sinograms)
    single = backend.recon_slices(scan.sinogram[None])[0]
    np.testing.assert_allclose(
        slices, factors[:, None, None] * single, atol=2e-5 * np.abs(factors).max()
    )
    # Frames come with the slices second; no copy is asked of the caller.
    frames = np.ascontiguousarray(sinograms.transpose(1, 0, 2))
    np.testing.assert_array_equal(backend.recon_slices(frames.transpose(1, 0, 2)), slices)
    whole: np.ndarray = np.round(sinograms[:2]).astype(np.int16)
    np.testing.assert_array_equal(
        backend.recon_slices(whole), backend.recon_slices(whole.astype(np.float32))
    )


def test_no_slices_give_none() -> None:
    backend = GriddingReconstructor()
    backend.prepare(Bench(64, 31.5), np.arange(90) * 2.0)
    assert backend.recon_slices(np.empty((0, 90, 64), np.float32)).shape == (0, 64, 64)


def test_the_middle_of_a_detector_of_2048_columns_with_an_axis_off_its_middle() -> None:
    angles_deg = np.arange(180) * 1.0
    sinogram, truth = blob(2048, 900.25, 60, angles_deg)
    backend = GriddingReconstructor()
    backend.prepare(Bench(2048, 900.25), angles_deg, 60)
    _, scale, dx, dy = phantom.compare(backend.recon_slices(sinogram[None])[0], truth)
    assert scale == pytest.approx(1.0, abs=0.02)
    assert max(abs(dx), abs(dy)) < 0.05


def test_low_frequencies_are_right() -> None:
    shapes = np.array([[0.1, 0.0, 0.7, 0.7, 0.0, 1.0]])
    angles_deg = np.arange(300) * 0.6
    backend = GriddingReconstructor()
    backend.prepare(Bench(), angles_deg)
    (slice_,) = backend.recon_slices(phantom.sinogram(shapes, SIZE, angles_deg)[None])
    inner = slice_[100:170, 100:170] * SIZE / 2
    assert inner.mean() == pytest.approx(1.0, abs=0.01)
    assert inner.std() < 0.02


def test_an_axis_near_the_end_of_the_row_lets_nothing_in_from_the_other_end() -> None:
    angles_deg = np.arange(360) * 1.0
    sinogram, truth = blob(100, 20.0, 100, angles_deg)
    backend = GriddingReconstructor()
    backend.prepare(Bench(100, 20.0), angles_deg, 100)
    (slice_,) = backend.recon_slices(sinogram[None])
    assert phantom.compare(slice_, truth)[0] < 0.02
