"""Every kind of scan as a person writes it down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from tests.records.synthetic import SyntheticRun
from voltomo.model.scan_spec import ScanSpec
from voltomo.profiles.beamline_file import load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.profiles.stored_flats import with_stored_flats
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.yaml_file import FileRefused, load_yaml

SCAN = {"sample": "demo cell", "projections": 180, "exposure_s": 0.02, "period_s": 0.04}
BEAMLINE = load_beamline("virtual")


def spec_of(**options: Any) -> ScanSpec:
    return ScanFile.model_validate(SCAN | options).spec(BEAMLINE)


@pytest.mark.parametrize(
    ("options", "plan_name"),
    [
        ({}, "tomography"),
        ({"kind": "tomography_step"}, "tomography_step"),
        ({"kind": "radiography"}, "radiography"),
        ({"kind": "laminography", "tilt_deg": 30.0}, "laminography"),
        ({"kind": "flats_and_darks", "projections": None}, "flats_and_darks"),
    ],
)
def test_a_kind_is_run_by_the_plan_of_its_name(options, plan_name: str) -> None:
    assert spec_of(**options).plan_name == plan_name


def test_tiles_overlap_and_are_carried_along_by_the_axis() -> None:
    spec = spec_of(tiles_x=2, tiles_z=1, tile_overlap=0.25, axis_shift_mm=0.1)
    left, right = spec.places
    assert right.x_mm - left.x_mm == pytest.approx(0.75 * 256 * 2.5e-3)
    assert (right.x_mm + left.x_mm) / 2 == pytest.approx(0.1)
    assert spec_of().places == ()


def test_half_acquisition_needs_the_axis_at_an_edge() -> None:
    spec = spec_of(half_acquisition=True, range_deg=360.0, axis_shift_mm=0.25)
    assert spec.axis_column(spec.blocks()[3]) == pytest.approx(129.8 + 100)
    with pytest.raises(FileRefused, match=r"such a scan cannot be: .*near an edge.*nothing was"):
        spec_of(half_acquisition=True, range_deg=360.0)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"projections": None}, "is missing"),
        ({"tilt_deg": 30.0}, "left out in other kinds"),
        ({"kind": "laminography"}, "above 0 in a laminography"),
        ({"kind": "tomograph"}, "'tomography'"),
        ({"tile_overlap": 1.0}, "less than 1"),
    ],
)
def test_what_does_not_go_together_is_refused(wrong, sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ScanFile.model_validate(SCAN | wrong)


def test_a_file_survives_being_written_again(tmp_path: Path) -> None:
    file = ScanFile.model_validate(SCAN | {"sweeps": 4, "interlace": "golden", "turns": 2})
    path = tmp_path / "scan.yml"
    path.write_text(yaml.safe_dump(file.model_dump(mode="json")))
    assert load_yaml(path, ScanFile) == file


def recorded(tmp_path: Path) -> tuple[RunFolder, SyntheticRun, ScanSpec]:
    folder = RunFolder(tmp_path / "run")
    run = SyntheticRun(folder).write()
    wanted = run.spec.model_dump() | {"flats_before": 0, "flats_after": 0, "stored_flats": "last"}
    return folder, run, ScanSpec.model_validate(wanted)


def test_stored_flats_are_found_by_their_first_digits(tmp_path: Path) -> None:
    folder, run, wanted = recorded(tmp_path)
    assert with_stored_flats(run.spec, folder) is run.spec
    assert with_stored_flats(wanted, folder).stored_flats == run.uid
    digits = wanted.model_copy(update={"stored_flats": run.uid[:6]})
    assert with_stored_flats(digits, folder).stored_flats == run.uid


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stored_flats": "zzz"}, "to name one run in .*, saw 0; no beam was used"),
        ({"exposure_s": 0.01}, "an exposure of 0.01 s of the run .*, saw 0.02 s"),
    ],
)
def test_stored_flats_that_do_not_fit_are_refused(tmp_path, changes, sentence: str) -> None:
    folder, _, wanted = recorded(tmp_path)
    with pytest.raises(FileRefused, match=sentence):
        with_stored_flats(wanted.model_copy(update=changes), folder)
