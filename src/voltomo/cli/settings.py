"""Settings of the services, checked by their own models before anything starts."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.profiles.yaml_file import FileRefused, sentence


def check_settings(file: BeamlineFile) -> dict[str, Any]:
    """Sections of ``settings.json`` for a beamline.

    Raises
    ------
    FileRefused
        A setting is unknown to its service or out of range, or the dose of a sample cannot be
        computed; all of them are listed.
    """
    from voltomo.dose.guard_settings import GuardSettings
    from voltomo.live.settings import LiveSettings
    from voltomo.twin.settings import TwinSettings

    of_camera = file.twin.get("camera") or {}
    if not isinstance(of_camera, dict):
        raise FileRefused("twin.camera must be a group of 'key: value' lines; nothing was started")
    camera = {
        "rows": file.rows,
        "columns": file.columns,
        "pixel_um": file.pixel_um,
        "axis_column": file.axis_column,
    }
    source = of_camera.get("source", "phantom") if file.virtual else "beamline"
    guard: dict[str, Any] = {
        "prefix": file.prefix,
        "samples": [sample.model_dump() for sample in file.samples],
        "energy_keV": file.energy_keV,
        "source": "twin" if source == "phantom" else source,
        **file.guard,
    }
    twin: dict[str, Any] = {
        "prefix": file.prefix,
        "energy_keV": file.energy_keV,
        **file.twin,
        "camera": {**camera, **of_camera},
    }
    live: dict[str, Any] = {"prefix": file.prefix, **file.live}
    mistakes: list[str] = []
    checked: dict[str, Any] = {}
    sections: list[tuple[str, type[BaseModel], dict[str, Any]]] = [
        ("guard", GuardSettings, guard),
        ("live", LiveSettings, live),
    ]
    if file.virtual:
        sections.append(("twin", TwinSettings, twin))
    for name, model, values in sections:
        try:
            checked[name] = model.model_validate(values).model_dump(mode="json")
        except ValidationError as error:
            mistakes += [
                f"{name}.{'.'.join(map(str, detail['loc']))}: {sentence(model, detail)}"
                for detail in error.errors()
            ]
    mistakes += _without_dose(file)
    if mistakes:
        listed = "\n".join(mistakes)
        raise FileRefused(f"{listed}\n{len(mistakes)} mistake(s); nothing was started")
    return checked


def _without_dose(file: BeamlineFile) -> list[str]:
    """Samples whose dose the guard could not compute: no lease would ever be given."""
    from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
    from voltomo.dose.materials import material

    mistakes: list[str] = []
    for sample in file.samples:
        try:
            dose_per_fluence_Gy_cm2(material(sample.material), file.energy_keV)
        except (LookupError, ValueError) as error:
            mistakes.append(f"samples, {sample.name!r}: {error.args[0]}")
    return mistakes
