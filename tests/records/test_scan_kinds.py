"""What exports say of every kind of scan: places, turns, stops, stored flats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.records.synthetic import SyntheticRun, contents, small_spec
from voltomo.model.place import Place
from voltomo.model.scan_spec import ScanSpec
from voltomo.records.nxtomo import export_nxtomo
from voltomo.records.report import write_report
from voltomo.records.scan import read_scan
from voltomo.records.transmission import transmission
from voltomo.runtime.run_folder import RunFolder


def spec_of(**changes: Any) -> ScanSpec:
    return ScanSpec.model_validate({**small_spec().model_dump(), **changes})


def exported(folder: RunFolder, run: SyntheticRun, *, link: bool = False) -> dict[str, Any]:
    scan = read_scan(folder, run.uid)
    assert scan.problems == ()
    write_report(scan, folder.root / "report.html", {})
    return contents(export_nxtomo(scan, folder.root / f"{run.uid}.nxs", link=link))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_frames_of_a_mosaic_know_their_place_and_the_axis_there(folder: RunFolder) -> None:
    places = (Place(x_mm=-0.02, z_mm=0.01), Place(x_mm=0.02, z_mm=0.01))
    found = exported(folder, SyntheticRun(folder, spec_of(places=places)).write())
    sweep = found["instrument/detector/image_key"] == 0
    block = found["voltomo/frames/block"][sweep]
    x_m = found["sample/x_translation"][sweep]
    names = found["voltomo/blocks/name"].astype(str).tolist()
    for number, place in ((names.index("sweep_0"), -20e-6), (names.index("sweep_1"), 20e-6)):
        assert np.allclose(x_m[block == number], 1e-3 + place)
        assert found["voltomo/blocks/x_shift"][number] == pytest.approx(place)
        axis = 23.5 + place / 2.5e-6
        assert found["voltomo/blocks/rotation_axis_column"][number] == pytest.approx(axis)
    # The stage's z is NeXus's y, and flats are taken at home.
    assert np.allclose(found["sample/y_translation"][sweep], 3e-3 + 10e-6)
    flats = found["instrument/detector/image_key"] == 1
    assert np.allclose(found["sample/x_translation"][flats], 1e-3 + 5e-3)
    assert "instrument/detector/x_rotation_axis_pixel_position" not in found


def test_half_acquisition_says_where_the_axis_is(folder: RunFolder) -> None:
    geometry = small_spec().geometry.model_copy(update={"projections": 120})
    place = Place(x_mm=0.04)
    spec = spec_of(geometry=geometry.model_dump(), places=(place,), half_acquisition=True)
    found = exported(folder, SyntheticRun(folder, spec).write())
    assert found["instrument/detector/field_of_view"] in ("Half", b"Half")
    assert found["instrument/detector/x_rotation_axis_pixel_position"] == pytest.approx(16)


def test_turns_are_numbered_and_stops_have_no_speed(folder: RunFolder) -> None:
    found = exported(folder, SyntheticRun(folder, spec_of(turns=2)).write())
    turn = found["voltomo/frames/turn"][found["instrument/detector/image_key"] == 0]
    assert np.array_equal(turn, np.repeat([0, 1], 60))
    angle = found["sample/rotation_angle"][found["instrument/detector/image_key"] == 0]
    assert np.allclose(angle, np.arange(120) * 3 + 1.2, atol=1e-6)


def test_stops_are_exported_at_the_angles_where_the_stage_stood(folder: RunFolder) -> None:
    run = SyntheticRun(folder, spec_of(motion="step", angles="golden")).write()
    found = exported(folder, run)
    angle = found["sample/rotation_angle"][found["instrument/detector/image_key"] == 0]
    (sweep,) = [block for block in run.spec.blocks() if block.kind == "sweep"]
    assert sweep.asked_deg is not None
    assert np.allclose(angle, sweep.asked_deg, atol=1e-9)


@pytest.mark.parametrize("link", [False, True])
def test_stored_flats_stand_in_and_say_so(folder: RunFolder, link: bool) -> None:
    first = SyntheticRun(folder).write()
    stored = {"stored_flats": first.uid, "flats_before": 0, "flats_after": 0}
    run = SyntheticRun(folder, spec_of(**stored)).write()
    found = exported(folder, run, link=link)
    own = exported(folder, first)
    flats, own_flats = (f["instrument/detector/image_key"] == 1 for f in (found, own))
    data, own_data = (f["instrument/detector/data"] for f in (found, own))
    assert np.array_equal(data[flats], own_data[own_flats])
    assert np.array_equal(found["voltomo/frames/stored"] == 1, flats)
    assert found["voltomo/stored_flats"] in (first.uid, first.uid.encode())
    assert found["voltomo/dose/by_cause/flats"] == 0
    seen, whole = (transmission(read_scan(folder, r.uid)).mean for r in (run, first))
    assert np.allclose(seen, whole, atol=0.01)


def test_stored_flats_that_are_not_there_are_told(folder: RunFolder) -> None:
    stored = {"stored_flats": "f00d" * 8, "flats_before": 0, "flats_after": 0}
    run = SyntheticRun(folder, spec_of(**stored)).write()
    scan = read_scan(folder, run.uid)
    assert "the stored flats of run f00df00df00d are not in this run folder" in scan.problems[0]


def test_flats_and_darks_alone_and_radiographs_can_be_exported(folder: RunFolder) -> None:
    found = exported(folder, SyntheticRun(folder, spec_of(sweeps=0)).write())
    assert set(found["instrument/detector/image_key"]) == {1, 2}
    still = small_spec().geometry.model_copy(update={"step_deg": 0.0, "start_deg": 30.0})
    run = SyntheticRun(folder, spec_of(geometry=still.model_dump(), motion="step")).write()
    found = exported(folder, run)
    sweep = found["instrument/detector/image_key"] == 0
    assert np.allclose(found["sample/rotation_angle"][sweep], 30.0)
