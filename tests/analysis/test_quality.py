"""Figures of quality, likeness of slices, and the warm-up."""

from typing import Any

import numpy as np
import pytest

from tests.analysis import phantom
from tests.analysis.conftest import Scan
from tests.analysis.solids import Bench
from voltomo.analysis import (
    normalise,
    plane_kernels,
    resampling,
    sheared_kernels,
    volume_kernels,
    zingers,
)
from voltomo.analysis.batch import fbp
from voltomo.analysis.correlation import disc_correlation
from voltomo.analysis.disc import disc
from voltomo.analysis.plane import Plane
from voltomo.analysis.planes import PlaneReconstructor
from voltomo.analysis.quality import noise_sigma, row_fault, snr
from voltomo.analysis.volume import VolumeReconstructor
from voltomo.analysis.volume_plan import plan_volume
from voltomo.analysis.warmup import warm_up


def test_noise_of_a_slice_is_measured_in_spite_of_edges(scan: Scan) -> None:
    random = np.random.default_rng(4)
    noise = random.normal(0, 0.01, scan.sinogram.shape).astype(np.float32)
    alone = float(fbp(noise, scan.angles_deg)[disc(257)].std())
    disc_only = phantom.sinogram(np.array([[0.0, 0.0, 0.7, 0.6, 0.0, 1.0]]), 257, scan.angles_deg)
    noisy = fbp(disc_only + noise, scan.angles_deg)
    assert noise_sigma(noisy) == pytest.approx(alone, rel=0.1)


def test_snr_grows_with_the_root_of_the_counts(scan: Scan) -> None:
    random = np.random.default_rng(3)
    plain = phantom.sinogram(np.array([[0.0, 0.0, 0.9, 0.9, 0.0, 1.0]]), 257, scan.angles_deg)
    noise = random.normal(0, 1, plain.shape).astype(np.float32)
    few = snr(fbp((plain + 0.02 * noise).astype(np.float32), scan.angles_deg))
    many = snr(fbp((plain + 0.01 * noise).astype(np.float32), scan.angles_deg))
    assert many / few == pytest.approx(2.0, rel=0.1)


def test_limits_of_snr() -> None:
    assert snr(np.zeros((16, 16), np.float32)) == 0.0
    assert snr(np.ones((16, 16), np.float32)) == np.inf
    with pytest.raises(ValueError, match="square"):
        snr(np.ones((16, 17), np.float32))
    with pytest.raises(ValueError, match="selects no pixel"):
        snr(np.ones((16, 16), np.float32), np.zeros((16, 16), bool))
    with pytest.raises(ValueError, match="shape of the slice"):
        snr(np.ones((16, 16), np.float32), np.ones((8, 8), bool))


def test_row_faults_are_named() -> None:
    row = np.linspace(0, 1, 64, dtype=np.float32)
    assert row_fault(row) is None
    assert "not finite" in str(row_fault(row + np.float32(np.inf)))
    assert "frozen camera" in str(row_fault(np.ones(64, np.float32)))
    dark = np.where(np.arange(64) < 50, np.float32(11.52), row)
    assert "shutter" in str(row_fault(dark.astype(np.float32)))


def test_a_frame_without_beam_never_gets_into_a_slice() -> None:
    random = np.random.default_rng(2)
    flat, dark = np.full(256, 2e4, np.float32), np.full(256, 100.0, np.float32)
    for noise in (1.0, 3.0, 10.0):
        for _ in range(200):
            counts = np.round(random.normal(100.0, noise, 256)).clip(0).astype(np.uint16)
            assert row_fault(normalise.line_integrals(counts, flat, dark)) is not None


def test_a_row_with_much_metal_is_used() -> None:
    random = np.random.default_rng(2)
    flat, dark = np.full(256, 2e4, np.float32), np.full(256, 100.0, np.float32)
    mean = np.where(np.arange(256) < 110, 0.0, 1e3) + 100.0
    counts = random.normal(mean, 3.0).clip(0).astype(np.uint16)
    assert row_fault(normalise.line_integrals(counts, flat, dark)) is None


def test_correlation_sees_likeness_up_to_scale(scan: Scan) -> None:
    assert disc_correlation(scan.truth, 3 * scan.truth + 1) == pytest.approx(1.0, abs=1e-6)
    assert disc_correlation(scan.truth, -scan.truth) == pytest.approx(-1.0, abs=1e-6)
    corner = scan.truth.copy()
    corner[0, 0] = 1e6
    assert disc_correlation(scan.truth, corner) == pytest.approx(1.0, abs=1e-6)
    with pytest.raises(ValueError, match="one size"):
        disc_correlation(scan.truth, scan.truth[1:])
    with pytest.raises(ValueError, match="constant"):
        disc_correlation(scan.truth, np.zeros_like(scan.truth))
    with pytest.raises(ValueError, match="not finite"):
        disc_correlation(scan.truth, np.full_like(scan.truth, np.nan))


def test_a_disc_must_fit() -> None:
    assert disc(9, 1.0).sum() == 69
    assert not disc(9, 1.0)[0, 0]
    with pytest.raises(ValueError, match="radius"):
        disc(9, 1.2)


def test_warm_up_leaves_nothing_to_compile() -> None:
    kernels: list[Any] = [
        sheared_kernels.back_project,
        sheared_kernels.join,
        normalise.transmit,
        zingers.clean_stack,
    ]
    kernels += [volume_kernels.lay_runs, volume_kernels.back_project_tiles]
    kernels += [plane_kernels.add_to_plane, volume_kernels.copy_planes]
    kernels += [resampling.bin_frame, resampling.turn_frame]
    warm_up()
    before = [list(kernel.signatures) for kernel in kernels]
    assert all(before)
    counts = np.random.default_rng(0).integers(50, 900, (10, 33)).astype(np.uint16)
    integrals = normalise.line_integrals(counts, np.full_like(counts, 1000), counts // 10)
    fbp(integrals, np.arange(10) * 18.0, 14.2)
    zingers.remove_zingers(counts[None])
    bench = Bench(33, 33, 14.2, 20.0, 1.0)
    volume = VolumeReconstructor(bench, plan_volume(bench, binning=2, threads=2))
    volume.add(np.ones((33, 33), np.float32), 10)
    volume.recon()
    planes = PlaneReconstructor(bench, {}, 300, 300_000)
    planes.add(np.ones((33, 33), np.float32), 10, 0.1)
    planes.move("a", Plane(5, 6))
    assert before == [list(kernel.signatures) for kernel in kernels]
