"""What a sample has received, from an exposure log alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.records.synthetic import SyntheticRun
from voltomo.cli.main import app
from voltomo.cli.sample_summary import sample_dose, worth_of
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.sample_dose import SampleDoseProjection
from voltomo.model.names import run_name
from voltomo.records.scan import read_scan
from voltomo.runtime.append_log import AppendLog, read_log
from voltomo.runtime.run_folder import RunFolder, write_json

CELL: dict[str, Any] = {
    "name": "cell 3", "material": "NMC811", "also": ["electrolyte"], "dose_limit_Gy": 1000.0,
    "beam_limit_s": 100.0, "policy": "operando_default",
}  # fmt: skip
PLACE = {"width_mm": 0.8, "height_mm": 0.4, "track": [[0.0, 0.0], [10.0, 180.0]]}
PER_FLUENCE = 7.5e-10


def _exposure(lease: str, dose_Gy: float, at_s: float, **more: Any) -> dict[str, Any]:
    return {
        "lease_id": lease, "sample": "cell 3", "scan_uid": None, "purpose": "sweep_0",
        "opened_utc_s": at_s, "closed_utc_s": at_s + 1.0, "flux": [], "dose_Gy": dose_Gy,
        "dose_per_fluence_Gy_cm2": PER_FLUENCE, "dose_central_Gy": 0.95 * dose_Gy, "open_s": 1.0,
        "charged_s": 1.0, "stamp": "", "energy_keV": 20.0, "place": PLACE,
    } | more  # fmt: skip


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    log = AppendLog(tmp_path / "ledger" / "exposure.log")
    request = {"sample": "cell 3", "holder": "anna", "purpose": "sweep_0"}
    reserve = {"lease_id": "a", "request": request, "reserved_Gy": 99.0, "reserved_s": 1.0}
    log.append("reserve", reserve)
    log.append("exposure", _exposure("a", 100.0, 1000.0, scan_uid="0123abcd-0"))
    log.append("settle", {"lease_id": "a"})
    log.append("exposure", _exposure("b", 50.0, 4600.0, purpose="foreign", place=None))
    log.append("exposure", _exposure("c", 7.0, 4700.0, sample="other"))
    log.close()
    return tmp_path / "ledger"


def _settings() -> GuardSettings:
    return GuardSettings.model_validate({"samples": [CELL]})


def test_classes_openers_and_time_are_what_the_log_says(ledger: Path) -> None:
    entries = list(read_log(ledger / "exposure.log"))
    found = SampleDoseProjection(_settings(), "cell 3").fold(entries)
    assert found.account.dose_Gy == pytest.approx(150.0)
    who = [(each.who, each.bound_Gy) for each in found.openers]
    assert who == [
        ("scan 0123abcd0 of anna", pytest.approx(100.0)),
        ("nobody who asked for it", pytest.approx(50.0)),
    ]
    active, electrolyte = found.classes
    assert (active.name, electrolyte.name) == ("active material", "electrolyte")
    # The electrolyte receives far less of the same photons; bounds contain estimates.
    assert electrolyte.bound_Gy < 0.1 * active.bound_Gy
    assert all(each.estimate_Gy < each.bound_Gy for each in found.classes)
    assert electrolyte.limit_Gy == 1e5
    assert found.placed
    assert found.made.unplaced == 1


def test_the_command_writes_a_page_with_curve_and_map(ledger: Path, tmp_path: Path) -> None:
    beamline = tmp_path / "beamline.yml"
    beamline.write_text(
        "name: own\nsource_name: test\nvirtual: true\nrows: 64\ncolumns: 64\npixel_um: 2.5\n"
        "energy_keV: 20\nsamples:\n  - {name: cell 3, material: NMC811, also: [electrolyte], "
        "dose_limit_Gy: 1000, beam_limit_s: 100, policy: operando_default}\n"
    )
    page = tmp_path / "page.html"
    words = ["--ledger", str(ledger), "--beamline", str(beamline), "--output", str(page)]
    done = CliRunner().invoke(app, ["dose", "show", "cell 3", *words])
    assert done.exit_code == 0, done.output
    assert "150 Gy at most" in done.output
    assert "15 % of its limit of 1 kGy (unverified default)" in done.output
    assert "nobody who asked for it" in done.output
    assert "counts everywhere" in done.output
    text = page.read_text()
    assert text.count("<svg") == 2
    assert "Dose in the sample" in text
    strange = CliRunner().invoke(app, ["dose", "show", "nobody", *words])
    assert strange.exit_code != 0
    assert "nobody knows a sample 'nobody'" in str(strange.exception)


def test_an_export_says_what_the_sample_had_received(tmp_path: Path) -> None:
    run = SyntheticRun(RunFolder(tmp_path / "run")).write()
    write_json(run.folder.settings, {"guard": {"samples": [CELL]}})
    words = ["export", "last", "--run-folder", str(run.folder.root)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    scan = read_scan(run.folder, run.uid)
    found = sample_dose(run.folder, scan)
    assert found is not None
    with h5py.File(run.folder.exports / f"{run_name(run.uid)}.nxs") as file:
        made = file["entry/voltomo/sample_dose"]
        assert isinstance(made, h5py.Group)
        assert made["total_upper_bound"][()] == pytest.approx(found.account.dose_Gy)  # type: ignore[index]
        assert np.all(made["hottest_upper_bound"][()] >= made["hottest"][()])  # type: ignore[index]
    report = next(run.folder.exports.glob("*.report.html")).read_text()
    for word in ("Dose efficiency", "Image-weighted dose", "Sample so far"):
        assert word in report


def test_what_the_dose_was_worth(tmp_path: Path) -> None:
    run = SyntheticRun(RunFolder(tmp_path / "run")).write()
    scan = read_scan(run.folder, run.uid)
    worth = worth_of(scan)
    assert worth.image_weighted_Gy is not None
    assert worth.counts_per_Gy is not None
    # Light that comes evenly has half of the dose before it.
    assert worth.image_weighted_Gy == pytest.approx(0.5 * scan.dose.dose_Gy, rel=0.2)
    counts = worth.counts_per_Gy * scan.dose.dose_Gy / scan.record.spec.geometry.projections
    assert 10_000 < counts < 20_000
