"""What lies where in recorded scans: NXtomo in its dialects, and DataExchange."""

# h5py comes without type stubs: what is read from it is checked at run time.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

import h5py
import numpy as np
from numpy.typing import NDArray

from voltomo.model.sentence import SentenceError
from voltomo.runtime.recorded_stack import Stack

Numbers = NDArray[Any]
Floats = NDArray[np.float64]

_DEGREES = {"deg": 1.0, "degree": 1.0, "degrees": 1.0, "°": 1.0, "": 1.0}
_RADIANS = {"rad": 180 / np.pi, "radian": 180 / np.pi, "radians": 180 / np.pi}
_TO_DEG = _DEGREES | _RADIANS
_TO_SECONDS = {"": 1.0, "s": 1.0, "second": 1.0, "seconds": 1.0, "sec": 1.0, "ms": 1e-3}
_TO_UM = {
    "": 1e6, "m": 1e6, "meter": 1e6, "metre": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "micron": 1.0,
    "microns": 1.0, "micrometer": 1.0, "nm": 1e-3,
}  # fmt: skip
_TO_KEV = {"": 1.0, "kev": 1.0, "ev": 1e-3}

PROJECTION, FLAT, DARK = 0, 1, 2


class RecordingUnreadable(SentenceError):
    """A recorded scan cannot be used; the message says what was expected and what was seen."""


@dataclass(frozen=True)
class Recording:
    """A recorded scan as it lies in its open file, before checks and scaling."""

    kind: Literal["NXtomo", "DataExchange"]
    title: str
    sample: str
    angles_deg: Floats
    projections: Stack
    flats: Stack
    darks: Stack
    exposure_s: float | None
    pixel_um: float | None
    energy_keV: float | None
    axis_column: float | None
    # A reading for each image of the file's one stack: monitor, or machine current.
    control: Floats | None = None
    tilt_deg: float = 0.0
    roll_deg: float = 0.0


def read_layout(file: h5py.File) -> Recording:
    """Read whichever layout the file has.

    Raises
    ------
    RecordingUnreadable
        It has neither, or lacks a part that is needed.
    """
    if "exchange" in file:
        return _data_exchange(file)
    entry = _tomo_entry(file)
    if entry is None:
        raise RecordingUnreadable(
            "expected an NXtomo entry or a DataExchange group 'exchange'; saw "
            f"{', '.join(sorted(file)) or 'nothing'}"
        )
    return _nxtomo(entry)


def _data_exchange(file: h5py.File) -> Recording:
    exchange = cast("h5py.Group", file["exchange"])
    projections = _needed(exchange, "data", "projections")
    where = "measurement/instrument/"
    pixel_um = _number(file, where + "detection_system/objective/resolution", _TO_UM, "um")
    return Recording(
        kind="DataExchange",
        title=_text(exchange, "title"),
        sample=_text(file, "measurement/sample/name"),
        angles_deg=_angles(exchange, "theta"),
        projections=projections,
        flats=_stacks(exchange, "data_white", projections),
        darks=_stacks(exchange, "data_dark", projections),
        exposure_s=_number(file, where + "detector/exposure_time", _TO_SECONDS),
        pixel_um=pixel_um or _number(file, where + "detector/pixel_size_x", _TO_UM, "um"),
        energy_keV=_number(file, where + "monochromator/energy", _TO_KEV),
        # The layout has no place for them: here is where this program writes them.
        axis_column=_number(file, "voltomo/rotation_axis_column", {"": 1.0, "pixel": 1.0}),
        tilt_deg=_tilt_deg(file),
        roll_deg=_roll_deg(file),
    )


def _tomo_entry(group: h5py.Group, depth: int = 2) -> h5py.Group | None:
    """The first group that holds a detector with image keys, or says that it is NXtomo."""
    if _detector(group) is not None or _text(group, "definition").lower() == "nxtomo":
        return group
    if depth == 0:
        return None
    for name in group:
        below: Any = group.get(name)
        if isinstance(below, h5py.Group):
            found = _tomo_entry(below, depth - 1)
            if found is not None:
                return found
    return None


def _detector(entry: h5py.Group) -> h5py.Group | None:
    instrument: Any = entry.get("instrument")
    if not isinstance(instrument, h5py.Group):
        return None
    for name in instrument:
        below: Any = instrument.get(name)
        if isinstance(below, h5py.Group) and "data" in below and _image_key(below) is not None:
            return below
    return None


def _image_key(detector: h5py.Group) -> Numbers | None:
    """The finer key where there is one: it tells alignment images from projections."""
    for name in ("image_key_control", "image_key"):
        if name in detector:
            return np.asarray(_values(detector, name))
    return None


def _nxtomo(entry: h5py.Group) -> Recording:
    detector = _detector(entry)
    key = None if detector is None else _image_key(detector)
    if detector is None or key is None:
        raise RecordingUnreadable(
            "expected a detector with data and image_key in the NXtomo entry; saw none"
        )
    data: Any = detector["data"]
    if data.ndim != 3 or data.shape[0] != key.size:
        raise RecordingUnreadable(
            f"expected one image key for each of {data.shape[0]} frames; saw {key.size}"
        )
    place = "sample/rotation_angle" if "sample/rotation_angle" in entry else "data/rotation_angle"
    angles = _angles(entry, place)
    if angles.size != key.size:
        raise RecordingUnreadable(
            f"expected an angle for each of {key.size} frames; saw {angles.size}"
        )
    from_middle = _number(detector, "x_rotation_axis_pixel_position", {"": 1.0, "pixel": 1.0})
    return Recording(
        kind="NXtomo",
        title=_text(entry, "title"),
        sample=_text(entry, "sample/name"),
        angles_deg=angles[key == PROJECTION],
        projections=Stack.of(data, np.flatnonzero(key == PROJECTION)),
        flats=Stack.of(data, np.flatnonzero(key == FLAT)),
        darks=Stack.of(data, np.flatnonzero(key == DARK)),
        exposure_s=_number(detector, "count_time", _TO_SECONDS),
        pixel_um=_number(detector, "x_pixel_size", _TO_UM),
        energy_keV=_number(entry, "instrument/beam/incident_energy", _TO_KEV)
        or _number(entry, "beam/incident_energy", _TO_KEV),
        axis_column=None if from_middle is None else from_middle + (data.shape[2] - 1) / 2,
        control=_control(entry, key.size),
        tilt_deg=_tilt_deg(entry),
        roll_deg=_roll_deg(entry),
    )


def _tilt_deg(entry: h5py.Group) -> float:
    """How far the axis leans; 0 where the file says nothing of it."""
    for name in ("voltomo/laminography_angle", "sample/transformations/tilt"):
        found = _number(entry, name, _TO_DEG)
        if found is not None:
            return abs(found)
    return 0.0


def _roll_deg(entry: h5py.Group) -> float:
    """How far the axis is turned in the detector's plane; 0 where the file says nothing of it."""
    return _number(entry, "voltomo/roll_angle", _TO_DEG) or 0.0


def _control(entry: h5py.Group, images: int) -> Floats | None:
    """The monitor's readings, where there is one for each image."""
    if "control/data" not in entry:
        return None
    values = np.asarray(_values(entry, "control/data")).ravel()
    fits = values.size == images and np.issubdtype(values.dtype, np.number)
    return values.astype(np.float64) if fits else None


def _needed(group: h5py.Group, name: str, meaning: str) -> Stack:
    if name not in group:
        raise RecordingUnreadable(f"expected {meaning} in '{group.name}/{name}'; saw no such data")
    data: Any = group[name]
    if data.ndim != 3:
        raise RecordingUnreadable(
            f"expected {meaning} as a stack of images; saw {data.ndim} dimensions in "
            f"'{group.name}/{name}'"
        )
    return Stack.of(data)


def _stacks(group: h5py.Group, name: str, projections: Stack) -> Stack:
    """All stacks whose names begin so: some files keep those before and after apart."""
    rows, columns = projections.rows, projections.columns
    found: list[Stack] = []
    for each in sorted(group):
        if each.startswith(name):
            data: Any = group[each]
            if data.shape[-2:] != (rows, columns) or data.ndim not in (2, 3):
                raise RecordingUnreadable(
                    f"expected images of {rows} × {columns} pixels, as the projections, in "
                    f"'{group.name}/{each}'; saw data of shape {data.shape}"
                )
            # A single image is small: it is read here.
            found.append(Stack.of(data if data.ndim == 3 else np.asarray(data[()])[None]))
    dtype = np.result_type(projections.dtype, *(stack.dtype for stack in found))
    return Stack([part for stack in found for part in stack.parts], rows, columns, dtype)


def _angles(group: h5py.Group, name: str) -> Floats:
    if name not in group:
        raise RecordingUnreadable(f"expected angles in '{group.name}/{name}'; saw no such data")
    unit = _unit(group, name)
    if unit.lower() not in _TO_DEG:
        raise RecordingUnreadable(f"expected angles in degrees or radians; saw the unit {unit!r}")
    values = np.asarray(_values(group, name), dtype=np.float64).ravel()
    return values * _TO_DEG[unit.lower()]


def _values(group: h5py.Group, name: str) -> Any:
    dataset: Any = group[name]
    return dataset[()]


def _unit(group: h5py.Group, name: str) -> str:
    attributes: Any = group[name].attrs
    unit = attributes.get("units", attributes.get("unit", ""))
    return unit.decode() if isinstance(unit, bytes) else str(unit)


def _number(
    group: h5py.Group, name: str, factors: dict[str, float], default: str = ""
) -> float | None:
    """First value in the unit of the table, or None where it is absent or makes no sense."""
    if name not in group:
        return None
    factor = factors.get(_unit(group, name).lower() or default)
    values = np.asarray(_values(group, name)).ravel()
    if factor is None or not values.size or not np.issubdtype(values.dtype, np.number):
        return None
    value = float(values[0]) * factor
    return value if np.isfinite(value) else None


def _text(group: h5py.Group, name: str) -> str:
    if name not in group:
        return ""
    value: Any = _values(group, name)
    if isinstance(value, np.ndarray):
        flat = cast("list[Any]", value.ravel().tolist())
        value = flat[0] if flat else ""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
