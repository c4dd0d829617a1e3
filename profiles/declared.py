"""Devices that a beamline file declares, and rules about them: checked, with what was meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from pydantic import ValidationError

from voltomo.model.device_entries import AS_DECLARED, EVERYWHERE, KINDS, DeviceEntry, axes_of
from voltomo.model.keep_out import KeepOut
from voltomo.model.pv_names import PvNames
from voltomo.runtime.yaml_file import mistake_at, sentence

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_TAKEN = frozenset(
    {
        *EVERYWHERE, "watch", "further", "states", "axes", "rotation_range", "guard", "trigger_box",
        "presence", "snapshots",
    }
)  # fmt: skip


def declared(given: Any) -> Any:
    """Entries of the section as models of their kinds.

    Raises
    ------
    pydantic.ValidationError
        At the first entry that is wrong, with its place and what was probably meant.
    """
    if not isinstance(given, dict):
        return given
    entries = cast("dict[str, Any]", given)
    return {name: _entry(name, entry) for name, entry in entries.items()}


def _entry(name: str, entry: Any) -> DeviceEntry:
    if name in _TAKEN:
        raise mistake_at(
            [name], "stands on every beamline; its PVs are named under 'pvs', leave it out here"
        )
    if not _NAME.fullmatch(name):
        raise mistake_at([name], "is no name: small letters, digits and _, a letter first")
    if isinstance(entry, tuple(KINDS.values())):
        return cast("DeviceEntry", entry)
    if not isinstance(entry, dict) or "kind" not in entry:
        raise mistake_at([name], f"needs 'kind': one of {', '.join(KINDS)}")
    values = cast("dict[str, Any]", entry)
    kind = str(values["kind"])
    if kind not in KINDS:
        raise mistake_at([name, "kind"], f"there is no kind {kind!r}; {_guess(kind, KINDS)}")
    try:
        return cast("DeviceEntry", KINDS[kind].model_validate(values, strict=True))
    except ValidationError as error:
        # A key that is not known tells more than the one that is missing because of it.
        detail = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        raise mistake_at([name, *detail["loc"]], sentence(KINDS[kind], detail)) from error


def _guess(word: str, known: Iterable[str]) -> str:
    """What was probably meant, or all that could have been."""
    names = list(known)
    by_small = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), by_small, 1, 0.5)
    return f"did you mean '{by_small[near[0]]}'?" if near else f"known here: {', '.join(names)}"


def axis_names(pvs: PvNames, devices: Mapping[str, DeviceEntry]) -> tuple[str, ...]:
    """Axes of a beamline, as rules call them."""
    sample = {"sample_x": pvs.sample_x, "sample_y": pvs.sample_y, "sample_z": pvs.sample_z}
    own = [name for name, pv in sample.items() if pv is not None]
    further = [axis for name, entry in devices.items() for axis in axes_of(name, entry)]
    return ("rotation", *own, *further)


def demand_axes(rules: Iterable[KeepOut], known: tuple[str, ...]) -> None:
    """Refuse rules about axes that there are not.

    Raises
    ------
    pydantic.ValidationError
        With the place in the file, and what was probably meant.
    """
    for number, rule in enumerate(rules):
        for axis in rule.where:
            if axis not in known:
                raise mistake_at(
                    ["keep_out", number, "where", axis],
                    f"there is no axis '{axis}'; {_guess(axis, known)}",
                )


def lenses_of(twin: Mapping[str, Any], pixel_um: float) -> dict[str, float]:
    """Pixel size behind each lens of the virtual beamline.

    What is wrong in these settings is left to the twin's own check of them.
    """
    camera = twin.get("camera")
    settings = cast("dict[str, Any]", camera) if isinstance(camera, dict) else {}
    found: dict[str, float] = {}
    for lens in settings.get("lenses") or ():
        if isinstance(lens, dict):
            size_um = cast("dict[str, Any]", lens).get("pixel_um")
            if isinstance(size_um, int | float) and size_um > 0:
                found[str(cast("dict[str, Any]", lens).get("name"))] = float(size_um)
    own = settings.get("pixel_um", pixel_um)
    return found or {AS_DECLARED: float(own) if isinstance(own, int | float) else pixel_um}
