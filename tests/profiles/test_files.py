"""The shipped beamline, and scans on it."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from voltomo.cli.settings import check_settings
from voltomo.profiles.beamline_file import (
    BeamlineFile,
    find_beamline,
    load_beamline,
    running_beamline,
)
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.run_folder import RunFolder, write_json
from voltomo.runtime.yaml_file import FileRefused, load_yaml

SCAN = {"sample": "demo cell", "projections": 180, "exposure_s": 0.02, "period_s": 0.04}


def changed(**values) -> BeamlineFile:
    return BeamlineFile.model_validate(load_beamline("virtual").model_dump() | values)


def test_the_shipped_beamline_is_in_order() -> None:
    file = load_beamline("virtual")
    assert file.virtual
    assert set(check_settings(file)) == {"catalogue", "guard", "live", "twin"}


def test_a_beamline_is_found_by_name_file_or_folder(tmp_path: Path) -> None:
    shipped = find_beamline("virtual")
    assert find_beamline(str(shipped)) == shipped
    assert find_beamline(str(shipped.parent)) == shipped
    with pytest.raises(FileRefused, match="no beamline 'vritual'; shipped: virtual"):
        find_beamline("vritual")


def test_what_runs_is_read_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with pytest.raises(FileNotFoundError, match="start them with 'voltomo up'"):
        running_beamline(folder)
    file = load_beamline("virtual")
    write_json(folder.beamline_file, file.model_dump(mode="json"))
    assert running_beamline(folder) == file


def test_an_axis_off_the_detector_and_twin_names_are_refused() -> None:
    with pytest.raises(ValidationError, match="between 0 and 255; got 256"):
        changed(axis_column=256)
    sample = load_beamline("virtual").samples[0].model_dump()
    with pytest.raises(ValidationError, match="two samples have the name 'demo cell'"):
        changed(samples=[sample, sample])


def test_settings_that_a_service_does_not_know_are_all_listed() -> None:
    file = changed(live={"snr_mn": 1}, guard={"stale_s": "soon"}, twin={"camera": {"rows": -1}})
    with pytest.raises(FileRefused) as refusal:
        check_settings(file)
    message = str(refusal.value)
    assert "live.snr_mn: is not known; did you mean 'snr_min'?" in message
    assert "guard.stale_s:" in message
    assert "twin.camera.rows:" in message
    assert message.endswith("3 mistake(s); nothing was started")
    with pytest.raises(FileRefused, match=r"twin\.camera must be a group"):
        check_settings(changed(twin={"camera": 5}))
    check_settings(changed(twin={"camera": None}))


def real(**changes: object) -> dict[str, object]:
    values = load_beamline("virtual").model_dump(mode="json", exclude={"twin", "epics", "pvs"})
    values |= {"virtual": False, "ledger": "/data/ledger", "epics": {"ca_addresses": ["ioc1"]}}
    return {key: value for key, value in (values | changes).items() if value is not None}


def written(tmp_path: Path, values: dict[str, object]) -> str:
    path = tmp_path / "beamline.yml"
    path.write_text(yaml.safe_dump(values, sort_keys=False))
    return str(path)


def test_a_real_beamline_names_its_servers_and_its_pvs(tmp_path: Path) -> None:
    pvs = {"camera": "CAM:", "ring_current": None, "energy_moving": None}
    file = load_beamline(written(tmp_path, real() | {"prefix": "BL7:", "pvs": pvs}))
    assert file.names.camera == "CAM:"
    assert file.names.rotation == "BL7:Stage:Rotation"
    assert file.names.ring_current is None
    assert file.software_guard_only
    assert not file.model_copy(update={"shutter_closes_when_stale": True}).software_guard_only
    assert not load_beamline("virtual").software_guard_only
    assert set(check_settings(file)) == {"catalogue", "guard", "live"}
    assert BeamlineFile.model_validate_json(file.model_dump_json()) == file


@pytest.mark.parametrize("key", ["epics", "pvs"])
def test_a_virtual_beamline_reaches_no_other(tmp_path: Path, key: str) -> None:
    values = real(epics=None, virtual=True) | {key: {}}
    with pytest.raises(FileRefused, match=rf"yml:\d+:\d+: {key}: a virtual beamline serves its"):
        load_beamline(written(tmp_path, values))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epics": None}, "needs 'epics' with 'ca_addresses'"),
        ({"epics": {"pva_addresses": ["cam"]}}, "needs 'epics' with 'ca_addresses'"),
        ({"epics": {"ca_adresses": ["ioc"]}}, "did you mean 'ca_addresses'"),
        ({"epics": {"ca_addresses": ["ioc:99999"]}}, "'ioc:99999' is no address"),
        ({"epics": {"ca_addresses": ["a;b"]}}, "'a;b' is no address"),
        ({"ledger": None}, "needs 'ledger', the folder of its exposure log"),
        ({"ledger": "ledger"}, "must be an absolute path"),
        ({"pvs": {"camra": "CAM:"}}, "did you mean 'camera'"),
    ],
)
def test_a_real_beamline_that_lacks_something_is_refused(
    tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    with pytest.raises(FileRefused, match=sentence):
        load_beamline(written(tmp_path, real(**changes)))


@pytest.mark.parametrize(
    "setting", [{"source": "replay"}, {"energy_keV": 90.0}, {"samples": []}, {"prefix": "XX:"}]
)
def test_what_the_file_says_once_the_guard_is_not_told_otherwise(setting: dict[str, Any]) -> None:
    (key,) = setting
    with pytest.raises(FileRefused, match=rf"^guard\.{key}: follows from the rest of the file"):
        check_settings(changed(guard=setting))


def test_a_material_that_nobody_knows_is_refused_before_anything_starts() -> None:
    sample = load_beamline("virtual").samples[0].model_dump() | {"material": "NMC881"}
    with pytest.raises(FileRefused, match=r"samples: .*did you mean NMC811"):
        check_settings(changed(samples=[sample]))


def test_a_scan_takes_pixels_and_axis_from_the_beamline() -> None:
    file = load_beamline("virtual")
    spec = ScanFile.model_validate(SCAN).spec(file)
    assert spec.geometry.axis == file.axis_column
    assert spec.geometry.step_deg == 1.0
    assert ScanFile.model_validate(SCAN).spec(file, 120.0).geometry.axis == 120.0


def test_a_sample_without_limits_is_refused() -> None:
    with pytest.raises(FileRefused, match="sample 'mine' is not known to the beamline 'virtual'"):
        ScanFile.model_validate(SCAN | {"sample": "mine"}).spec(load_beamline("virtual"))


def test_an_exposure_that_does_not_fit_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "scan.yml"
    path.write_text(yaml.safe_dump(SCAN | {"exposure_s": 0.05}))
    with pytest.raises(FileRefused, match=r"yml:\d:11: period_s: exposure_s \(0\.05\) must"):
        load_yaml(path, ScanFile)


def test_a_scan_that_was_written_out_is_read_back(tmp_path: Path) -> None:
    scan = ScanFile.model_validate(SCAN | {"exposure_s": 1e-5})
    path = tmp_path / "scan.yml"
    path.write_text(yaml.safe_dump(scan.model_dump(mode="json"), sort_keys=False))
    assert load_yaml(path, ScanFile) == scan
