"""Doses of layers in turning cells: against photons followed one by one, and against energy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dose.photons import first_interactions
from voltomo.dose.attenuation import mass_energy_absorption, mu_total
from voltomo.dose.beam_frame import beam_directions
from voltomo.dose.dose_rate import JOULE_PER_KEV, Layer, layer_dose_rates_Gy_s
from voltomo.dose.layer_dose import (
    PartRate,
    Turning,
    absorbed_power_W,
    layer_rates,
    per_fluence_Gy_cm2,
)
from voltomo.dose.layers import StackLayer, plain, porous
from voltomo.dose.materials import material, material_names
from voltomo.dose.shapes import Sheets, Shells
from voltomo.dose.spectrum import Spectrum, mono, tabulated

FLUX = 1e14
STILL = Turning(range_deg=0.0)


def coating(porosity: float = 0.3) -> StackLayer:
    solids = {material("NMC811"): 0.95, material("PVDF"): 0.02, material("graphite"): 0.03}
    return porous("cathode", 60.0, solids, porosity, material("LP57"))


def cell(width_cm: float = 2.0, **how: object) -> Sheets:
    layers = (
        plain(material("laminate"), 110.0),
        plain(material("Al"), 15.0),
        coating(),
        porous("separator", 16.0, {material("PE"): 1.0}, 0.4, material("LP57")),
        porous("anode", 70.0, {material("graphite"): 1.0}, 0.3, material("LP57")),
        plain(material("Cu"), 10.0),
        plain(material("laminate"), 110.0),
    )
    return Sheets(layers, width_cm, **how)  # pyright: ignore[reportArgumentType]


def of(rates: tuple[PartRate, ...], layer: str, part: str = "") -> PartRate:
    return next(r for r in rates if r.layer.name == layer and part in ("", r.material.name))


@pytest.mark.parametrize(
    ("name", "thickness_um", "mean_Gy_s"),
    [("water", 1000.0, 169.5), ("copper", 10.0, 7645.0), ("aluminium", 100.0, 947.8)],
)
def test_means_of_slabs(name: str, thickness_um: float, mean_Gy_s: float) -> None:
    slab = Sheets((plain(material(name), thickness_um),), 2.0)
    (rate,) = layer_rates(slab, mono(20.0, FLUX), STILL)
    assert rate.mean_lower_Gy_s == pytest.approx(mean_Gy_s, rel=5e-3)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(material_names()), st.floats(1.0, 2000.0)),
        min_size=1, max_size=6,
    ),
    st.floats(5.0, 100.0),
)  # fmt: skip
def test_a_standing_stack_is_what_layers_in_a_row_are(
    stack: list[tuple[str, float]], energy_keV: float
) -> None:
    layers = tuple(plain(material(n), um, f"{k}") for k, (n, um) in enumerate(stack))
    rates = layer_rates(Sheets(layers, 10.0), mono(energy_keV, FLUX), STILL)
    in_a_row = [Layer(each.material, each.thickness_cm) for each in layers]
    expected = layer_dose_rates_Gy_s(in_a_row, energy_keV, FLUX)
    for rate, value in zip(rates, expected, strict=True):
        assert rate.mean_lower_Gy_s == pytest.approx(value, rel=1e-6, abs=1e-9)


random_layers = st.lists(
    st.one_of(
        st.builds(
            lambda name, um: plain(material(name), um),
            st.sampled_from(material_names()),
            st.floats(0.1, 3000.0),
        ),
        st.builds(
            lambda part, um, pores, filled: porous(
                "mixed", um, {material("NMC811"): 1 - part, material("graphite"): part}, pores,
                material("LP30") if filled else None,
            ),
            st.floats(0.01, 0.99), st.floats(0.1, 3000.0), st.floats(0.0, 0.9), st.booleans(),
        ),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


@settings(max_examples=500)
@given(random_layers, st.floats(0.0, 80.0), st.floats(2.0, 60.0), st.booleans())
def test_no_turned_stack_absorbs_more_than_it_takes_from_the_beam(
    layers: list[StackLayer], angle_deg: float, energy_keV: float, pink: bool
) -> None:
    several = np.geomspace(energy_keV, 100.0, 9)
    spectrum = tabulated(several, 1e13 / several) if pink else mono(energy_keV, FLUX)
    turning = Turning(0.0, angle_deg, beam_width_cm=0.1)
    rates = layer_rates(Sheets(tuple(layers), 1e4), spectrum, turning)
    slant = math.cos(math.radians(angle_deg))
    absorbed_W_cm2 = 0.0
    for layer in layers:
        # Kerma of the constituents by mass is that of the mixture: what each layer absorbs.
        mine = [r for r in rates if r.layer is layer]
        shares = dict(layer.parts)
        mean_Gy_s = sum(r.mean_lower_Gy_s * shares[r.material] for r in mine)
        grams = layer.material.density_g_cm3 * layer.thickness_cm / slant
        absorbed_W_cm2 += mean_Gy_s * grams / 1000 / layers.count(layer)
    depth = sum(
        mu_total(each.material, spectrum.energy_keV) * each.thickness_cm / slant for each in layers
    )
    taken = -np.expm1(-np.asarray(depth)) * spectrum.flux_per_cm2_s * spectrum.energy_keV
    bound_W_cm2 = float(taken.sum()) * JOULE_PER_KEV
    assert absorbed_W_cm2 <= bound_W_cm2 * (1 + 1e-6) + 1e-12 * spectrum.power_W_cm2


def test_tilt_of_thirty_degrees() -> None:
    # The axis leans by 30 deg and the sheet lies across it: the beam meets it at 30 deg from its
    # plane, the path is twice the thickness, and the same at every angle.
    slab = plain(material("graphite"), 500.0)
    flat = Sheets((slab,), 1000.0, mounting="flat")
    turned = layer_rates(flat, mono(20.0, FLUX), Turning(360.0, 0.0, 30.0, 0.1))[0]
    twice = layer_dose_rates_Gy_s([Layer(slab.material, 2 * slab.thickness_cm)], 20.0, FLUX)[0]
    assert turned.mean_lower_Gy_s == pytest.approx(twice, rel=1e-6)
    assert turned.highest_Gy_s == pytest.approx(turned.hottest_Gy_s, rel=1e-9)
    # An upright sheet is crossed at cos(tilt) cos(angle).
    upright = Sheets((slab,), 1000.0)
    standing = layer_rates(upright, mono(20.0, FLUX), Turning(0.0, 40.0, 30.0, 0.1))[0]
    slant = math.cos(math.radians(30)) * math.cos(math.radians(40))
    path = Layer(slab.material, slab.thickness_cm / slant)
    (expected,) = layer_dose_rates_Gy_s([path], 20.0, FLUX)
    assert standing.mean_lower_Gy_s == pytest.approx(expected, rel=1e-6)


def test_the_upper_end_of_a_flat_sheet_faces_the_source() -> None:
    window, sample = plain(material("steel"), 200.0), plain(material("LP57"), 500.0)
    flat = Sheets((window, sample), 1000.0, mounting="flat")
    rates = layer_rates(flat, mono(30.0, FLUX), Turning(360.0, 0.0, 30.0, 0.1))
    path = [Layer(each.material, 2 * each.thickness_cm) for each in flat.layers]
    expected = layer_dose_rates_Gy_s(path, 30.0, FLUX)
    assert [r.mean_lower_Gy_s for r in rates] == pytest.approx(expected, rel=1e-6)


def test_beyond_a_quarter_turn_the_beam_comes_from_behind() -> None:
    front = layer_rates(cell(), mono(20.0, FLUX), Turning(0.0, 20.0))
    there = Sheets(tuple(reversed(cell().layers)), 2.0)
    behind = layer_rates(there, mono(20.0, FLUX), Turning(0.0, 200.0))
    for rate in front:
        same = next(
            r for r in behind if r.layer is not None and r.layer.name == rate.layer.name
            and r.material == rate.material
        )  # fmt: skip
        if rate.layer.name != "laminate":
            assert same.mean_lower_Gy_s == pytest.approx(rate.mean_lower_Gy_s, rel=1e-6)


def test_edge_on_the_width_shades() -> None:
    slab = Sheets((plain(material("graphite"), 100.0),), 0.4)
    (rate,) = layer_rates(slab, mono(20.0, FLUX), Turning(0.0, 90.0, beam_width_cm=1.0))
    (expected,) = layer_dose_rates_Gy_s([Layer(material("graphite"), 0.4)], 20.0, FLUX)
    assert rate.highest_Gy_s == pytest.approx(
        FLUX * per_fluence_Gy_cm2(slab.layers[0], np.array([20.0]))[1][0, 0], rel=1e-6
    )
    assert rate.mean_lower_Gy_s == pytest.approx(expected, rel=0.02)


def capillary() -> Shells:
    return Shells(
        (
            plain(material("quartz"), 50.0),
            porous("powder", 450.0, {material("NMC811"): 1.0}, 0.6, material("LP57")),
        )
    )


@pytest.mark.parametrize("tilt_deg", [0.0, 30.0])
def test_shells_agree_with_photons_followed_one_by_one(tilt_deg: float) -> None:
    shape, photons = capillary(), 100_000
    energy_keV, radius = 20.0, 0.05
    rng = np.random.default_rng(7)
    (direction,) = beam_directions(np.array([0.0]), tilt_deg)
    start = np.zeros((photons, 3))
    start[:, 0] = rng.uniform(-radius, radius, photons)
    start -= 0.5 * direction
    inner = shape.radii_cm[1]

    def layer_at(points: np.ndarray) -> np.ndarray:
        r = np.hypot(points[:, 0], points[:, 1])
        return np.where(r > radius, -1, np.where(r > inner, 0, 1))

    mu = np.array([mu_total(each.material, energy_keV) for each in shape.layers])
    hits = first_interactions(start, direction, layer_at, mu, 1.0, rng)
    turning = Turning(360.0, 0.0, tilt_deg, 0.2)
    rates = layer_rates(shape, mono(energy_keV, FLUX), turning)
    areas = math.pi * np.array([radius**2 - inner**2, inner**2])
    for number, layer in enumerate(shape.layers):
        absorbed = mass_energy_absorption(layer.material, energy_keV)
        share = absorbed * layer.material.density_g_cm3 / mu[number]
        per_photon_J = share * energy_keV * JOULE_PER_KEV * hits[number] / photons
        # A beam of this height meets so much more of a leaning cell's length.
        grams = layer.material.density_g_cm3 * areas[number] / math.cos(math.radians(tilt_deg))
        followed = FLUX * 2 * radius * per_photon_J / grams * 1000
        shares = dict(layer.parts)
        mean = sum(r.mean_lower_Gy_s * shares[r.material] for r in rates if r.layer is layer)
        noise = 1 / math.sqrt(hits[number])
        assert mean == pytest.approx(followed, rel=0.01 + 3 * noise)


def test_constituents_have_intervals() -> None:
    rates = layer_rates(cell(), mono(20.0, FLUX), Turning(beam_width_cm=0.1))
    for rate in rates:
        assert 0 < rate.mean_lower_Gy_s <= rate.mean_upper_Gy_s
        assert rate.mean_upper_Gy_s <= rate.hottest_Gy_s * (1 + 1e-9)
        assert rate.hottest_Gy_s <= rate.highest_Gy_s * (1 + 1e-9)
    wet, free = of(rates, "cathode", "electrolyte"), of(rates, "separator", "electrolyte")
    # Alone it absorbs little; among grains of metal oxide it may get as much as they do.
    assert wet.mean_lower_Gy_s == pytest.approx(free.mean_lower_Gy_s, rel=0.05)
    assert wet.mean_upper_Gy_s > 25 * wet.mean_lower_Gy_s
    oxide = of(rates, "cathode", "NMC811")
    assert 1.0 < wet.mean_upper_Gy_s / oxide.mean_upper_Gy_s < 1.6


def test_a_mixture_of_one_is_that_one() -> None:
    alone, mixed = plain(material("LFP"), 50.0), porous("LFP", 50.0, {material("LFP"): 3.0}, 0.0)
    energies = np.array([8.0, 20.0])
    for one, other in zip(
        per_fluence_Gy_cm2(alone, energies), per_fluence_Gy_cm2(mixed, energies), strict=True
    ):
        assert one == pytest.approx(other)


def test_a_narrow_beam_leaves_the_rim_unlit_most_of_the_time() -> None:
    shape = Shells((plain(material("quartz"), 50.0), plain(material("water"), 450.0)))
    wide = layer_rates(shape, mono(60.0, FLUX), Turning(360.0, beam_width_cm=0.2))
    narrow = layer_rates(shape, mono(60.0, FLUX), Turning(360.0, beam_width_cm=0.02))
    rim, there = of(wide, "quartz"), of(narrow, "quartz")
    part = 2 / math.pi * math.asin(0.01 / 0.0475)
    assert there.mean_lower_Gy_s / rim.mean_lower_Gy_s == pytest.approx(part, rel=0.05)
    assert of(narrow, "water").hottest_Gy_s == pytest.approx(of(wide, "water").hottest_Gy_s, 0.02)


def test_power_is_what_the_beam_loses() -> None:
    slab = Sheets((plain(material("water"), 1000.0),), 5.0)
    taken = 1 - math.exp(-mu_total(material("water"), 20.0) * 0.1)
    power_W = absorbed_power_W(slab, mono(20.0, FLUX), (0.1, 0.2))
    whole_W = FLUX * 0.02 * 20 * JOULE_PER_KEV
    # At its worst angle a sheet takes nearly all of the beam.
    assert taken * whole_W < power_W <= whole_W
    rod = Shells((plain(material("water"), 500.0),))
    through = 1 - math.exp(-mu_total(material("water"), 20.0) * 0.1)
    power_W = absorbed_power_W(rod, mono(20.0, FLUX), (1.0, 0.2))
    assert power_W == pytest.approx(through * FLUX * 0.1 * 0.2 * 20 * JOULE_PER_KEV)


def test_no_beam_no_dose() -> None:
    dark = Spectrum(np.array([20.0]), np.array([0.0]))
    assert all(r.highest_Gy_s == 0 for r in layer_rates(cell(), dark, Turning()))
