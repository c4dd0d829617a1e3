"""Paganin's filter on an object that bends the beam far more than it dims it."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from voltomo.analysis.phase import Paganin, wavelength_m

ENERGY_KEV, PIXEL_UM, DISTANCE_M = 20.0, 0.5, 0.05
DELTA, BETA = 6.7e-7, 3.6e-10  # a polymer at 20 keV
DELTA_OVER_BETA = DELTA / BETA
PER_UM = 4 * math.pi * BETA / (wavelength_m(ENERGY_KEV) * 1e6)
SIZE = 256


def _ball_um(diameter: float = 80) -> NDArray[np.float64]:
    x = (np.arange(SIZE) - (SIZE - 1) / 2) * PIXEL_UM
    radius2 = x[None, :] ** 2 + x[:, None] ** 2
    return 2 * np.sqrt(np.maximum((diameter / 2) ** 2 - radius2, 0))


def _propagated(thickness_um: NDArray[np.float64]) -> NDArray[np.float32]:
    """Intensity behind the object, by the Fresnel propagator."""
    wave = wavelength_m(ENERGY_KEV)
    exponent = 2 * math.pi / wave * 1e-6 * thickness_um * (-1j * DELTA - BETA)
    f = np.fft.fftfreq(SIZE, 1e-6 * PIXEL_UM)
    fresnel = np.exp(-1j * math.pi * wave * DISTANCE_M * (f[None, :] ** 2 + f[:, None] ** 2))
    field = np.fft.ifft2(np.fft.fft2(np.exp(exponent)) * fresnel)
    return (np.abs(field) ** 2).astype(np.float32)


def test_the_thickness_of_a_phase_object_is_recovered() -> None:
    intensity = _propagated(_ball_um())
    # Fringes, far beyond what absorption does (0.3 %).
    assert np.ptp(intensity) > 0.5
    phase = Paganin(DELTA_OVER_BETA, DISTANCE_M, ENERGY_KEV, PIXEL_UM)
    thickness = phase.line_integrals(intensity) / PER_UM
    middle = slice(SIZE // 2 - 4, SIZE // 2 + 4)
    assert thickness[middle, middle].mean() == pytest.approx(80, rel=0.01)
    x = (np.arange(SIZE) - (SIZE - 1) / 2) * PIXEL_UM
    inside = x[None, :] ** 2 + x[:, None] ** 2 < 30**2
    assert float(np.sqrt(np.mean((thickness - _ball_um())[inside] ** 2))) < 0.8


def test_a_part_of_the_frame_with_its_halo_gives_the_same() -> None:
    intensity = _propagated(_ball_um(40))
    phase = Paganin(200, 0.02, ENERGY_KEV, 1.0)
    halo = phase.halo_pixels
    assert 0 < halo < 60
    whole = phase.line_integrals(intensity)
    part = phase.line_integrals(intensity[None, 120 - halo : 136 + halo])[0, halo:-halo]
    np.testing.assert_allclose(part, whole[120:136], atol=0.01 * float(whole.max()))


def test_flat_frames_stay_flat_and_bad_ones_are_refused() -> None:
    phase = Paganin(100, 0.1, ENERGY_KEV, PIXEL_UM)
    half = np.full((3, 20, 30), 0.5, np.float32)
    np.testing.assert_allclose(phase.line_integrals(half), math.log(2), rtol=1e-5)
    half[1, 2, 3] = np.nan
    with pytest.raises(ValueError, match="above zero in every pixel"):
        phase.line_integrals(half)
    with pytest.raises(ValueError, match="above zero; they are"):
        Paganin(0, 0.1, ENERGY_KEV, PIXEL_UM)
