"""Under which names the devices of a beamline answer; the virtual beamline's by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

__all__ = ["PvNames"]

PvName = Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=60)]


def _behind(field: str, rest: str) -> Callable[[dict[str, Any]], str]:
    """The name that follows from another one; of data that is refused anyway, none."""
    return lambda known: f"{known.get(field, '')}{rest}"


class PvNames(BaseModel):
    """Names of the PVs that devices, guard, worker and page use.

    Whole names for what a facility names one by one, first parts for what comes as a group of
    records. What is not named follows from ``prefix`` as on the virtual beamline.

    Parameters
    ----------
    prefix : str
        First part of all names that are not given.
    rotation, sample_x : str
        Motor records.
    sample_y, sample_z : str or None
        Motor records, where there are such axes.
    tilt : str or None
        Motor record that a laminography moves: lean of the axis (deg). Where it does not answer,
        there is none.
    camera : str
        First part of areaDetector's names, in front of ``cam1:``, ``HDF1:`` and ``Pva1:``.
    frames : str
        NTNDArray of the frames, over PV Access.
    trigger : str
        First part of the trigger box's names.
    shutter : str
        First part of the names of the shutter's controller.
    beam_monitor : str
        Counts/s of the flux monitor.
    ring_current : str or None
        Ring current in mA.
    attenuator, attenuator_readback : str or None
        Transmission of the attenuator, 0 to 1.
    energy, energy_readback : str
        Photon energy in keV.
    energy_moving : str or None
        Reads 0 when the energy stands; None where the put completes when it does.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: str = Field(default="VT:", max_length=40)
    rotation: PvName = Field(default_factory=_behind("prefix", "Stage:Rotation"))
    sample_x: PvName = Field(default_factory=_behind("prefix", "Stage:X"))
    sample_y: PvName | None = Field(default_factory=_behind("prefix", "Stage:Y"))
    sample_z: PvName | None = Field(default_factory=_behind("prefix", "Stage:Z"))
    tilt: PvName | None = Field(default_factory=_behind("prefix", "Stage:Tilt"))
    camera: PvName = Field(default_factory=_behind("prefix", "Cam:"))
    frames: PvName = Field(default_factory=_behind("camera", "Pva1:Image"))
    trigger: PvName = Field(default_factory=_behind("prefix", "Trigger:"))
    shutter: PvName = Field(default_factory=_behind("prefix", "Shutter:"))
    beam_monitor: PvName = Field(default_factory=_behind("prefix", "Beam:Monitor"))
    ring_current: PvName | None = Field(default_factory=_behind("prefix", "Beam:RingCurrent"))
    attenuator: PvName | None = Field(default_factory=_behind("prefix", "Beam:Attenuator"))
    attenuator_readback: PvName | None = Field(
        default_factory=_behind("prefix", "Beam:Attenuator_RBV")
    )
    energy: PvName = Field(default_factory=_behind("prefix", "Beam:Energy"))
    energy_readback: PvName = Field(default_factory=_behind("prefix", "Beam:Energy_RBV"))
    energy_moving: PvName | None = Field(default_factory=_behind("prefix", "Beam:Energy_Moving"))
