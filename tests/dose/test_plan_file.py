"""Plan files: what is understood, and in which words the rest is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dose.plans import plan, write
from voltomo.dose.plan_file import load_plan
from voltomo.dose.shapes import Sheets, Shells
from voltomo.runtime.yaml_file import FileRefused

LAYERS_END = "    - {material: laminate, thickness_um: 110}\nbeam:"


def test_a_pouch(tmp_path: Path) -> None:
    made = plan(tmp_path)
    assert isinstance(made.shape, Sheets)
    assert [layer.name for layer in made.shape.layers] == [
        "laminate", "aluminium", "cathode", "separator", "anode", "copper", "laminate",
    ]  # fmt: skip
    assert made.spectrum.total_per_cm2_s == pytest.approx(1e13)
    assert made.scan.geometry.range_deg == pytest.approx(180.0)
    assert made.policy.name == "operando_default"


def test_unit_cells_are_repeated(tmp_path: Path) -> None:
    repeat = "  repeat: {first: 2, last: 6, times: 3}\nbeam:"
    made = plan(tmp_path, ("beam:", repeat))
    names = [layer.name for layer in made.shape.layers]
    assert len(names) == 2 + 3 * 5
    assert names[1:6] == names[6:11] == names[11:16]


def test_attenuators_that_are_in(tmp_path: Path) -> None:
    made = plan(tmp_path, ("detector:", "  in_beam: [2]\ndetector:"))
    assert made.spectrum.total_per_cm2_s < 0.5 * 1e13


def test_a_capillary_is_filled_to_the_middle(tmp_path: Path) -> None:
    text = (
        "  shape: capillary\n  diameter_mm: 1\n  layers:\n"
        "    - {material: quartz, thickness_um: 10}\n    - {material: LFP, porosity: 0.5}\nbeam:"
    )
    path = write(tmp_path)
    whole = path.read_text()
    path.write_text(whole[: whole.index("  shape:")] + text + whole[whole.index("beam:") + 5 :])
    made = load_plan(path)
    assert isinstance(made.shape, Shells)
    assert [layer.thickness_um for layer in made.shape.layers] == pytest.approx([10.0, 490.0])


@pytest.mark.parametrize(
    ("beam", "mean_keV"),
    [("critical_keV: 20", None), ("energy_keV: 25\n  width_keV: 0.5", 25.0),
     ("spectrum: [[20, 1], [25, 2], [30, 1]]", 25.0)],
)  # fmt: skip
def test_pink_beams(tmp_path: Path, beam: str, mean_keV: float | None) -> None:
    windows = beam + "\n  windows: [{material: Be, thickness_um: 500}]"
    made = plan(tmp_path, ("energy_keV: 25", windows))
    assert made.spectrum.total_per_cm2_s == pytest.approx(1e13)
    assert mean_keV is None or made.spectrum.mean_keV == pytest.approx(mean_keV, rel=0.01)


def test_own_materials_and_policies_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(
        "materials:\n  - {name: NMC955, formula: LiNi0.9Mn0.05Co0.05O2, density_g_cm3: 4.7,"
        " material_class: active material}\n"
    )
    (tmp_path / "limits.yml").write_text(
        "policies:\n  - name: gentle\n    limits: [{material_class: electrolyte, dose_Gy: 5e3}]\n"
    )
    made = plan(
        tmp_path,
        ("# plan.yml\n", "material_file: own.yml\npolicy_file: limits.yml\n"),
        ("NMC811: 95", "NMC955: 95"),
        ("policy: operando_default", "policy: gentle"),
    )
    assert made.policy.limits[0].dose_Gy == 5e3
    assert "NMC955" in made.known.names


@pytest.mark.parametrize(
    ("was", "becomes", "line", "says"),
    [
        ("NMC811: 95", "NMC8111: 95", 10, "no material named 'NMC8111'; did you mean NMC811"),
        ("material: Cu", "material: Copperr", 15, "did you mean copper"),
        ("filled_with: LP57", "filled_with: LP75", 12, "no material named 'LP75'; did you mean"),
        ("thickness_um: 60", "thickness_um: -60", 9, "thicker than 0 µm; it says -60"),
        ("thickness_um: 60", "thickness_um: 60 um", 9, "must be a number"),
        ("thickness_um: 60", "thickness_um: 600000", 9, "the unit is micrometres"),
        ("      thickness_um: 60\n", "", 8, "a layer needs 'thickness_um'"),
        ("porosity: 0.3", "porosity: 30", 11, "30 % are 0.3"),
        ("PVDF: 2", "PVDF: 0", 10, "mass of a solid must be above 0"),
        ("1.0e+13", "0", 19, "without flux there is no scan; it says 0"),
        ("1.0e+13", "-3", 19, "without flux there is no scan; it says -3"),
        ("1.0e+13", "10", 19, "is it scaled rightly? A flux per mm² is 100 times larger"),
        ("1.0e+13", "1e20", 19, "no X-ray source gives 1e+20"),
        ("energy_keV: 25", "energy_keV: 25000", 18, "it says 25000; that is eV?"),
        ("energy_keV: 25", "critical_keV: 20\n  energy_keV: 25", 18, "the beam needs one of"),
        ("Al, thickness_um: 3000", "Alu, thickness_um: 3000", 25, "named 'Alu'"),
        ("against: LP57", "against: LP99", 32, "no material named 'LP99'"),
        ("operando_default", "operando", 33, "did you mean 'operando_default'"),
        ("time_points: 10", "time_points: 0", 33, "must be greater than or equal to 1"),
        ("width_mm: 4", "diameter_mm: 4", 3, "a pouch needs 'width_mm', and no 'diameter_mm'"),
        ("step_deg", "step", 29, "did you mean 'step_deg'"),
        ("exposure_s: 0.02", "exposure_s: 0.2", 28, "does not fit into a period of 0.022 s"),
        ("budget: {", "budget: {taken_Gy: {electrolyte: -1}, ", 33, "a dose is 0 Gy or more"),
        ("detector:", "  in_beam: [3]\ndetector:", 26, "attenuator 3 is not listed; there are 2"),
        ("beam:", "  repeat: {first: 5, last: 9, times: 2}\nbeam:", 17, "layers 5 to 9 cannot be"),
        ("# plan.yml", "material_file: none.yml", 1, "cannot be read"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_their_line(
    tmp_path: Path, was: str, becomes: str, line: int, says: str
) -> None:
    with pytest.raises(FileRefused) as refused:
        load_plan(write(tmp_path, (was, becomes)))
    assert f"plan.yml:{line}:" in str(refused.value)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ("[{material: Al, thickness_um: 600}, {material: LFP}]", "the radius is 500 µm"),
        ("[{material: Al, thickness_um: 500}, {material: LFP}]", "nothing is left for the layer"),
        ("[{material: Al, thickness_um: 100}]", "leave out 'thickness_um' of the one in the mid"),
        ("[{material: Al}, {material: LFP}]", "a layer needs 'thickness_um'"),
        ("[{material: Al}]\n  mounting: flat", "the rotation axis of a cylinder is its own"),
    ],
)
def test_round_cells_that_cannot_be(tmp_path: Path, cell: str, says: str) -> None:
    path = write(tmp_path)
    whole = path.read_text()
    head = "cell:\n  shape: cylinder\n  diameter_mm: 1\n  layers: "
    path.write_text(head + cell + "\n" + whole[whole.index("beam:") :])
    with pytest.raises(FileRefused, match=says):
        load_plan(path)
