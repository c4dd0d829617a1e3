"""``voltomo dose plan`` as a person meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.dose.plans import write
from voltomo.cli.errors import Refused
from voltomo.cli.main import app
from voltomo.runtime.yaml_file import FileRefused


def run(*words: str) -> tuple[str, BaseException | None]:
    result = CliRunner().invoke(app, ["dose", "plan", *words])
    error = result.exception
    return result.output, None if isinstance(error, SystemExit) else error


def test_a_series_that_fits(tmp_path: Path) -> None:
    path = write(tmp_path, ("time_points: 10", "time_points: 3"))
    output, error = run(str(path))
    assert error is None
    assert "cathode    electrolyte" in output
    assert "of the dose gives no projection" in output
    assert "such scans fit, and 1 beside for the end of the series" in output
    assert "For 3 time points: attenuator" in output
    assert "\n  projections: " in output
    assert "The best contrast per gray is had at" in output
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2
    for elsewhere in ("http://", "https://", "<script"):
        assert elsewhere not in page.replace('xmlns="http://www.w3.org/', "").replace(
            'xmlns:xlink="http://www.w3.org/', ""
        )


def test_a_series_that_does_not_fit_is_shown_and_refused(tmp_path: Path) -> None:
    page = tmp_path / "elsewhere.html"
    output, error = run(str(write(tmp_path)), "--output", str(page))
    assert isinstance(error, Refused)
    assert "this does not fit: electrolyte has received 0 Gy of 1e+05 Gy" in str(error)
    assert "would fit: take fewer, or give each less" in str(error)
    assert "For 10 time points: attenuator" in output
    assert "does not fit" in page.read_text(encoding="utf-8")


def test_what_is_not_detectable_is_said(tmp_path: Path) -> None:
    hard = ("material: NMC811, against: LP57", "material: PVDF, against: LP57")
    output, error = run(str(write(tmp_path, hard, ("time_points: 10", "time_points: 1"))))
    assert error is None
    assert "not detectable at this dose. It would take" in output


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("NMC811: 95", "NMC8111: 95"), "did you mean NMC811"),
        (("thickness_um: 60", "thickness_um: -60"), "it says -60"),
        (("1.0e+13", "0"), "without flux there is no scan"),
    ],
)
def test_mistakes_are_refused_before_anything_is_written(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    _, error = run(str(write(tmp_path, change)))
    assert isinstance(error, FileRefused)
    assert says in str(error)
    assert not (tmp_path / "plan.html").exists()
