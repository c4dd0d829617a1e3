"""Settings of the services, checked by their own models before anything starts."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from voltomo.profiles.beamline_file import BeamlineFile, own_materials
from voltomo.profiles.flux import CALIBRATION_NAME
from voltomo.runtime.yaml_file import FileRefused, sentence

_PLAYED_keV = (8.0, 60.0)
"""What the virtual beamline can be set to while it plays a recording."""

_CALIBRATION = ("calibration_file", "flux_per_monitor_count")
_DERIVED = ("prefix", "source", "samples", "materials", "energy_keV", "watching")
"""What of the guard's settings nobody may say twice, or doses could be counted otherwise."""


def _said_twice(file: BeamlineFile) -> list[str]:
    return [
        f"guard.{key}: follows from the rest of the file; leave it out"
        for key in _DERIVED
        if key in file.guard
    ]


def _guard_section(file: BeamlineFile, source: str, energy_keV: float) -> dict[str, Any]:
    guard: dict[str, Any] = {
        "prefix": file.prefix,
        "samples": [sample.model_dump() for sample in file.samples],
        "energy_keV": energy_keV,
        "source": "twin" if source == "phantom" else source,
        "materials": [entry.model_dump(mode="json") for entry in own_materials(file)],
        **file.guard,
    }
    if source == "beamline" and not any(name in file.guard for name in _CALIBRATION):
        # Nobody said what the monitor's counts mean: a calibration must, or the bound counts.
        guard["calibration_file"] = CALIBRATION_NAME
    return guard


def check_settings(file: BeamlineFile) -> dict[str, Any]:
    """Sections of ``settings.json`` for a beamline.

    Raises
    ------
    FileRefused
        A setting is unknown to its service or out of range, or a sample is made of a material
        that nobody knows; all of them are listed.
    """
    from voltomo.dose.guard_settings import GuardSettings
    from voltomo.live.settings import LiveSettings
    from voltomo.records.catalogue_settings import CatalogueSettings
    from voltomo.twin.settings import TwinSettings

    of_camera = file.twin.get("camera") or {}
    if not isinstance(of_camera, dict):
        raise FileRefused("twin.camera must be a group of 'key: value' lines; nothing was started")
    shared = ("rows", "columns", "pixel_um", "axis_column", "row_delay_us")
    camera = {name: getattr(file, name) for name in shared}
    source = of_camera.get("source", "phantom") if file.virtual else "beamline"
    energy_keV = file.energy_keV
    if source == "replay":
        # What is played was recorded at its own energy; nothing here depends on it.
        energy_keV = min(max(energy_keV, _PLAYED_keV[0]), _PLAYED_keV[1])
    guard = _guard_section(file, source, energy_keV)
    twin: dict[str, Any] = {
        "prefix": file.prefix,
        "energy_keV": energy_keV,
        **file.twin,
        "camera": {**camera, **of_camera},
    }
    mistakes = _said_twice(file)
    checked: dict[str, Any] = {}
    sections: list[tuple[str, type[BaseModel], dict[str, Any]]] = [
        ("guard", GuardSettings, guard),
        ("live", LiveSettings, {"prefix": file.prefix, **file.live}),
        ("catalogue", CatalogueSettings, file.catalogue),
    ]
    sections += [("twin", TwinSettings, twin)] if file.virtual else []
    for name, model, values in sections:
        try:
            checked[name] = model.model_validate(values).model_dump(mode="json")
        except ValidationError as error:
            mistakes += [
                f"{name}.{'.'.join(map(str, detail['loc']))}: {sentence(model, detail)}"
                for detail in error.errors()
            ]
    if mistakes:
        listed = "\n".join(mistakes)
        raise FileRefused(f"{listed}\n{len(mistakes)} mistake(s); nothing was started")
    return checked
