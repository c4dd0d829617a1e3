"""Coefficients against published and directly computed values, and their refusals."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltomo.dose.attenuation import (
    EnergyRangeError,
    HIGHEST_ENERGY_keV,
    LOWEST_ENERGY_keV,
    mass_energy_absorption,
    mu_total,
    refraction_delta,
)
from voltomo.dose.formula import ATOMIC_WEIGHT_g_mol
from voltomo.dose.materials import Material, material, material_names

any_material = st.sampled_from(material_names()).map(material)
any_energy_keV = st.floats(LOWEST_ENERGY_keV, HIGHEST_ENERGY_keV)

# Computed directly from the libraries that the table is made from, cm2/g: these hold table and
# interpolation to the formula; the published values below judge the formula itself.
MASS_ENERGY_ABSORPTION = [
    ("water", 20, 0.55066),
    ("water", 60, 0.031907),
    ("aluminium", 30, 0.87905),
    ("copper", 30, 9.3114),
    ("graphite", 20, 0.22387),
    ("EC", 20, 0.42924),
    ("PVDF", 20, 0.60672),
    ("LCO", 20, 14.688),
    ("NMC811", 25, 8.6571),
    ("NMC811", 8.4, 130.11),
]
# Tabulated by NIST, cm2/g; heavier elements differ more between tabulations.
NIST = [
    ("beryllium", 8, 0.8839, 0.001),
    ("beryllium", 10, 0.4255, 0.001),
    ("beryllium", 15, 0.1143, 0.001),
    ("beryllium", 20, 0.0478, 0.001),
    ("beryllium", 30, 0.01898, 0.001),
    ("beryllium", 40, 0.01438, 0.001),
    ("graphite", 15, 0.563, 0.01),
    ("water", 20, 0.5503, 0.005),
    ("water", 60, 0.03190, 0.005),
    ("aluminium", 30, 0.8778, 0.005),
    ("copper", 30, 9.349, 0.006),
    ("lead", 20, 69.48, 0.01),
    ("lead", 100, 1.976, 0.01),
]
# By an independent route at 10, 20, 30 and 60 keV, cm2/g: photo-absorption less fluorescence lines
# of Kissel's tables, and differential incoherent cross-sections integrated over the angle.
SECOND_ROUTE = [
    ("H", (0.0098487, 0.013552, 0.018636, 0.030532)),
    ("C", (2.0785, 0.22388, 0.066177, 0.020987)),
    ("O", (5.5678, 0.61837, 0.17307, 0.032082)),
    ("F", (7.7793, 0.88023, 0.24538, 0.039062)),
    ("Al", (25.421, 3.0974, 0.87906, 0.1101)),
    ("P", (39.135, 4.9454, 1.424, 0.17384)),
    ("Mn", (124.55, 20.05, 6.373, 0.83133)),
    ("Fe", (135.04, 22.475, 7.2367, 0.95736)),
    ("Co", (139.03, 24.048, 7.8507, 1.0541)),
    ("Ni", (149.37, 27.014, 8.9507, 1.2204)),
    ("Cu", (145.03, 27.638, 9.3079, 1.2915)),
]
# Total attenuation in 1/cm at 20 and 30 keV, and delta at 20 keV.
CONTRAST = [
    ("lithium", 0.099, 0.088, 2.40e-7),
    ("EC", 0.884, 0.432, 7.16e-7),
    ("graphite", 0.999, 0.579, 1.17e-6),
    ("PE", 0.410, 0.257, 5.62e-7),
    ("PVDF", 1.512, 0.665, 9.24e-7),
    ("NMC811", 89.4, 28.9, 2.38e-6),
    ("aluminium", 9.29, 3.05, 1.36e-6),
    ("copper", 302.8, 97.8, 4.29e-6),
]
K_EDGES_keV = [
    ("Cl", 2.822), ("Ti", 4.966), ("Mn", 6.539), ("Fe", 7.112), ("Co", 7.709), ("Ni", 8.333),
    ("Cu", 8.979), ("Zn", 9.659), ("Zr", 17.998), ("La", 38.925), ("W", 69.525),
]  # fmt: skip


@pytest.mark.parametrize(("name", "energy_keV", "expected"), MASS_ENERGY_ABSORPTION)
def test_table_and_interpolation_keep_the_directly_computed_values(
    name: str, energy_keV: float, expected: float
) -> None:
    assert mass_energy_absorption(material(name), energy_keV) == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(("name", "energy_keV", "expected", "tolerance"), NIST)
def test_energy_absorption_agrees_with_published_tables(
    name: str, energy_keV: float, expected: float, tolerance: float
) -> None:
    computed = mass_energy_absorption(material(name), energy_keV)
    assert computed == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize(("element", "expected"), SECOND_ROUTE)
def test_energy_absorption_of_elements_agrees_by_a_second_route(
    element: str, expected: tuple[float, ...]
) -> None:
    pure = Material.from_formula(element, element, 1.0)
    computed = mass_energy_absorption(pure, np.array([10.0, 20.0, 30.0, 60.0]))
    assert computed == pytest.approx(expected, rel=3e-3)


@pytest.mark.parametrize(("name", "at_20_keV", "at_30_keV", "delta"), CONTRAST)
def test_attenuation_counts_scattering_and_delta_fits(
    name: str, at_20_keV: float, at_30_keV: float, delta: float
) -> None:
    each = material(name)
    assert mu_total(each, 20.0) == pytest.approx(at_20_keV, rel=5e-3)
    assert mu_total(each, 30.0) == pytest.approx(at_30_keV, rel=5e-3)
    assert refraction_delta(each, 20.0) == pytest.approx(delta, rel=0.01)


@pytest.mark.parametrize(("element", "edge_keV"), K_EDGES_keV)
def test_k_edge_is_a_step_that_interpolation_does_not_smear(element: str, edge_keV: float) -> None:
    metal = Material.from_formula(element, element, 1.0)
    below, above = mu_total(metal, edge_keV * 0.9995), mu_total(metal, edge_keV * 1.0005)
    further_below = mu_total(metal, edge_keV * 0.995)
    assert above / below > 4
    assert 1 < further_below / below < 1.03


def test_fluorescence_starts_to_escape_at_the_edge_of_the_element() -> None:
    nickel = material("nickel")
    below = mass_energy_absorption(nickel, 8.3) / mass_energy_absorption(nickel, 8.3, "local")
    above = mass_energy_absorption(nickel, 8.4) / mass_energy_absorption(nickel, 8.4, "local")
    assert below == pytest.approx(1.0, abs=0.01)
    # Fluorescence yield 0.41, K share 0.88, mean line 7.5 keV of the 8.4.
    assert above == pytest.approx(0.67, abs=0.01)


def test_table_covers_every_element_that_a_formula_may_name() -> None:
    for element in ATOMIC_WEIGHT_g_mol:
        pure = Material.from_formula(element, element, 1.0)
        assert math.isfinite(mu_total(pure, LOWEST_ENERGY_keV))
        assert math.isfinite(mu_total(pure, HIGHEST_ENERGY_keV))


@given(any_material, any_energy_keV)
def test_absorbed_lies_between_escape_and_attenuation(each: Material, energy_keV: float) -> None:
    escapes = mass_energy_absorption(each, energy_keV)
    local = mass_energy_absorption(each, energy_keV, "local")
    total = mu_total(each, energy_keV) / each.density_g_cm3
    assert 0 < escapes <= local * (1 + 1e-12)
    assert local <= total * (1 + 1e-12)


@given(any_material, st.floats(5.0, 100.0))
def test_delta_is_positive_and_small(each: Material, energy_keV: float) -> None:
    assert 0 < refraction_delta(each, energy_keV) < 1e-3


def test_arrays_give_what_single_energies_give() -> None:
    energies_keV = np.array([[8.0, 20.0], [60.0, 100.0]])
    each = material("electrolyte")
    for function in (mu_total, mass_energy_absorption, refraction_delta):
        whole = function(each, energies_keV)
        assert whole.shape == energies_keV.shape
        assert whole[0, 1] == function(each, 20.0)


def test_a_single_energy_gives_a_plain_number() -> None:
    assert type(mu_total(material("water"), 20)) is float


@pytest.mark.parametrize("energy_keV", [0.999, 100.001, 0.0, -20.0, math.nan, math.inf, 20_000.0])
def test_energy_out_of_range_is_refused_with_the_range(energy_keV: float) -> None:
    for function in (mu_total, mass_energy_absorption, refraction_delta):
        with pytest.raises(EnergyRangeError, match="between 1 and 100 keV"):
            function(material("water"), energy_keV)


def test_one_bad_energy_in_an_array_is_named() -> None:
    with pytest.raises(EnergyRangeError, match="got 250 keV"):
        mu_total(material("water"), np.array([20.0, 250.0]))


def test_unknown_word_for_fluorescence_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'escapes' or .* 'both'"):
        mass_energy_absorption(material("water"), 20.0, cast(Any, "both"))
