"""The list of materials, mixtures of them, and what is refused."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from voltomo.dose.attenuation import mu_total
from voltomo.dose.materials import (
    Material,
    MaterialClass,
    MaterialError,
    UnknownMaterialError,
    material,
    material_names,
    mixture,
)

BATTERY_WORDS = [
    "water",
    "NMC811",
    "NMC622",
    "LFP",
    "LCO",
    "NCA",
    "graphite",
    "Si",
    "Li",
    "S",
    "LLZO",
    "LPS",
    "EC",
    "EMC",
    "DMC",
    "electrolyte",
    "LP30",
    "PVDF",
    "PE",
    "PP",
    "Al",
    "Cu",
    "steel",
    "laminate",
    "Fe",
    "polyimide",
    "PMMA",
    "air",
]


@pytest.mark.parametrize("name", BATTERY_WORDS)
def test_what_a_battery_needs_is_known(name: str) -> None:
    found = material(name)
    assert sum(fraction for _, fraction in found.mass_fractions) == pytest.approx(1.0)
    assert found.heat_capacity_J_per_g_K is not None
    assert found.conductivity_W_per_m_K is not None


def test_every_listed_name_finds_itself() -> None:
    assert [material(name).name for name in material_names()] == list(material_names())


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("nmc-811", "NMC811"),
        ("Kapton", "polyimide"),
        ("ethylene carbonate", "EC"),
        ("si", "silicon"),
    ],
)
def test_aliases_and_spelling(asked: str, found: str) -> None:
    assert material(asked).name == found


def test_every_class_that_limits_are_given_for_has_members() -> None:
    classes = {material(name).material_class for name in material_names()}
    assert classes == set(get_args(MaterialClass))
    assert material("LP30").material_class == "electrolyte"
    assert material("NMC811").material_class == "active material"


def test_a_pouch_foil_weighs_what_its_layers_weigh() -> None:
    foil = material("laminate")
    layers = [("PA6", 25.0), ("aluminium", 40.0), ("PP", 45.0)]
    areal_g_cm2 = sum(material(name).density_g_cm3 * um * 1e-4 for name, um in layers)
    assert foil.density_g_cm3 * 110e-4 == pytest.approx(areal_g_cm2)
    depth = sum(mu_total(material(name), 20.0) * um * 1e-4 for name, um in layers)
    assert mu_total(foil, 20.0) * 110e-4 == pytest.approx(depth)


def test_unknown_names_get_a_suggestion() -> None:
    with pytest.raises(UnknownMaterialError, match="'grafite'; did you mean graphite"):
        material("grafite")


def test_names_like_nothing_get_the_list() -> None:
    with pytest.raises(UnknownMaterialError, match="known: NMC811, "):
        material("qqqqqqq")


def test_own_material_by_formula() -> None:
    own = Material.from_formula("NMC955", "LiNi0.9Mn0.05Co0.05O2", 4.7)
    assert dict(own.mass_fractions)["Ni"] == pytest.approx(0.5428, abs=2e-3)
    assert own.heat_capacity_J_per_g_K is None
    assert hash(own) == hash(Material.from_formula("NMC955", "LiNi0.9Mn0.05Co0.05O2", 4.7))


def test_mixture_by_mass_adds_volumes_when_no_density_is_given() -> None:
    nmc, pvdf = material("NMC811"), material("PVDF")
    mixed = mixture("coating", {nmc: 95, pvdf: 5})
    assert mixed.density_g_cm3 == pytest.approx(100 / (95 / 4.75 + 5 / 1.78))
    assert dict(mixed.mass_fractions)["Ni"] == pytest.approx(0.95 * dict(nmc.mass_fractions)["Ni"])
    assert mixed.heat_capacity_J_per_g_K == pytest.approx(0.95 * 0.90 + 0.05 * 1.20)
    volume_weighted = (95 / 4.75 * mu_total(nmc, 20.0) + 5 / 1.78 * mu_total(pvdf, 20.0)) / (
        95 / 4.75 + 5 / 1.78
    )
    assert mu_total(mixed, 20.0) == pytest.approx(volume_weighted)


def test_mixture_takes_a_measured_density_and_does_not_invent_a_heat_capacity() -> None:
    unknown_heat = Material.from_formula("salt", "LiF", 2.64)
    mixed = mixture("slurry", {material("water"): 1.0, unknown_heat: 1.0}, density_g_cm3=1.3)
    assert mixed.density_g_cm3 == 1.3
    assert mixed.heat_capacity_J_per_g_K is None
    assert mixed.formula == "50 % water + 50 % salt"


@pytest.mark.parametrize("density", [0.0, -1.0, math.nan, math.inf])
def test_impossible_densities_are_refused(density: float) -> None:
    with pytest.raises(MaterialError, match="'X': density in g/cm3 must be above 0"):
        Material.from_formula("X", "LiF", density)


def test_impossible_compositions_are_refused() -> None:
    with pytest.raises(MaterialError, match=r"sum to 0\.9"):
        Material("X", "by hand", 1.0, (("Fe", 0.5), ("Cr", 0.4)))
    with pytest.raises(MaterialError, match="no cross-sections for 'Uu'"):
        Material("X", "by hand", 1.0, (("Uu", 1.0),))
    with pytest.raises(MaterialError, match="mass fraction of Fe must be above 0"):
        Material("X", "by hand", 1.0, (("Fe", -1.0), ("Cr", 2.0)))
    with pytest.raises(MaterialError, match="heat capacity"):
        Material.from_formula("X", "LiF", 1.0, -0.1)
    with pytest.raises(MaterialError, match="no parts"):
        mixture("X", {})
    with pytest.raises(MaterialError, match="mass of water must be above 0"):
        mixture("X", {material("water"): -1.0})
