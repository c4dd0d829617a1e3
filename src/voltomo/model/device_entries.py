"""Devices that a beamline file declares: kinds by short names, each with its own parameters. Pure.

What stands on every beamline (rotation, sample stage, camera, trigger hardware, shutter, beam)
needs no entry: its names are in `PvNames`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.model.cycler_records import CYCLER_RECORDS
from voltomo.model.pv_names import PvName

__all__ = [
    "AS_DECLARED",
    "EVERYWHERE",
    "KINDS",
    "AxisEntry",
    "CameraDistanceEntry",
    "CyclerEntry",
    "DeviceEntry",
    "LensEntry",
    "PhotonShutterEntry",
    "SensorEntry",
    "SlitsEntry",
    "axes_of",
    "virtual_devices",
]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    required: bool = True


class AxisEntry(_Entry):
    """One axis: tilt stage, focus, whatever has a motor record.

    Parameters
    ----------
    kind : "Axis"
    required : bool
        Whether a session opens without it.
    motor : str
        Its motor record.
    deadband : float
        How far from its target it may stand after a move, in its units.
    """

    kind: Literal["Axis"]
    motor: PvName
    deadband: float = Field(default=0.002, gt=0)


class CameraDistanceEntry(_Entry):
    """From the sample to the camera, mm.

    Parameters
    ----------
    kind : "CameraDistance"
    required : bool
        Whether a session opens without it.
    motor : str
        Its motor record.
    deadband : float
        How far from its target it may stand after a move, in mm.
    """

    kind: Literal["CameraDistance"]
    motor: PvName
    deadband: float = Field(default=0.02, gt=0)


class SlitsEntry(_Entry):
    """Four blades around the beam, mm from its middle.

    Parameters
    ----------
    kind : "Slits"
    required : bool
        Whether a session opens without it.
    left, right, bottom, top : str
        Motor records of the blades.
    """

    kind: Literal["Slits"]
    left: PvName
    right: PvName
    bottom: PvName
    top: PvName


class LensEntry(_Entry):
    """A turret of lenses; the pixel size follows the one that is in.

    Parameters
    ----------
    kind : "Lens"
    required : bool
        Whether a session opens without it.
    choice : str
        Takes the name of a lens.
    readback : str
        Name of the lens that is in.
    moving : str or None
        Reads 0 when the turret stands; None where the readback alone tells.
    pixel_um : dict
        Pixel size at the sample behind each lens, by its name.
    travel_s : float
        How long the turret may take.
    """

    kind: Literal["Lens"]
    choice: PvName
    readback: PvName
    moving: PvName | None = None
    pixel_um: dict[str, float] = Field(min_length=1)
    travel_s: float = Field(default=10.0, gt=0)

    @model_validator(mode="after")
    def _are_sizes(self) -> LensEntry:
        for name, size_um in self.pixel_um.items():
            if size_um <= 0:
                raise ValueError(f"the pixel size of the lens {name!r} must be above 0 um")
        return self


class PhotonShutterEntry(_Entry):
    """The slow shutter upstream; the guard opens and closes the fast one behind it.

    Parameters
    ----------
    kind : "PhotonShutter"
    required : bool
        Whether a session opens without it.
    command : str
        Takes ``open_word`` and ``close_word``.
    readback : str or None
        Reads ``opened`` or ``closed``. None where nothing tells: its state is then assumed from
        the last command, once it has had ``travel_s``, and said to be so.
    open_word, close_word : str
        What the command takes.
    opened, closed : str
        What the readback reads.
    travel_s : float
        From one end to the other, at most.
    """

    kind: Literal["PhotonShutter"]
    command: PvName
    readback: PvName | None = None
    open_word: str = "Open"
    close_word: str = "Close"
    opened: str = "Open"
    closed: str = "Closed"
    travel_s: float = Field(default=3.0, gt=0)


class SensorEntry(_Entry):
    """Something that is only read: a temperature, a pressure.

    Parameters
    ----------
    kind : "Sensor"
    required : bool
        Whether a session opens without it.
    pv : str
        Its value.
    """

    kind: Literal["Sensor"]
    pv: PvName


class CyclerEntry(_Entry):
    """A cycler with one cell; scans do not need it, and do not stop it.

    Parameters
    ----------
    kind : "Cycler"
    required : bool
        Whether a session opens without it.
    prefix : str
        First part of the names of its records.
    names : dict
        Other PVs, by the name of what they stand for (`voltage`, `start_command`, …).
    """

    kind: Literal["Cycler"]
    prefix: PvName
    names: dict[str, PvName] = {}

    @model_validator(mode="after")
    def _are_known(self) -> CyclerEntry:
        unknown = sorted(set(self.names) - set(CYCLER_RECORDS))
        if unknown:
            raise ValueError(
                f"a cycler has no {', '.join(unknown)}; it has {', '.join(CYCLER_RECORDS)}"
            )
        return self

    @property
    def pvs(self) -> dict[str, str]:
        """Whole names of all records."""
        following = {name: f"{self.prefix}{rest}" for name, rest in CYCLER_RECORDS.items()}
        return following | self.names


AS_DECLARED = "as declared"
"""What the virtual beamline calls its lens where its file names none."""

EVERYWHERE = (
    "rotation",
    "sample_stage",
    "camera",
    "trigger",
    "beam_monitor",
    "energy",
    "shutter",
    "lease",
)
"""Devices that every beamline has; their names are in `PvNames`."""

DeviceEntry = Annotated[
    AxisEntry
    | CameraDistanceEntry
    | CyclerEntry
    | SlitsEntry
    | LensEntry
    | PhotonShutterEntry
    | SensorEntry,
    Field(discriminator="kind"),
]

KINDS: Mapping[str, type[_Entry]] = {
    "Axis": AxisEntry,
    "CameraDistance": CameraDistanceEntry,
    "Cycler": CyclerEntry,
    "Lens": LensEntry,
    "PhotonShutter": PhotonShutterEntry,
    "Sensor": SensorEntry,
    "Slits": SlitsEntry,
}
"""All that a file can name; nothing else is ever imported for it."""


def axes_of(name: str, entry: DeviceEntry) -> tuple[str, ...]:
    """Names of a device's axes, as rules of the beamline file call them."""
    if isinstance(entry, SlitsEntry):
        return tuple(f"{name}_{blade}" for blade in ("left", "right", "bottom", "top"))
    return (name,) if isinstance(entry, AxisEntry | CameraDistanceEntry) else ()


def virtual_devices(
    prefix: str, pixel_um: Mapping[str, float], *, cell: bool = False
) -> dict[str, DeviceEntry]:
    """What the virtual beamline serves beside the names in `PvNames`.

    Parameters
    ----------
    prefix : str
        First part of its names.
    pixel_um : mapping
        Pixel size behind each of its lenses.
    cell : bool
        Whether it has a cell on a cycler.
    """
    cycler: dict[str, DeviceEntry] = {
        "cycler": CyclerEntry(kind="Cycler", prefix=f"{prefix}Cycler:", required=False)
    }
    return (cycler if cell else {}) | {
        "tilt": AxisEntry(kind="Axis", motor=f"{prefix}Stage:Tilt"),
        "slits": SlitsEntry(
            kind="Slits",
            left=f"{prefix}Slits:Left",
            right=f"{prefix}Slits:Right",
            bottom=f"{prefix}Slits:Bottom",
            top=f"{prefix}Slits:Top",
        ),
        "distance": CameraDistanceEntry(kind="CameraDistance", motor=f"{prefix}Detector:Distance"),
        "focus": AxisEntry(kind="Axis", motor=f"{prefix}Detector:Focus"),
        "camera_roll": AxisEntry(kind="Axis", motor=f"{prefix}Detector:Roll"),
        "lens": LensEntry(
            kind="Lens",
            choice=f"{prefix}Detector:Lens",
            readback=f"{prefix}Detector:Lens_RBV",
            moving=f"{prefix}Detector:Lens_Moving",
            pixel_um=dict(pixel_um),
        ),
        "photon_shutter": PhotonShutterEntry(
            kind="PhotonShutter",
            command=f"{prefix}Beam:PhotonShutter",
            readback=f"{prefix}Beam:PhotonShutter_RBV",
        ),
    }
