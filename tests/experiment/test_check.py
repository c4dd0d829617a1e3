"""What ``voltomo check`` says of an experiment."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.experiment.experiments import SHIPPED, write
from voltomo.cli.main import app


def checked(path: Path) -> Result:
    return CliRunner().invoke(app, ["check", str(path)])


def test_the_shipped_experiment_can_be_run() -> None:
    result = checked(SHIPPED / "experiment.yml")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert sum(line.startswith("tomography") for line in lines) == 30
    assert sum(line.startswith("laminography") for line in lines) == 4
    assert sum(line.startswith("cool") for line in lines) == 1
    assert "35 scans" in result.stdout
    assert result.stderr == ""


SOC = "- {quantity: soc, at: 0.9}"
REFUSED = [
    ("experiment.yml", (SOC, "- {quantity: soc, at: 1.01}"), "never comes true: soc rising"),
    ("experiment.yml", (SOC, "- {quantity: cycle, at: 7}"), "cycle lies between 0 and 2"),
    ("experiment.yml", ("at: 12, dir", "at: 8, dir"), "temperature_C lies between 10 and 40"),
    ("experiment.yml", ("soc: 0.005}", "soc: 0.001}"), "the state of charge moves by 0.002"),
    ("experiment.yml", ("longest_s: 300", "longest_s: 30"), "longer than the cell may be held"),
    ("experiment.yml", ("time_h: 72", "time_h: 20"), "all takes about 41.6 h"),
    ("experiment.yml", ("data_GB: 10", "data_GB: 1"), "all scans write about 1.26 GB"),
    ("experiment.yml", ("data_GB: 10", "dose_Gy: {electrolyte: 500}"), "above the experiment's"),
    ("experiment.yml", ("data_GB: 10", "dose_Gy: {glass: 500}"), "nothing of the class 'glass'"),
    ("experiment.yml", ("resolution_um: 6", "resolution_um: 2"), "5 µm is the least"),
    ("experiment.yml", ("resolution_um: 6", "snr: 5000"), "and 5000 is wanted"),
    ("experiment.yml", ("sample: demo cell", "sample: other"), "the experiment is of 'other'"),
    ("experiment.yml", ("file: experiment-tomography", "file: absent"), "cannot be read"),
    (
        "experiment.yml",
        (SOC, "- {quantity: soc, at: 0.9}\n      - {quantity: soc, at: 0.9001}"),
        "set its conditions further apart",
    ),
    (
        "experiment.yml",
        ("rate_C: 0.1, until_voltage_V: 4.15", "rate_C: 0.1, until_time_s: 72000"),
        "above its limit of 4.2 V after about",
    ),
    ("experiment-plan.yml", ("flux_per_cm2_s: 1.0e+11", "flux_per_cm2_s: 2.0e+13"), "would fit"),
    ("experiment-plan.yml", ("energy_keV: 20", "energy_kev: 20"), "did you mean 'energy_keV'?"),
    ("experiment-tomography.yml", ("projections", "projektions"), "did you mean 'projections'?"),
]


@pytest.mark.parametrize(("file", "change", "said"), REFUSED, ids=[said for _, _, said in REFUSED])
def test_what_cannot_be_run_is_said_with_its_line(
    file: str, change: tuple[str, str], said: str, tmp_path: Path
) -> None:
    path = write(tmp_path, change, file=file)
    result = checked(path)
    assert result.exit_code == 1
    assert said in result.stderr
    assert f"{path}:" in result.stderr
    assert "^" in result.stderr
    assert "nothing was started" in result.stderr


def test_two_at_once_of_one_priority_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ("{quantity: time_s, at: 1800}", "{quantity: soc, at: 0.5}"))
    path = write(tmp_path, ("priority: 1", "priority: 0"))
    result = checked(path)
    assert result.exit_code == 1
    said = "'laminography' and 'tomography' are due at once with the same priority"
    assert said in result.stderr


def test_of_two_at_once_the_higher_priority_goes_first(tmp_path: Path) -> None:
    path = write(tmp_path, ("{quantity: time_s, at: 1800}", "{quantity: soc, at: 0.5}"))
    result = checked(path)
    assert result.exit_code == 0, result.stderr
    assert "'laminography' goes first, and 'tomography' is left out" in result.stdout


def test_what_cannot_be_foreseen_is_said_and_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, ("{quantity: time_s, at: 1800}", "{quantity: dV_dt_V_per_s, at: 0.01}"))
    result = checked(path)
    assert result.exit_code == 0, result.stderr
    assert "cannot be foreseen and is left out of times and dose" in result.stdout


def test_all_mistakes_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, ("time_h: 72", "time_h: 20"), ("longest_s: 300", "longest_s: 30"))
    assert "2 mistake(s); nothing was started" in checked(path).stderr


def test_a_beamline_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(write(tmp_path)), "-b", "nowhere"])
    assert result.exit_code != 0


def test_a_policy_that_limits_nothing_in_the_cell_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(
        "policies:\n  - name: mine\n    limits:\n"
        "      - {material_class: solid electrolyte, dose_Gy: 1.0e+6}\n",
        encoding="utf-8",
    )
    own = ("budget: {policy: operando_default}", "budget: {policy: mine}\npolicy_file: own.yml")
    path = write(tmp_path, own, file="experiment-plan.yml")
    result = checked(path)
    assert result.exit_code == 1
    assert "limits no dose of what is in the cell" in result.stderr
    assert "Nothing can be said of dose." in result.stdout


def test_beam_time_above_the_beamlines_limit_is_refused(tmp_path: Path) -> None:
    beamline = tmp_path / "beamline.yml"
    text = (SHIPPED / "beamline.yml").read_text(encoding="utf-8")
    beamline.write_text(text.replace("beam_limit_s: 900", "beam_limit_s: 90"), encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(write(tmp_path)), "-b", str(beamline)])
    assert result.exit_code == 1
    assert "the beamline allows 'demo cell' 90 s of beam in all" in result.stderr
