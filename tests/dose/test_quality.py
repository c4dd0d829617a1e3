"""Noise and dose against reference values, and against slices of simulated counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.analysis.sheared_rows import SliceReconstructor
from voltomo.dose.attenuation import mu_total
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.materials import material
from voltomo.dose.quality import (
    SHEARED_ROWS_NOISE,
    Detector,
    dose_for_contrast_Gy,
    noise_per_cm,
    photons_for_contrast,
    projections_for_sampling,
    smallest_voxel_um,
)


def in_water_Gy_cm2(energy_keV: float = 20.0, width_cm: float = 0.1) -> float:
    """Dose in the middle of water for one detected photon per cm2, every photon detected."""
    half = math.exp(mu_total(material("water"), energy_keV) * width_cm / 2)
    return half * dose_per_fluence_Gy_cm2(material("water"), energy_keV)


@pytest.mark.parametrize(
    ("voxel_um", "contrast_per_cm", "dose_Gy"),
    [(1.0, 0.5, 1.51e6), (1.0, 5.0, 15.1e3), (0.5, 5.0, 242e3), (2.0, 0.5, 94.4e3)],
)
def test_dose_for_a_contrast(voxel_um: float, contrast_per_cm: float, dose_Gy: float) -> None:
    computed = dose_for_contrast_Gy(voxel_um, contrast_per_cm, in_water_Gy_cm2())
    assert computed == pytest.approx(dose_Gy, rel=0.01)
    assert smallest_voxel_um(computed, contrast_per_cm, in_water_Gy_cm2()) == pytest.approx(
        voxel_um
    )


def test_photons_for_a_contrast() -> None:
    assert photons_for_contrast(1.0, 0.5) == pytest.approx(8.22e9, rel=0.01)
    assert math.isinf(photons_for_contrast(1.0, 0.0))
    assert math.isinf(noise_per_cm(1.0, 0.0))
    assert math.isinf(smallest_voxel_um(0.0, 0.5, 1e-12))


@given(st.floats(0.1, 20.0), st.floats(0.01, 50.0), st.floats(1.0, 20.0), st.floats(0.3, 1.5))
def test_noise_and_photons_are_inverse(
    voxel_um: float, contrast_per_cm: float, snr: float, factor: float
) -> None:
    photons = photons_for_contrast(voxel_um, contrast_per_cm, snr, factor)
    noise = noise_per_cm(voxel_um, photons, factor)
    assert contrast_per_cm / noise == pytest.approx(snr)


@pytest.mark.parametrize("voxel_um", [2.0, 5.0, 10.0])
@pytest.mark.parametrize("dose_Gy", [30.0, 300.0, 3000.0])
def test_slices_of_simulated_counts_have_the_noise_that_was_planned(
    voxel_um: float, dose_Gy: float
) -> None:
    columns, views = 129, 160
    width_cm = 0.6 * columns * voxel_um * 1e-4
    mu = mu_total(material("water"), 20.0)
    fluence = dose_Gy / dose_per_fluence_Gy_cm2(material("water"), 20.0)
    photons = fluence * (voxel_um * 1e-4) ** 2 / views
    u = (np.arange(columns) - (columns - 1) / 2) * voxel_um * 1e-4
    chord = 2 * np.sqrt(np.maximum((width_cm / 2) ** 2 - u**2, 0.0))
    expected = photons * np.exp(-mu * chord)
    rng = np.random.default_rng(4)
    slices = SliceReconstructor(columns, (columns - 1) / 2)
    for view in range(views):
        counts = np.maximum(rng.poisson(expected), 1)
        slices.add(np.log(expected / counts).astype(np.float32), 180.0 * view / views)
    image = slices.recon() / (voxel_um * 1e-4)
    y, x = np.indices(image.shape) - (columns - 1) / 2
    measured = float(image[np.hypot(x, y) < 0.12 * columns].std())
    through = float(expected.min()) * views
    planned = noise_per_cm(voxel_um, through, SHEARED_ROWS_NOISE)
    assert measured == pytest.approx(planned, rel=0.10)


def test_projections_that_sample() -> None:
    assert projections_for_sampling(1024) == 1609
    assert projections_for_sampling(0.5) == 2


def test_read_noise_makes_many_dark_frames_worth_less() -> None:
    camera = Detector(dqe=0.5, counts_per_photon=2.0, read_noise_counts=6.0)
    assert camera.worth(0.0) == 0.0
    assert camera.worth(9.0) == pytest.approx(4.5)
    assert camera.worth(9e4) == pytest.approx(9e4, rel=1e-3)
    assert 10 * camera.worth(9.0) < camera.worth(90.0)
    assert camera.fewest_photons == pytest.approx(90.0)
    assert camera.most_photons == pytest.approx(0.9 * 65535 / 2)
