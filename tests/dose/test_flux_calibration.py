"""Diode and chamber to photons, to a dated file, to what the guard believes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.dose.guard_rig import Rig
from voltomo.dose.beam_profile import BeamProfile, profile_of
from voltomo.dose.flux_calibration import (
    CalibrationRefused,
    FluxCalibration,
    Reading,
    calibration_point,
    load_calibration,
    save_calibration,
)
from voltomo.dose.flux_detectors import IonChamber, Photodiode
from voltomo.dose.flux_record import FluxRecord
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.monitor_scale import CalibrationFile

NOW_S = 1.8e9
PER_COUNT = 1.2e5
BOUND = 2e11
DARK_A = (2.0e-12, 2.1e-12, 1.9e-12)


def _readings(flux: float, kind: Any, energy_keV: float, per_count: float = PER_COUNT) -> Any:
    charge = kind.A_per_photon(energy_keV)
    for number in range(10):
        here = flux * (1 + 1e-3 * math.sin(number + 1))
        yield Reading(here / per_count, 2e-12 + here * 0.25e-2 * charge)


def _point(energy_keV: float = 20.0, transmission: float = 1.0, **more: Any) -> Any:
    kind = Photodiode()
    readings = _readings(1e11 * transmission, kind, energy_keV, **more)
    return calibration_point(readings, DARK_A, kind, energy_keV, transmission, 0.25)


def _calibration(*points: Any, days: float = 7.0) -> FluxCalibration:
    return FluxCalibration(
        made_utc_s=NOW_S,
        expires_utc_s=NOW_S + 86400 * days,
        by="shift",
        detector=Photodiode(),
        area_mm2=0.25,
        points=points or (_point(),),
    )


def _record(calibration: FluxCalibration | None, why: str = "", **more: Any) -> FluxRecord:
    settings = GuardSettings(
        calibration_file="flux.json", flux_upper_bound_per_cm2_s=BOUND, energy_keV=20.0, **more
    )
    record = FluxRecord(settings)
    record.scale.take(calibration, why)
    return record


def test_a_diode_stops_what_its_thickness_takes() -> None:
    # 300 um of silicon at 8 keV take 99 of 100 photons: 8000 eV in 3.66 eV steps each.
    full = 8000 / 3.66 * 1.602176634e-19
    assert Photodiode().A_per_photon(8.0) == pytest.approx(full, rel=0.03)
    assert Photodiode(dead_um=20).A_per_photon(8.0) < 0.8 * full
    thin = Photodiode(thickness_um=10).A_per_photon(20.0)
    assert Photodiode(thickness_um=20).A_per_photon(20.0) == pytest.approx(2 * thin, rel=0.02)


def test_a_chamber_of_air_at_10_keV() -> None:
    # mu_en/rho of air at 10 keV is 4.742 cm2/g, by NIST; 10 cm of 1.205 mg/cm3.
    taken = 1 - math.exp(-4.742 * 1.205e-3 * 10)
    charge = 10000 * taken / 33.97 * 1.602176634e-19
    made = IonChamber(length_mm=100)
    assert made.A_per_photon(10.0) == pytest.approx(charge, rel=0.02)
    half = IonChamber(length_mm=100, pressure_mbar=1013.25 / 2)
    assert half.A_per_photon(10.0) == pytest.approx(charge / 2, rel=0.04)


def test_the_point_is_what_was_put_in() -> None:
    point = _point()
    assert point.per_count == pytest.approx(PER_COUNT, rel=1e-3)
    assert point.flux_per_cm2_s == pytest.approx(1e11, rel=1e-3)
    assert point.photons_s == pytest.approx(1e11 * 0.25e-2, rel=1e-3)
    assert 0.03 < point.uncertainty < 0.05


@pytest.mark.parametrize(
    ("readings", "said"),
    [
        ([Reading(1e6, 1e-9)] * 2, "three readings"),
        ([Reading(1e6, 1e-9)] * 5, "frozen"),
        ([Reading(1e6 + n, 2e-12) for n in range(5)], "no beam came to it"),
        ([Reading(1e6 + n, 1e-9 * (1 + n)) for n in range(5)], "do not agree"),
        ([Reading(math.nan, 1e-9)] * 5, "three readings"),
        ([Reading(0.0, 1e-9)] * 5, "three readings"),
    ],
)
def test_bad_readings_give_no_calibration(readings: list[Reading], said: str) -> None:
    with pytest.raises(CalibrationRefused, match=said):
        calibration_point(readings, DARK_A, Photodiode(), 20.0, 1.0, 0.25)


def test_energies_and_attenuators_are_looked_up() -> None:
    made = _calibration(_point(20.0), _point(30.0, per_count=2 * PER_COUNT))
    assert made.at(20.0, 1.0)[0] == pytest.approx(PER_COUNT, rel=1e-3)
    assert PER_COUNT < made.at(25.0, 1.0)[0] < 2 * PER_COUNT
    for energy_keV in (19.0, 31.0):
        with pytest.raises(CalibrationRefused, match="the flux is calibrated at 20, 30 keV"):
            made.at(energy_keV, 1.0)
    # Behind the attenuators the monitor means the same with each of them.
    behind = _calibration(_point(transmission=1.0), _point(transmission=0.1))
    assert behind.at(20.0, 0.37)[0] == pytest.approx(PER_COUNT, rel=1e-3)
    before = _calibration(_point(), _point(transmission=0.1, per_count=0.1 * PER_COUNT))
    assert before.at(20.0, 0.1)[0] == pytest.approx(0.1 * PER_COUNT, rel=1e-3)
    for transmission in (0.37, None):
        with pytest.raises(CalibrationRefused, match="the attenuator's"):
            before.at(20.0, transmission)


def test_a_file_comes_back_and_one_that_was_edited_does_not(tmp_path: Path) -> None:
    path = save_calibration(tmp_path / "flux.json", _calibration())
    assert load_calibration(path) == _calibration()
    save_calibration(path, _calibration(days=9))
    assert load_calibration(path.with_name("flux.json.previous")) == _calibration()
    whole = json.loads(path.read_text())
    whole["calibration"]["points"][0]["per_count"] *= 0.5
    path.write_text(json.dumps(whole))
    with pytest.raises(CalibrationRefused, match="not as it was written"):
        load_calibration(path)
    path.write_text(path.read_text()[:100])
    with pytest.raises(CalibrationRefused, match="cannot be read"):
        load_calibration(path)
    path.unlink()
    with pytest.raises(CalibrationRefused, match="there is no calibration"):
        load_calibration(path)


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "flux.json"
    file = CalibrationFile(path)
    assert "there is no calibration" in str(file.look())
    assert file.look() is None
    save_calibration(path, _calibration())
    assert file.look() == _calibration()
    assert file.look() is None


def test_a_valid_calibration_counts_with_its_own_uncertainty() -> None:
    record, made = _record(_calibration()), _calibration()
    record.add(8e5, NOW_S + 1)
    per_count, uncertainty = made.at(20.0, None)
    assert record.bound_per_cm2_s(NOW_S + 1) == pytest.approx(8e5 * per_count * (1 + uncertainty))
    assert record.doubt(NOW_S + 1) == ""


@pytest.mark.parametrize(
    ("calibration", "energy_keV", "at_s", "said"),
    [
        (None, 20.0, 1.0, "there is none"),
        (_calibration(days=1), 20.0, 2 * 86400.0, "ended 1.0 days ago"),
        (_calibration(), 20.0, -7200.0, "from the future"),
        (_calibration(), 25.0, 1.0, "the flux is calibrated at 20 keV"),
        (_calibration(), None, 1.0, "the photon energy is not read"),
    ],
)
def test_without_a_valid_one_the_declared_bound_counts(
    calibration: FluxCalibration | None, energy_keV: float | None, at_s: float, said: str
) -> None:
    record = _record(calibration, "there is none")
    record.scale.read_energy(energy_keV)
    for number in range(3):
        record.add(8e5 + number, NOW_S + at_s + 0.1 * number)
    assert record.bound_per_cm2_s(NOW_S + at_s + 0.2) == BOUND
    assert said in record.doubt(NOW_S + at_s + 0.2)
    fluence = record.fluence(NOW_S + at_s, NOW_S + at_s + 0.2)
    assert fluence.bound_per_cm2 == pytest.approx(0.2 * BOUND)
    assert said in fluence.doubt
    # That there is no beam needs no calibration.
    record.add(0.0, NOW_S + at_s + 0.3, dark=True)
    assert record.bound_per_cm2_s(NOW_S + at_s + 0.3) == 0


def test_the_profile_of_a_flat() -> None:
    rows, columns = np.mgrid[:200, :200]
    dark = np.full((200, 200), 100.0)
    spot = np.exp(-(((rows - 100) / 15) ** 2 + ((columns - 110) / 25) ** 2) / 2)
    found = profile_of(dark + 4000 * spot, dark, 2.0)
    assert not found.fills_field
    # To one hundredth of the peak: 3.03 standard deviations to either side.
    assert found.width_mm == pytest.approx(2 * 3.03 * 25 * 2e-3, rel=0.05)
    assert found.height_mm == pytest.approx(2 * 3.03 * 15 * 2e-3, rel=0.05)
    mean = 2 * math.pi * 15 * 25 / (found.width_mm * found.height_mm * 1e6 / 4)
    assert found.peak_over_mean == pytest.approx(1 / mean, rel=0.05)
    even = profile_of(dark + 4000, dark, 2.0)
    assert even.fills_field
    assert even.peak_over_mean == pytest.approx(1, abs=1e-3)
    with pytest.raises(ValueError, match="brighter than its dark"):
        profile_of(dark, dark, 2.0)


def test_a_flux_that_is_wrongly_scaled_is_said_and_the_higher_one_counts() -> None:
    settings = GuardSettings(flux_upper_bound_per_cm2_s=1e9, flux_per_monitor_count=1e5)
    record = FluxRecord(settings)
    record.add(8e5, NOW_S)
    assert "one of them is wrongly scaled" in record.beyond(NOW_S)
    assert record.bound_per_cm2_s(NOW_S) == pytest.approx(8e10 * 1.02)
    rig = Rig(flux_upper_bound_per_cm2_s=1e9)
    rig.run(0.2, rig.ask())
    assert "wrongly scaled" in rig.core.reason
    assert record.beyond(NOW_S + 10) == ""


@pytest.mark.parametrize("flux", [0.0, -1.0, math.nan])
def test_no_guard_starts_with_an_impossible_flux(flux: float) -> None:
    for name in ("flux_upper_bound_per_cm2_s", "flux_per_monitor_count"):
        with pytest.raises(ValidationError, match=name):
            GuardSettings.model_validate({name: flux})


def test_a_calibration_of_a_flux_that_no_source_has_is_refused() -> None:
    kind = Photodiode()
    with pytest.raises(ValidationError, match="flux_per_cm2_s"):
        calibration_point(_readings(1e13, kind, 20.0), DARK_A, kind, 20.0, 1.0, 1e-6)


def test_a_second_session_on_a_sample_is_refused_and_the_first_named() -> None:
    rig = Rig()
    rig.ask(holder="anna's session", purpose="sweep_0", scan_uid="0123abcd")
    rig.run(0.2)
    refused = rig.request(holder="ben's session")
    assert not refused["ok"]
    assert "of anna's session) has the beam; wait until it is settled" in refused["error"]


def test_a_profile_that_comes_while_the_guard_runs_counts_no_less() -> None:
    # The middle gets 1.2 times the mean, so that a count means less on average.
    flat = BeamProfile(
        width_mm=2, height_mm=1, peak_over_mean=1.5, middle_over_mean=1.2, fills_field=False
    )
    with_profile = _calibration().model_copy(update={"profile": flat})
    plain = _record(_calibration()).scale.at(NOW_S).per_count
    record = _record(with_profile)
    assert record.scale.at(NOW_S).per_count == pytest.approx(1.5 * plain)
    # A guard that knew of a steeper beam from its start reckons with that already.
    known = _record(with_profile, beam_peak_over_mean=1.6)
    assert known.scale.at(NOW_S).per_count == pytest.approx(plain)
    record.scale.take(_calibration())
    assert record.scale.at(NOW_S).per_count == pytest.approx(plain)
