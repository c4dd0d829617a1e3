"""All devices of a beamline, made and connected together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from voltomo.devices import timeouts
from voltomo.devices.beam import BeamMonitor, Energy
from voltomo.devices.beam_lease import BeamLease
from voltomo.devices.beam_presence import BeamPresence
from voltomo.devices.camera import Camera
from voltomo.devices.checked_motor import CheckedMotor
from voltomo.devices.connection_table import (
    BeamlineIncomplete,
    DeviceState,
    Wanted,
    demand_required,
    wait_for,
)
from voltomo.devices.connections import ConnectionWatch
from voltomo.devices.keep_out import keep_out
from voltomo.devices.quiet_libca import quiet_libca
from voltomo.devices.registry import make_device
from voltomo.devices.shutter import Shutter
from voltomo.devices.slits import Slits
from voltomo.devices.snapshots import Snapshots
from voltomo.devices.stages import RotationStage, SampleStage
from voltomo.devices.trigger_box import TriggerBox
from voltomo.model.beam_loss import BeamLossLimits
from voltomo.model.device_entries import EVERYWHERE, DeviceEntry
from voltomo.model.keep_out import KeepOut
from voltomo.model.pv_names import PvNames
from voltomo.model.rotation_range import RotationRange

__all__ = ["Beamline", "BeamlineIncomplete", "BeamlinePlan", "connect_beamline", "make_devices"]


@dataclass(frozen=True)
class Beamline:
    """What stands on the beamline.

    ``further`` holds what its file declares beside that, by name: each is an attribute, too.
    ``states`` says of every device whether it answered. ``watch`` fails the plan that holds it as
    soon as stage, trigger hardware, camera, writer, shutter or guard disconnects.
    """

    rotation: RotationStage
    sample_stage: SampleStage
    camera: Camera
    trigger: TriggerBox
    beam_monitor: BeamMonitor
    energy: Energy
    shutter: Shutter
    lease: BeamLease
    watch: ConnectionWatch
    further: Mapping[str, Any] = field(default_factory=dict[str, Any])
    states: tuple[DeviceState, ...] = ()
    rotation_range: RotationRange = field(default_factory=RotationRange)
    presence: BeamPresence | None = None

    def __getattr__(self, name: str) -> Any:
        """A further device, by its name in the beamline file."""
        further = self.__dict__.get("further", {})
        if name in further:
            return further[name]
        raise AttributeError(_lacking(name, self.__dict__.get("states", ())))

    @cached_property
    def snapshots(self) -> Snapshots:
        """Camera and trigger box as one detector, for plans that trigger and read."""
        return Snapshots(self.camera, self.trigger)

    @property
    def axes(self) -> dict[str, CheckedMotor]:
        """All axes, by the names that rules of the beamline file use."""
        found: dict[str, CheckedMotor] = {"rotation": self.rotation}
        for name in ("x", "y", "z"):
            axis = getattr(self.sample_stage, name)
            if axis is not None:
                found[f"sample_{name}"] = axis
        for name, device in self.further.items():
            parts = {name: device} if isinstance(device, CheckedMotor) else _blades(name, device)
            found.update(parts)
        return found


def _blades(name: str, device: Any) -> dict[str, CheckedMotor]:
    if not isinstance(device, Slits):
        return {}
    blades = {"left": device.left, "right": device.right, "bottom": device.bottom}
    return {f"{name}_{blade}": axis for blade, axis in (blades | {"top": device.top}).items()}


def _lacking(name: str, states: tuple[DeviceState, ...]) -> str:
    absent = next((one for one in states if one.name == name), None)
    if absent is None:
        return f"the beamline has no {name}; its file names what it has under 'devices'"
    return (
        f"{name} is optional on this beamline and did not answer when the session was opened; "
        "start its IOC, then open the session again"
    )


@dataclass(frozen=True)
class BeamlinePlan:
    """What a beamline is made from.

    Parameters
    ----------
    prefix : str
        First part of the names of voltomo's own PVs.
    pvs : PvNames
        Names of the devices that every beamline has.
    devices : mapping
        Further devices, by their names.
    rotation : RotationRange
        Cables and blind sectors of the rotation.
    keep_out : tuple of KeepOut
        Where axes must not be together.
    beam_loss : BeamLossLimits, optional
        When the beam counts as lost; not looked at if not given.
    """

    prefix: str
    pvs: PvNames
    devices: Mapping[str, DeviceEntry] = field(default_factory=dict[str, DeviceEntry])
    rotation: RotationRange = field(default_factory=RotationRange)
    keep_out: tuple[KeepOut, ...] = ()
    beam_loss: BeamLossLimits | None = None


def connect_beamline(
    prefix: str,
    timeout_s: float = timeouts.CONNECTION_S,
    *,
    frames_folder: Path | None = None,
    pvs: PvNames | None = None,
    plan: BeamlinePlan | None = None,
) -> Beamline:
    """Make all devices of a beamline and wait until every PV answers.

    Parameters
    ----------
    prefix : str
        First part of the names of voltomo's own PVs.
    timeout_s : float
        For all of them together.
    frames_folder : Path, optional
        Where files of frames go; the folder that the writer shows if not given.
    pvs : PvNames, optional
        Names of the devices' PVs; those of the virtual beamline under ``prefix`` if not given.
    plan : BeamlinePlan, optional
        All that the beamline file says; the devices that every beamline has if not given.

    Raises
    ------
    BeamlineIncomplete
        PVs that must be there are missing; they are listed.
    """
    plan = plan or BeamlinePlan(prefix, pvs or PvNames(prefix=prefix))
    made = make_devices(plan, frames_folder=frames_folder)
    states = wait_for(made.values(), timeout_s)
    demand_required(states, timeout_s)
    there = {one.name for one in states if one.state == "connected"}
    device = {name: wanted.device for name, wanted in made.items()}
    watch = _watch(device)
    device["lease"].device_lost = watch.lost
    further = {name: device[name] for name in plan.devices if name in there}
    beamline = Beamline(
        **{name: device[name] for name in EVERYWHERE},
        watch=watch,
        further=further,
        states=tuple(states),
        rotation_range=plan.rotation,
        presence=_presence(plan.pvs, plan.beam_loss, timeout_s),
    )
    keep_out(plan.keep_out, beamline.axes)
    return beamline


def make_devices(
    plan: BeamlinePlan, *, frames_folder: Path | None = None, guarded: bool = True
) -> dict[str, Wanted]:
    """All devices by their names, not waited for; the guard's only where it is to be there."""
    timeouts.use_everywhere()
    quiet_libca()
    names = plan.pvs
    devices: dict[str, Any] = {
        "rotation": RotationStage(names.rotation, name="rotation", labels={"motors"}),
        "sample_stage": SampleStage.at(names, name="sample_stage", labels={"baseline"}),
        "camera": Camera(
            names.camera,
            name="camera",
            labels={"detectors", "area_detectors"},
            frames_folder=frames_folder,
        ),
        "trigger": TriggerBox(names.trigger, name="trigger", labels={"triggers"}),
        "beam_monitor": BeamMonitor.at(names, name="beam_monitor", labels={"baseline"}),
        "energy": Energy.at(names, name="energy", labels={"baseline"}),
        "shutter": Shutter(names.shutter, name="shutter", labels={"shutters"}),
    }
    if guarded:
        devices["lease"] = BeamLease(f"{plan.prefix}Guard:", name="lease", labels={"shutters"})
    wanted = {name: Wanted(name, device) for name, device in devices.items()}
    for name, entry in plan.devices.items():
        wanted[name] = Wanted(name, make_device(name, entry), entry.required)
    return wanted


def _watch(device: Mapping[str, Any]) -> ConnectionWatch:
    """What must stay connected while a plan runs."""
    watched: dict[str, Iterable[Any]] = {
        "rotation": [device["rotation"].user_readback],
        "trigger": [device["trigger"].count],
        "camera": [device["camera"].cam.acquire],
        "writer": [device["camera"].hdf1.num_captured],
        "shutter": [device["shutter"].state],
        "guard": [device["lease"].heartbeat],
    }
    return ConnectionWatch("beamline", watched)


def _presence(
    names: PvNames, limits: BeamLossLimits | None, timeout_s: float
) -> BeamPresence | None:
    """What looks whether there is beam; nothing where no limit asks for it."""
    if limits is None or not limits.looked_at:
        return None
    presence = BeamPresence(names, limits)
    try:
        presence.connect(timeout_s)
    except TimeoutError as error:
        raise BeamlineIncomplete(
            f"expected the readings that the limits of 'beam_loss' need to answer within "
            f"{timeout_s:g} s, saw: {error}; no beam was used; see their names under 'pvs', or "
            "leave their limits out"
        ) from error
    return presence
