"""Rises of temperature against the closed formula and against conduction on a fine grid."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import eigh_tridiagonal

from voltomo.dose.dose_rate import JOULE_PER_KEV
from voltomo.dose.heating import (
    Plate,
    adiabatic_K_s,
    areal_heat_J_per_m2_K,
    rod_rise_K,
    sheet_conductance_W_K,
)
from voltomo.dose.layers import plain
from voltomo.dose.materials import Material, material


def plate(rim_mm: float = 10.0, beam_mm: float = 0.5) -> Plate:
    # Half a millimetre of something like a carbonate: 1 W/(m K), 1.9 J/(g K), 1.2 g/cm3.
    return Plate(1.0 * 0.5e-3, 0.5e-3 * 1.2e6 * 1.9, beam_mm * 1e-3, rim_mm * 1e-3)


def conducted_K(one: Plate, power_W: float, times_s: np.ndarray) -> np.ndarray:
    """Rise in the centre from 160 rings that exchange heat with their neighbours."""
    a, rim = one.beam_radius_m, one.rim_radius_m
    edges = np.concatenate([np.linspace(0, a, 25)[:-1], np.geomspace(a, rim, 137)])
    middle, area = (edges[1:] + edges[:-1]) / 2, np.pi * np.diff(edges**2)
    heat = area * one.areal_heat_J_per_m2_K
    flow = one.conductance_W_K * 2 * np.pi * edges[1:-1] / np.diff(middle)
    last = one.conductance_W_K * 2 * np.pi * rim / (rim - middle[-1])
    out = np.zeros(area.size)
    out[:-1] += flow
    out[1:] += flow
    out[-1] += last
    root = 1 / np.sqrt(heat)
    rates, modes = eigh_tridiagonal(out * root**2, -flow * root[:-1] * root[1:])
    source = np.where(middle < a, power_W * area / (np.pi * a**2), 0.0)
    weight = modes[0] * root[0] * (modes.T @ (source * root)) / rates
    return np.array([float(np.sum(weight * -np.expm1(-rates * t))) for t in times_s])


@pytest.mark.parametrize(("photons_per_s", "rise_K"), [(1e12, 1.78), (1e14, 178.0)])
def test_steady_rise_of_a_sheet(photons_per_s: float, rise_K: float) -> None:
    power_W = 0.5 * photons_per_s * 20 * JOULE_PER_KEV
    assert plate().steady_K(power_W) == pytest.approx(rise_K, rel=0.01)


@pytest.mark.parametrize(
    ("rim_mm", "tolerance"), [(1.0, 0.06), (2.5, 0.06), (10.0, 0.06), (25.0, 0.06), (100.0, 0.10)]
)
def test_two_nodes_follow_conduction(rim_mm: float, tolerance: float) -> None:
    one = plate(rim_mm)
    times_s = np.geomspace(1e-3, 1e6, 120)
    truth = conducted_K(one, 1e-3, times_s)
    assert truth[-1] == pytest.approx(one.steady_K(1e-3), rel=1e-3)
    lumped = np.array([one.rise_K(1e-3, float(t)) for t in times_s])
    assert np.max(np.abs(lumped - truth)) < tolerance * one.steady_K(1e-3)


@given(st.floats(0.01, 100.0), st.floats(0.01, 100.0), st.floats(0.0, 5.0), st.floats(0.0, 5.0))
def test_two_steps_are_one(first_s: float, second_s: float, inner_K: float, outer_K: float) -> None:
    one = plate()
    start = (inner_K, outer_K)
    both = one.step(one.step(start, 2e-3, first_s), 2e-3, second_s)
    assert both == pytest.approx(one.step(start, 2e-3, first_s + second_s), rel=1e-9, abs=1e-12)


def test_it_cools_when_the_shutter_closes_and_begins_adiabatically() -> None:
    one = plate()
    warm = one.step((0.0, 0.0), 1e-3, 60.0)
    cooler = one.step(warm, 0.0, 1.0)
    assert 0 < cooler[0] < warm[0]
    assert one.step(warm, 0.0, 1e6) == pytest.approx((0.0, 0.0), abs=1e-9)
    start_K_s = one.rise_K(1e-3, 1e-6) / 1e-6
    assert start_K_s == pytest.approx(1e-3 / one.inner_heat_J_K, rel=1e-3)


@pytest.mark.parametrize(("heat", "K_s"), [(4.18, 0.24), (1.9, 0.53), (0.9, 1.1), (0.385, 2.6)])
def test_adiabatic_rates_of_one_kilogray_a_second(heat: float, K_s: float) -> None:
    assert adiabatic_K_s(1000.0, heat) == pytest.approx(K_s, rel=0.02)


def test_layers_conduct_side_by_side() -> None:
    layers = [plain(material("Cu"), 10.0), plain(material("PE"), 100.0)]
    assert sheet_conductance_W_K(layers) == pytest.approx(401 * 10e-6 + 0.4 * 100e-6)
    assert areal_heat_J_per_m2_K(layers) == pytest.approx(
        8960 * 10e-6 * 385 + 950 * 100e-6 * 1900, rel=1e-6
    )
    unknown = plain(Material.from_formula("salt", "LiF", 2.64), 10.0)
    assert sheet_conductance_W_K([unknown]) is None
    assert areal_heat_J_per_m2_K([unknown]) is None


def test_a_rod_in_vacuum_and_in_air() -> None:
    # 1 mW in the middle of 2 x 10 mm of 0.3 W/(m K) and 0.28 mm2.
    conductance_W_m = 0.3 * 0.28e-6
    bare = rod_rise_K(1e-3, conductance_W_m, 1.9e-3, 0.01, 0.0)
    assert bare == pytest.approx(1e-3 * 0.01 / (2 * conductance_W_m))
    barely = rod_rise_K(1e-3, conductance_W_m, 1.9e-3, 0.01, 1e-3)
    assert barely == pytest.approx(bare, rel=0.02)
    cooled = rod_rise_K(1e-3, conductance_W_m, 1.9e-3, 0.01, 20.0)
    assert cooled < bare / 5
    assert rod_rise_K(1e-3, conductance_W_m, 1.9e-3, 10.0, 20.0) == pytest.approx(
        1e-3 / (2 * math.sqrt(20 * 1.9e-3 * conductance_W_m))
    )


def test_impossible_plates_are_refused() -> None:
    with pytest.raises(ValueError, match="must lie outside the beam"):
        plate(rim_mm=0.5)
    with pytest.raises(ValueError, match="must be above 0"):
        Plate(0.0, 1.0, 1e-3, 1e-2)
