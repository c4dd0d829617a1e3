"""Dose rates against reference values, and conservation of energy in any stack of layers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltomo.dose.attenuation import EnergyRangeError, mass_energy_absorption, mu_total
from voltomo.dose.dose_rate import (
    Layer,
    absorbed_bound_Gy_s,
    dose_per_fluence_Gy_cm2,
    dose_rate_Gy_s,
    layer_dose_rates_Gy_s,
    slab_mean_factor,
    transmission,
)
from voltomo.dose.materials import Material, material, material_names

FLUX_PER_CM2_S = 1e14
JOULE_PER_KEV = 1.602176634e-16

# Entrance dose rates in Gy/s at 1e14 photons/(cm2 s).
ENTRANCE = [
    ("water", 20, 176.45),
    ("water", 60, 30.67),
    ("aluminium", 30, 422.5),
    ("copper", 30, 4475.6),
    ("graphite", 20, 71.74),
    ("EC", 20, 137.5),
    ("PVDF", 20, 194.4),
    ("LCO", 20, 4706),
    ("NMC811", 25, 3468),
    ("NMC811", 8.4, 17_510),
]
# Thickness in cm, mean rate and energy bound in Gy/s, at 20 keV.
SLABS = [
    ("water", 0.1, 169.5, 249.3),
    ("copper", 0.001, 7645, 9344),
    ("aluminium", 0.01, 947.8, 1053.2),
]

layers_of_anything = st.lists(
    st.builds(
        Layer,
        st.sampled_from(material_names()).map(material),
        st.floats(0.0, 1.0) | st.floats(1e-6, 1e-2),
    ),
    min_size=1,
    max_size=8,
)


@pytest.mark.parametrize(("name", "energy_keV", "expected_Gy_s"), ENTRANCE)
def test_entrance_rates(name: str, energy_keV: float, expected_Gy_s: float) -> None:
    rate_Gy_s = dose_rate_Gy_s(material(name), energy_keV, FLUX_PER_CM2_S)
    assert rate_Gy_s == pytest.approx(expected_Gy_s, rel=5e-3)


@pytest.mark.parametrize(("name", "thickness_cm", "mean_Gy_s", "bound_Gy_s"), SLABS)
def test_slab_means_and_bounds(
    name: str, thickness_cm: float, mean_Gy_s: float, bound_Gy_s: float
) -> None:
    slab = material(name)
    entrance_Gy_s = dose_rate_Gy_s(slab, 20.0, FLUX_PER_CM2_S)
    mean = entrance_Gy_s * slab_mean_factor(slab, 20.0, thickness_cm)
    assert mean == pytest.approx(mean_Gy_s, rel=5e-3)
    bound = absorbed_bound_Gy_s(slab, 20.0, FLUX_PER_CM2_S, thickness_cm)
    assert bound == pytest.approx(bound_Gy_s, rel=5e-3)


@pytest.mark.parametrize(("name", "thickness_cm"), [(slab[0], slab[1]) for slab in SLABS])
def test_slab_mean_agrees_with_photons_followed_one_by_one(name: str, thickness_cm: float) -> None:
    slab, photons = material(name), 400_000
    depth_cm = np.random.default_rng(20).exponential(1 / mu_total(slab, 20.0), photons)
    interacting = float(np.mean(depth_cm < thickness_cm))
    # Each photon that interacts leaves, on average, the absorbed share of its energy.
    share = mass_energy_absorption(slab, 20.0) * slab.density_g_cm3 / mu_total(slab, 20.0)
    absorbed_J_per_cm2_s = FLUX_PER_CM2_S * interacting * share * 20.0 * JOULE_PER_KEV
    followed_Gy_s = 1000 * absorbed_J_per_cm2_s / (slab.density_g_cm3 * thickness_cm)
    (analytic_Gy_s,) = layer_dose_rates_Gy_s([Layer(slab, thickness_cm)], 20.0, FLUX_PER_CM2_S)
    noise = math.sqrt((1 - interacting) / (interacting * photons))
    assert followed_Gy_s == pytest.approx(analytic_Gy_s, rel=4 * noise)


@settings(max_examples=500, deadline=None)
@given(layers_of_anything, st.floats(1.0, 100.0))
def test_no_stack_absorbs_more_than_it_takes_from_the_beam(
    layers: list[Layer], energy_keV: float
) -> None:
    rates_Gy_s = layer_dose_rates_Gy_s(layers, energy_keV, FLUX_PER_CM2_S, "local")
    arriving, absorbed_W_per_cm2 = FLUX_PER_CM2_S, 0.0
    for layer, rate_Gy_s in zip(layers, rates_Gy_s, strict=True):
        bound_Gy_s = absorbed_bound_Gy_s(layer.material, energy_keV, arriving, layer.thickness_cm)
        # Behind e^-700 both are denormal numbers, which carry no digits.
        assert rate_Gy_s <= bound_Gy_s * (1 + 1e-9) + 1e-300
        arriving *= transmission([layer], energy_keV)
        grams_per_cm2 = layer.material.density_g_cm3 * layer.thickness_cm
        absorbed_W_per_cm2 += rate_Gy_s * grams_per_cm2 / 1000
    beam_W_per_cm2 = FLUX_PER_CM2_S * energy_keV * JOULE_PER_KEV
    removed_W_per_cm2 = beam_W_per_cm2 * (1 - transmission(layers, energy_keV))
    assert absorbed_W_per_cm2 <= removed_W_per_cm2 * (1 + 1e-9) + 1e-15 * beam_W_per_cm2


@given(layers_of_anything, st.floats(1.0, 100.0))
def test_transmission_is_a_part_and_layers_multiply(layers: list[Layer], energy_keV: float) -> None:
    whole = transmission(layers, energy_keV)
    assert 0 <= whole <= 1
    halves = transmission(layers[:1], energy_keV) * transmission(layers[1:], energy_keV)
    assert whole == pytest.approx(halves, rel=1e-9, abs=1e-300)


@given(st.floats(0.0, 10.0), st.floats(0.0, 10.0))
def test_thicker_slabs_have_lower_means(one_cm: float, other_cm: float) -> None:
    thin, thick = sorted((one_cm, other_cm))
    nmc = material("NMC811")
    assert 0 < slab_mean_factor(nmc, 20.0, thick) <= slab_mean_factor(nmc, 20.0, thin) * (1 + 1e-12)
    assert slab_mean_factor(nmc, 20.0, thin) <= 1


def test_dose_does_not_depend_on_density() -> None:
    loose = Material.from_formula("loose", "LiCoO2", 2.0)
    dense = Material.from_formula("dense", "LiCoO2", 5.0)
    assert dose_per_fluence_Gy_cm2(loose, 20.0) == dose_per_fluence_Gy_cm2(dense, 20.0)


def test_layers_upstream_shade_those_behind() -> None:
    window, sample = Layer(material("steel"), 0.01), Layer(material("EC"), 0.1)
    (alone,) = layer_dose_rates_Gy_s([sample], 30.0, FLUX_PER_CM2_S)
    _, behind = layer_dose_rates_Gy_s([window, sample], 30.0, FLUX_PER_CM2_S)
    assert behind == pytest.approx(alone * transmission([window], 30.0))


def test_local_absorption_is_the_upper_end() -> None:
    nmc = material("NMC811")
    lower_Gy_s = dose_rate_Gy_s(nmc, 8.4, FLUX_PER_CM2_S, "escapes")
    assert lower_Gy_s < 0.75 * dose_rate_Gy_s(nmc, 8.4, FLUX_PER_CM2_S, "local")


def test_nothing_in_the_beam_and_no_beam() -> None:
    assert transmission([], 20.0) == 1.0
    assert slab_mean_factor(material("copper"), 20.0, 0.0) == 1.0
    assert dose_rate_Gy_s(material("copper"), 20.0, 0.0) == 0.0
    assert layer_dose_rates_Gy_s([], 20.0, 1e14) == ()


@pytest.mark.parametrize("thickness_cm", [-1e-9, math.nan, math.inf])
def test_impossible_thicknesses_are_refused(thickness_cm: float) -> None:
    water = material("water")
    with pytest.raises(ValueError, match="thickness of water in cm must be"):
        Layer(water, thickness_cm)
    with pytest.raises(ValueError, match="thickness of water in cm must be"):
        slab_mean_factor(water, 20.0, thickness_cm)
    with pytest.raises(ValueError, match="thickness of water in cm must be"):
        absorbed_bound_Gy_s(water, 20.0, 1e14, thickness_cm)


@pytest.mark.parametrize("flux", [-1.0, math.nan, math.inf])
def test_impossible_fluxes_are_refused(flux: float) -> None:
    water = material("water")
    with pytest.raises(ValueError, match="flux density"):
        dose_rate_Gy_s(water, 20.0, flux)
    with pytest.raises(ValueError, match="flux density"):
        absorbed_bound_Gy_s(water, 20.0, flux, 0.1)
    with pytest.raises(ValueError, match="flux density"):
        layer_dose_rates_Gy_s([Layer(water, 0.1)], 20.0, flux)


def test_energy_in_eV_is_refused() -> None:
    with pytest.raises(EnergyRangeError, match="Is the unit keV"):
        dose_rate_Gy_s(material("water"), 20_000.0, 1e14)
