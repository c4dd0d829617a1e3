"""Devices and rules that a beamline file declares."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from voltomo.profiles.as_it_stands import as_it_stands
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline
from voltomo.profiles.metadata import of_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.yaml_file import FileRefused, load_yaml

TEXT = """\
name: mine
source_name: somewhere
virtual: true
rows: 64
columns: 65
pixel_um: 1.3
axis_column: 42
row_delay_us: 10
energy_keV: 25.0
samples:
  - {name: cell, material: NMC622, dose_limit_Gy: 5.0e+5, beam_limit_s: 600, dose_limit_source: x}
devices:
  oven: {kind: Sensor, pv: "BL7:Oven:T", required: false}
  safety: {kind: PhotonShutter, command: "BL7:PSS", travel_s: 4}
rotation:
  wired: true
  low_deg: -200
  high_deg: 200
  blind_sectors: [[85, 95]]
keep_out:
  - name: camera hits the oven
    where: {distance: [null, 30], sample_y: [5, null]}
"""


def load(path: Path, *changes: str) -> BeamlineFile:
    """The file, with texts and what stands in their places one after the other."""
    text = TEXT
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    (path / "beamline.yml").write_text(text)
    return load_yaml(path / "beamline.yml", BeamlineFile)


def test_declared_devices_come_beside_those_that_the_virtual_beamline_serves(
    tmp_path: Path,
) -> None:
    file = load(tmp_path)
    assert {"slits", "distance", "lens", "tilt", "oven", "safety"} <= set(file.all_devices)
    assert not file.all_devices["oven"].required
    assert BeamlineFile.model_validate_json(file.model_dump_json()) == file
    spec = ScanFile(sample="cell", projections=20, exposure_s=0.01, period_s=0.02).spec(file)
    assert spec.blind_sectors == ((85.0, 95.0),)
    assert spec.read_out_s == pytest.approx(63e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("kind: Sensor", "kind: Sensr"), "13:16: devices.oven.kind: there is no kind 'Sensr'"),
        (("kind: Sensor", "kind: Sensr"), "did you mean 'Sensor'?"),
        (("pv:", "pvs:"), "devices.oven.pvs: is not known; did you mean 'pv'?"),
        (("kind: Sensor, ", ""), "devices.oven: needs 'kind': one of Axis"),
        (("travel_s: 4", "travel_s: soon"), "devices.safety.travel_s: must be a number"),
        (("oven: {", "energy: {"), "devices.energy: stands on every beamline"),
        (("oven: {", "presence: {"), "devices.presence: stands on every beamline"),
        (("oven: {", "Oven 2: {"), "is no name: small letters"),
        (("kind: Sensor", "kind: ophyd.sim.SynAxis"), "there is no kind 'ophyd.sim.SynAxis'"),
        (("distance:", "distanc:"), "there is no axis 'distanc'; did you mean 'distance'?"),
        (("[null, 30]", "[30, 3]"), "must go upwards"),
        (("low_deg: -200", "low_deg: 300"), "must go upwards"),
        (("wired: true", "wird: true"), "rotation.wird: is not known; did you mean 'wired'?"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_place(
    tmp_path: Path, changes: tuple[str, ...], said: str
) -> None:
    with pytest.raises(FileRefused) as caught:
        load(tmp_path, *changes)
    assert said in str(caught.value)
    assert "nothing was started" in str(caught.value)


def test_lenses_of_the_virtual_beamline_have_their_pixel_sizes() -> None:
    lenses = [{"name": "5x", "pixel_um": 1.3}, {"name": "10x", "pixel_um": 0.65}]
    twin = {"camera": {"lenses": lenses}}
    file = load_beamline("virtual").model_copy(update={"twin": twin})
    assert cast("Any", file.all_devices["lens"]).pixel_um == {"5x": 1.3, "10x": 0.65}


def test_the_pixel_size_follows_the_lens(tmp_path: Path) -> None:
    file = load(tmp_path)

    def behind(pixel_um: float) -> BeamlineFile:
        lens = SimpleNamespace(pixel_um=SimpleNamespace(get=lambda: pixel_um))
        return as_it_stands(file, cast("Any", SimpleNamespace(further={"lens": lens})))

    assert behind(1.3) is file
    assert behind(float("nan")) is file
    finer = behind(0.65)
    assert finer.pixel_um == 0.65
    # Ten columns from the middle are twenty behind a lens of twice the magnification.
    assert finer.axis_column == 52


def test_a_pink_beam_is_recorded_by_its_mean_and_width(tmp_path: Path) -> None:
    pink = load(tmp_path, "energy_keV: 25.0", "energy_keV: 25.0\nspectrum: {width_keV: 0.5}")
    said = of_beamline(pink)["spectrum"]
    assert said["kind"] == "band"
    assert said["mean_keV"] == pytest.approx(25, abs=0.01)
    assert said["width_keV"] == pytest.approx(0.5, rel=0.03)
    white = load(tmp_path, "energy_keV: 25.0", "energy_keV: 25.0\nspectrum: {critical_keV: 9}")
    assert of_beamline(white)["spectrum"]["width_keV"] > 5
    assert "spectrum" not in of_beamline(load(tmp_path))
    with pytest.raises(FileRefused, match="a spectrum needs one of 'width_keV'"):
        load(tmp_path, "energy_keV: 25.0", "energy_keV: 25.0\nspectrum: {}")
