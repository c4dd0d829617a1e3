"""Own materials reach samples, guard and policies, as they reach the planner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from voltomo.cli.settings import check_settings
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.guard_ioc import make_core
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.ledger import Ledger
from voltomo.dose.policy_file import shipped_policies
from voltomo.model.sample import UNVERIFIED
from voltomo.profiles.beamline_file import known_materials, load_beamline
from voltomo.runtime.yaml_file import FileRefused

NEW = """materials:
  - {name: NMFO, formula: Na0.67Mn0.5Fe0.5O2, density_g_cm3: 4.1, material_class: active material}
  - name: slurry
    parts: {NMFO: 9, PVDF: 1}
    material_class: active material
"""
BEAMLINE = """name: own
source_name: test
virtual: true
rows: 64
columns: 64
pixel_um: 2.5
energy_keV: 20
material_file: own.yml
samples:
  - {name: cell, material: slurry, dose_limit_Gy: 100, beam_limit_s: 60, policy: post_mortem}
"""


def _written(folder: Path, materials: str = NEW, beamline: str = BEAMLINE) -> str:
    (folder / "own.yml").write_text(materials)
    (folder / "beamline.yml").write_text(beamline)
    return str(folder / "beamline.yml")


def test_the_guard_counts_by_a_material_of_ones_own(tmp_path: Path) -> None:
    file = load_beamline(_written(tmp_path))
    # What a guard's process reads, wherever it is started.
    settings = GuardSettings.model_validate(check_settings(file)["guard"])
    core = make_core(settings, Ledger())
    slurry = known_materials(file).find("slurry")
    each = dose_per_fluence_Gy_cm2(slurry, 20.0)
    assert core.account.absorption.of("cell") == pytest.approx(each)
    state = core.account.policy("cell", 0.0)
    assert state is not None
    assert list(state.taken_Gy) == ["active material"]
    assert state.rate_Gy_s["active material"] >= each * settings.flux_upper_bound_per_cm2_s


def test_mistakes_in_own_materials_are_found_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="density_g_cm3"):
        load_beamline(_written(tmp_path, NEW.replace("4.1", "-4.1")))
    unknown = BEAMLINE.replace("material: slurry", "material: slury")
    with pytest.raises(FileRefused, match="slurry"):
        check_settings(load_beamline(_written(tmp_path, beamline=unknown)))
    with pytest.raises(FileRefused, match="material_file"):
        load_beamline(_written(tmp_path, beamline=BEAMLINE.replace("own.yml", "none.yml")))


def test_a_policy_must_limit_what_ones_own_material_is(tmp_path: Path) -> None:
    own: dict[str, Any] = {"name": "gel", "formula": "C3H4O3", "density_g_cm3": 1.3}
    limits = {"dose_limit_Gy": 1.0, "beam_limit_s": 1.0, "policy": "post_mortem"}
    cell = {"name": "cell", "material": "gel"} | limits
    with pytest.raises(ValidationError, match="limits nothing that is in it"):
        GuardSettings.model_validate(
            {"materials": [own | {"material_class": "electrolyte"}], "samples": [cell]}
        )


def test_policies_that_ship_say_what_they_rest_on() -> None:
    for policy in shipped_policies():
        assert policy.rests_on.startswith(f"{UNVERIFIED}, ")
        assert all(limit.source == UNVERIFIED for limit in policy.limits)


def test_a_real_beamline_that_says_nothing_needs_a_calibration(tmp_path: Path) -> None:
    real = BEAMLINE.replace("virtual: true", f"ledger: {tmp_path}\nepics: {{ca_addresses: [h]}}")
    file = load_beamline(_written(tmp_path, beamline=real))
    assert check_settings(file)["guard"]["calibration_file"] == "flux-calibration.json"
    said = file.model_copy(update={"guard": {"flux_per_monitor_count": 2e4}})
    assert check_settings(said)["guard"]["calibration_file"] is None
