"""What the planner says of scans whose numbers can be had by another way."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from tests.dose.plans import plan
from voltomo.dose.beam_on_cell import shine, turning_of
from voltomo.dose.layer_dose import layer_rates
from voltomo.dose.planner import open_time, plan_scan
from voltomo.dose.policies import refusal
from voltomo.dose.proposal import Proposal, propose
from voltomo.dose.quality import SHEARED_ROWS_NOISE, noise_per_cm
from voltomo.dose.spectrum import mono
from voltomo.dose.trade_offs import allowed_Gy, contrast_by_energy, trade_off

FAINT = ("1.0e+13", "1.0e+11")


def test_open_time_by_cause(tmp_path: Path) -> None:
    made = plan(tmp_path)
    opened = open_time(made, made.scan)
    assert opened.by_cause["frames"] == pytest.approx(30.0)
    assert opened.by_cause["between exposures"] == pytest.approx(1499 * 0.002)
    # Lead, tail and travel: 0.025 + 0.021 + 0.015 less one exposure.
    assert opened.by_cause["shutter before the first and after the last"] == pytest.approx(0.041)
    assert opened.by_cause["flats with the cell in the beam"] == 0
    assert opened.wasted_part == pytest.approx(1 - 30 / 33.039, abs=1e-4)


def test_flats_that_do_not_leave_the_cell_cost_dose(tmp_path: Path) -> None:
    made = plan(tmp_path, ("width_mm: 4", "width_mm: 40"))
    flats_s = open_time(made, made.scan).by_cause["flats with the cell in the beam"]
    assert flats_s == pytest.approx(2 * (19 * 0.022 + 0.061))
    assert any("does not take a cell of 40 mm" in said for said in plan_scan(made).remarks)


def test_doses_are_rates_times_open_time(tmp_path: Path) -> None:
    made = plan(tmp_path)
    found = plan_scan(made)
    rates = layer_rates(made.shape, mono(25.0, 1e13), turning_of(made))
    for part, rate in zip(found.parts, rates, strict=True):
        assert part.mean_lower_Gy == pytest.approx(rate.mean_lower_Gy_s * 33.039)
        assert part.hottest_Gy == pytest.approx(1.2 * rate.hottest_Gy_s * 33.039)
        assert part.mean_lower_Gy <= part.mean_upper_Gy <= part.hottest_Gy
    worst = max(
        p.hottest_Gy for p in found.parts if p.rate.material.material_class == "electrolyte"
    )
    assert found.asked.dose_Gy["electrolyte"] == pytest.approx(worst)
    assert found.limiting == "electrolyte"


def test_how_many_scans_fit_and_why_not_more(tmp_path: Path) -> None:
    found = plan_scan(plan(tmp_path))
    one_Gy = found.asked.dose_Gy["electrolyte"]
    assert found.scans_fit == math.floor(1e5 / one_Gy) - 1
    assert f"{found.scans_fit} of 10 would fit" in found.refusal
    fewer = plan_scan(plan(tmp_path, ("time_points: 10", f"time_points: {found.scans_fit}")))
    assert fewer.refusal == ""
    used = plan_scan(plan(tmp_path, ("policy: operando_default", "taken_Gy: {electrolyte: 6e4}")))
    assert used.colour == "amber"
    assert used.scans_fit is not None
    assert found.scans_fit is not None
    assert used.scans_fit < found.scans_fit


def test_limits_that_nobody_has_looked_up_are_stamped(tmp_path: Path) -> None:
    remarks = plan_scan(plan(tmp_path)).remarks
    assert any("unverified default: calibrate them on your cell" in said for said in remarks)


def test_noise_is_that_of_the_photons(tmp_path: Path) -> None:
    found = plan_scan(plan(tmp_path, FAINT))
    beam = found.beam
    photons = 1e11 * (1.3e-4) ** 2 * 0.02 * 0.4 * beam.transmission
    assert found.sight.photons == pytest.approx(photons)
    worth = photons**2 / (photons + (3 / 0.5) ** 2) * 1500 * (1 - beam.dark_part)
    assert found.sight.noise_per_cm == pytest.approx(noise_per_cm(1.3, worth, SHEARED_ROWS_NOISE))


def test_what_is_not_detectable_is_said_with_what_it_would_take(tmp_path: Path) -> None:
    hard = ("material: NMC811, against: LP57", "material: PVDF, against: LP57")
    seen = plan_scan(plan(tmp_path, hard)).sight
    assert seen.detectable is False
    assert seen.needed_Gy is not None
    assert seen.needed_voxel_um is not None
    dose_Gy = plan_scan(plan(tmp_path)).asked.dose_Gy["electrolyte"]
    assert seen.needed_Gy == pytest.approx(dose_Gy * (5 / (seen.snr or 0)) ** 2, rel=1e-6)
    assert seen.needed_voxel_um == pytest.approx(1.3 * math.sqrt(5 / (seen.snr or 1)), rel=1e-6)
    easy = plan_scan(plan(tmp_path)).sight
    assert easy.detectable is True
    nothing = plan(tmp_path, ("feature: {material: NMC811, against: LP57}\n", ""))
    assert plan_scan(nothing).sight.detectable is None
    assert trade_off(nothing, plan_scan(nothing).beam) is None
    assert contrast_by_energy(nothing) is None


def test_temperatures(tmp_path: Path) -> None:
    cool = plan_scan(plan(tmp_path))
    assert cool.rise_K is not None
    assert 0 < cool.rise_K < 1
    hot = plan_scan(plan(tmp_path, ("1.0e+13", "1.0e+16")))
    assert hot.rise_K is not None
    assert hot.rise_K == pytest.approx(1000 * cool.rise_K, rel=1e-6)
    assert any("do not run it so" in said for said in hot.remarks)
    wide = plan_scan(
        plan(tmp_path, ("width_mm: 1.4", "width_mm: 14"), ("height_mm: 1.2", "height_mm: 5"))
    )
    assert wide.rise_K is None
    assert any("How warm the cell gets cannot be said" in said for said in wide.remarks)


def test_tilted_sheets_lie_across_the_axis(tmp_path: Path) -> None:
    flat = plan(
        tmp_path, ("width_mm: 4", "width_mm: 40\n  mounting: flat"),
        ("step_deg: 0.12", "step_deg: 0.24, tilt_deg: 30"),
    )  # fmt: skip
    beam = shine(flat, flat.spectrum)
    assert beam.dark_part < 0.01
    for rate in beam.rates:
        assert rate.highest_Gy_s == pytest.approx(rate.hottest_Gy_s, rel=1e-6)


def test_the_line_of_voxel_contrast_and_dose(tmp_path: Path) -> None:
    made = plan(tmp_path)
    found = plan_scan(made)
    line = trade_off(made, found.beam)
    assert line is not None
    assert line.limiting == "electrolyte"
    slope = np.polyfit(np.log(line.voxel_um), np.log(line.dose_Gy[0]), 1)[0]
    assert slope == pytest.approx(-4.0)
    assert line.dose_Gy[1] == pytest.approx(9 * line.dose_Gy[0])
    at_pixel = float(np.interp(1.3, line.voxel_um, line.dose_Gy[0]))
    assert found.sight.needed_Gy == pytest.approx(at_pixel, rel=0.15)
    assert line.allowed_Gy == pytest.approx(1e5 / 11)


def test_the_best_energy_is_the_cheapest(tmp_path: Path) -> None:
    choice = contrast_by_energy(plan(tmp_path))
    assert choice is not None
    best = choice.best_keV
    assert best is not None
    quiet = ("read_noise_counts: 3", "read_noise_counts: 0")
    here = plan_scan(plan(tmp_path, ("energy_keV: 25", f"energy_keV: {best}"), quiet))
    there = plan_scan(plan(tmp_path, ("energy_keV: 25", "energy_keV: 60"), quiet))
    assert here.sight.snr is not None
    assert there.sight.snr is not None
    gain = (here.sight.snr**2 / here.asked.dose_Gy["electrolyte"]) / (
        there.sight.snr**2 / there.asked.dose_Gy["electrolyte"]
    )
    assert gain > 5


@pytest.mark.parametrize("points", [1, 10, 60])
@pytest.mark.parametrize("taken_Gy", ["0", "5e4"])
def test_what_is_proposed_fits(tmp_path: Path, points: int, taken_Gy: str) -> None:
    made = plan(
        tmp_path,
        ("time_points: 10", f"taken_Gy: {{electrolyte: {taken_Gy}}}, time_points: {points}"),
    )
    found = propose(made)
    assert isinstance(found, Proposal)
    assert refusal(made.policy, made.taken_Gy, found.asked) == ""
    spent = found.asked.dose_Gy["electrolyte"] / allowed_Gy(made, "electrolyte")
    assert 0.85 < spent <= 1
    spec, detector = found.spec, made.detector
    assert detector.shortest_s <= spec.exposure_s <= detector.longest_s
    assert spec.period_s - spec.exposure_s == pytest.approx(detector.dead_s)
    assert spec.geometry.range_deg == pytest.approx(180.0)
    # It is the scan that a scan would be: the same check as of a file.
    again = type(spec).model_validate_json(spec.model_dump_json())
    assert again == spec


def test_more_time_points_leave_less_for_each(tmp_path: Path) -> None:
    few, many = (propose(plan(tmp_path, ("time_points: 10", f"time_points: {n}"))) for n in (5, 50))
    assert isinstance(few, Proposal)
    assert isinstance(many, Proposal)
    assert few.sight.snr is not None
    assert many.sight.snr is not None
    assert few.sight.snr > many.sight.snr


def test_a_beam_that_is_too_strong_is_attenuated(tmp_path: Path) -> None:
    found = propose(plan(tmp_path, ("1.0e+13", "1.0e+14")))
    assert isinstance(found, Proposal)
    assert found.in_beam
    assert found.asked.rate_Gy_s["electrolyte"] <= 1000


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ([("1.0e+13", "1.0e+17")], "the beam warms the cell by"),
        ([("1.0e+13", "1.0e+15")], "policy 'operando_default' allows 1e+03 Gy/s"),
        ([("policy: operando_default", "taken_Gy: {electrolyte: 1e5}")], "nothing is left of"),
        ([("policy: operando_default", "taken_Gy: {electrolyte: 99999}")], "ends before two expos"),
    ],
)
def test_what_cannot_be_had_is_said(
    tmp_path: Path, changes: list[tuple[str, str]], says: str
) -> None:
    found = propose(plan(tmp_path, *changes))
    assert isinstance(found, str)
    assert says in found
