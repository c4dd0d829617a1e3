"""Own materials from a file: what they become, and how mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from voltomo.dose.attenuation import mass_energy_absorption
from voltomo.dose.material_file import load_materials
from voltomo.dose.materials import Material, MaterialError, shipped_materials
from voltomo.runtime.yaml_file import FileRefused

TEXT = """\
# materials.yml
materials:
  - name: NMC955
    formula: LiNi0.9Mn0.05Co0.05O2
    density_g_cm3: 4.7
    heat_capacity_J_per_g_K: 0.9
    material_class: active material
  - name: my coating
    parts: {NMC955: 95, PVDF: 3, graphite: 2}
  - name: my electrolyte
    parts: {EC: 0.3, EMC: 0.6, LiPF6: 0.1}
    density_g_cm3: 1.19
    conductivity_W_per_m_K: 0.17
    material_class: electrolyte
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "materials.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_own_materials_stand_beside_the_shipped_ones(tmp_path: Path) -> None:
    known = load_materials(write(tmp_path, TEXT))
    assert set(known.names) - set(shipped_materials().names) == {
        "NMC955", "my coating", "my electrolyte",
    }  # fmt: skip
    own = known.find("nmc-955")
    assert own.material_class == "active material"
    assert own.density_g_cm3 == 4.7
    coating = known.find("my coating")
    parts = {"NMC955": 0.95, "PVDF": 0.03, "graphite": 0.02}
    mean = sum(s * mass_energy_absorption(known.find(n), 25.0) for n, s in parts.items())
    assert mass_energy_absorption(coating, 25.0) == pytest.approx(mean)
    electrolyte = known.find("my electrolyte")
    assert electrolyte.density_g_cm3 == 1.19
    assert electrolyte.conductivity_W_per_m_K == 0.17
    assert electrolyte.heat_capacity_J_per_g_K is not None


@pytest.mark.parametrize(
    ("was", "becomes", "line", "says"),
    [
        ("PVDF: 3", "PVDFF: 3", 9, "There is no material named 'PVDFF'; did you mean PVDF"),
        ("PVDF: 3", "PVDF: -3", 9, "mass of a part must be above 0; it says -3"),
        ("LiNi0.9", "LiXx0.9", 4, "cannot be read at 'Xx0.9Mn0.05Co0.05O2'"),
        ("name: NMC955", "name: nmc 811", 3, "known already (NMC811: LiNi0.8Mn0.1Co0.1O2, 4.75"),
        ("density_g_cm3: 4.7", "densty: 4.7", 5, "did you mean 'density_g_cm3'"),
        ("density_g_cm3: 4.7", "density_g_cm3: -4.7", 5, "must be greater than 0"),
        ("density_g_cm3: 4.7", "density_g_cm3: 4700", 5, "must be less than or equal to 25"),
        ("    density_g_cm3: 4.7\n", "", 3, "a compound needs 'density_g_cm3'"),
        ("    formula: LiNi0.9Mn0.05Co0.05O2\n", "", 3, "either 'formula' (a compound) or 'parts'"),
        ("class: active material", "class: cathode", 7, "must be 'active material', 'electrolyte'"),
    ],
)
def test_mistakes_are_named_with_their_line(
    tmp_path: Path, was: str, becomes: str, line: int, says: str
) -> None:
    with pytest.raises(FileRefused) as refused:
        load_materials(write(tmp_path, TEXT.replace(was, becomes, 1)))
    assert f"materials.yml:{line}:" in str(refused.value)
    assert says in str(refused.value)
    assert "nothing was started" in str(refused.value)


def test_a_part_may_only_stand_further_up(tmp_path: Path) -> None:
    text = "materials:\n  - name: a\n    parts: {b: 1}\n  - name: b\n    parts: {EC: 1}\n"
    with pytest.raises(FileRefused, match="no material named 'b'"):
        load_materials(write(tmp_path, text))


def test_a_known_name_keeps_its_meaning() -> None:
    own = Material.from_formula("Kapton", "C", 1.0)
    with pytest.raises(MaterialError, match="'Kapton' is known already"):
        shipped_materials().with_own(own)
    assert shipped_materials().find("Kapton").name == "polyimide"
