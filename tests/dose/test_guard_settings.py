"""Settings of the guard: what cannot be counted with is refused before anything starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from voltomo.dose.guard_settings import GuardSettings, read_guard_settings


def sample(material: str) -> dict[str, Any]:
    return {"name": "cell", "material": material, "dose_limit_Gy": 1.0, "beam_limit_s": 1.0}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"samples": [sample("NMC118")]}, "sample 'cell': There is no material named 'NMC118'"),
        ({"energy_keV": 20000}, "less than or equal to 100"),
        ({"stale_s": 0}, "greater than 0"),
        ({"staletime_s": 1}, "Extra inputs"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        GuardSettings.model_validate(settings)


def test_the_section_of_a_run_is_read_and_defaults_hold_without_one(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert read_guard_settings(path) == GuardSettings()
    path.write_text(json.dumps({"guard": {"samples": [sample("NMC811")], "stale_s": 0.4}}))
    settings = read_guard_settings(path)
    assert settings.sample("cell") is not None
    assert settings.sample("stranger") is None
    assert settings.floor_s == pytest.approx(0.4 + settings.travel_s + settings.frame_s)
