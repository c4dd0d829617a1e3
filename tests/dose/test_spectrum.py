"""Mono and pink beams, and what windows and attenuators make of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import kv

from voltomo.dose.attenuation import mass_energy_absorption, mu_total
from voltomo.dose.dose_rate import JOULE_PER_KEV, Layer
from voltomo.dose.materials import material
from voltomo.dose.spectrum import Spectrum, bending_magnet, gaussian_band, mono, tabulated
from voltomo.dose.stopping import stopping_ratio


def test_a_mono_beam_behind_layers() -> None:
    plate = Layer(material("Al"), 0.2)
    behind = mono(20.0, 1e12).behind([plate, plate])
    assert behind.total_per_cm2_s == pytest.approx(
        1e12 * math.exp(-mu_total(plate.material, 20.0) * 0.4)
    )
    assert behind.mean_keV == 20.0
    assert mono(20.0, 1e12).power_W_cm2 == pytest.approx(1e12 * 20 * JOULE_PER_KEV)


def test_attenuators_harden_a_pink_beam() -> None:
    pink = bending_magnet(20.0, 1e15)
    assert pink.total_per_cm2_s == pytest.approx(1e15)
    hard = pink.behind([Layer(material("Al"), 0.2)])
    harder = pink.behind([Layer(material("Al"), 0.2), Layer(material("Cu"), 0.01)])
    assert pink.mean_keV < hard.mean_keV < harder.mean_keV
    assert pink.total_per_cm2_s > hard.total_per_cm2_s > harder.total_per_cm2_s
    assert harder.scaled_to(1e15).mean_keV == pytest.approx(harder.mean_keV)


def test_the_bending_magnet_is_schwingers() -> None:
    def per_keV(energy: float) -> float:
        return (energy / 20) ** 2 * kv(2 / 3, energy / 40) ** 2 / energy

    photons, _ = quad(per_keV, 1, 100)
    power, _ = quad(lambda e: e * per_keV(e), 1, 100)
    assert bending_magnet(20.0, 1.0).mean_keV == pytest.approx(power / photons, rel=2e-3)


def test_dose_of_a_filtered_pink_beam_needs_no_finer_bins() -> None:
    def dose(energy: np.ndarray) -> float:
        form = (energy / 20) ** 2 * kv(2 / 3, energy / 40) ** 2 / energy
        beam = tabulated(energy, form).behind([Layer(material("Al"), 0.1)])
        nmc = mass_energy_absorption(material("NMC811"), energy)
        return float((beam.flux_per_cm2_s * energy * nmc).sum())

    coarse, fine = np.geomspace(1, 100, 160), np.geomspace(1, 100, 8000)
    assert dose(coarse) == pytest.approx(dose(fine), rel=5e-3)


def test_a_band_has_its_middle_and_its_flux() -> None:
    band = gaussian_band(25.0, 0.5, 1e13)
    assert band.mean_keV == pytest.approx(25.0)
    assert band.total_per_cm2_s == pytest.approx(1e13)
    above = band.flux_per_cm2_s > band.flux_per_cm2_s.max() / 2
    width = float(np.ptp(band.energy_keV[above]))
    assert width == pytest.approx(0.5, rel=0.1)
    cut = gaussian_band(1.2, 0.5, 1e13)
    assert cut.energy_keV[0] >= 1.0


@pytest.mark.parametrize(
    ("energy", "flux", "says"),
    [
        ([20_000.0], [1.0], "Is the unit keV"),
        ([20.0, 10.0], [1.0, 1.0], "must ascend"),
        ([20.0], [-1.0], "finite number, zero or more"),
        ([20.0], [math.nan], "finite number, zero or more"),
        ([10.0, 20.0], [1.0], "one flux for each energy"),
        ([], [], "at least one"),
    ],
)
def test_impossible_spectra_are_refused(energy: list[float], flux: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Spectrum(np.array(energy), np.array(flux))


def test_impossible_sources_are_refused() -> None:
    with pytest.raises(ValueError, match="critical energy"):
        bending_magnet(0.0, 1e12)
    with pytest.raises(ValueError, match="width of a band"):
        gaussian_band(20.0, 0.0, 1e12)
    with pytest.raises(ValueError, match="two energies or more"):
        tabulated(np.array([20.0]), np.array([1.0]))
    with pytest.raises(ValueError, match="nothing of the beam is left"):
        mono(20.0, 0.0).scaled_to(1e12)
    with pytest.raises(ValueError, match="zero or more"):
        mono(20.0, 1.0).scaled_to(-1.0)


# Mass collision stopping powers at 10 keV in MeV cm2/g, tabulated (ESTAR).
@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("water", "copper", 22.56 / 13.18), ("graphite", "aluminium", 20.15 / 16.49)],
)
def test_stopping_ratios_agree_with_tables(one: str, other: str, ratio: float) -> None:
    computed = stopping_ratio(material(one), material(other), 10.0)
    assert computed == pytest.approx(ratio, rel=0.03)


def test_stopping_ratio_of_a_material_to_itself() -> None:
    assert stopping_ratio(material("EC"), material("EC"), 5.0) == 1.0
    assert 1.2 < stopping_ratio(material("electrolyte"), material("NMC811"), 10.0) < 1.6
