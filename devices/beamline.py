"""All devices of a beamline, made and connected together."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ophyd import Device

from voltomo.devices import timeouts
from voltomo.devices.beam import BeamMonitor, Energy
from voltomo.devices.beam_lease import BeamLease
from voltomo.devices.beam_presence import BeamPresence
from voltomo.devices.camera import Camera
from voltomo.devices.connections import ConnectionWatch
from voltomo.devices.quiet_libca import quiet_libca
from voltomo.devices.shutter import Shutter
from voltomo.devices.snapshots import Snapshots
from voltomo.devices.stages import RotationStage, SampleStage
from voltomo.devices.trigger_box import TriggerBox
from voltomo.model.beam_loss import BeamLossLimits
from voltomo.model.pv_names import PvNames
from voltomo.model.sentence import SentenceError

_SHOWN = 8


class BeamlineIncomplete(SentenceError):
    """PVs of the beamline do not answer; the message lists them."""


@dataclass(frozen=True)
class Beamline:
    """What stands on the beamline.

    ``watch`` fails the plan that holds it as soon as stage, trigger hardware, camera, writer,
    shutter or guard disconnects.
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
    presence: BeamPresence | None = None

    @cached_property
    def snapshots(self) -> Snapshots:
        """Camera and trigger box as one detector, for plans that trigger and read."""
        return Snapshots(self.camera, self.trigger)

    @property
    def devices(self) -> tuple[Device, ...]:
        """All that have PVs."""
        return (
            self.rotation,
            self.sample_stage,
            self.camera,
            self.trigger,
            self.beam_monitor,
            self.energy,
            self.shutter,
            self.lease,
        )


def connect_beamline(
    prefix: str,
    timeout_s: float = timeouts.CONNECTION_S,
    *,
    frames_folder: Path | None = None,
    pvs: PvNames | None = None,
    beam_loss: BeamLossLimits | None = None,
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

    beam_loss : BeamLossLimits, optional
        When the beam counts as lost; not looked at if not given.

    Raises
    ------
    BeamlineIncomplete
        PVs are missing; they are listed.
    """
    timeouts.use_everywhere()
    quiet_libca()
    names = pvs or PvNames(prefix=prefix)
    rotation = RotationStage(names.rotation, name="rotation", labels={"motors"})
    trigger = TriggerBox(names.trigger, name="trigger", labels={"triggers"})
    camera = Camera(
        names.camera,
        name="camera",
        labels={"detectors", "area_detectors"},
        frames_folder=frames_folder,
    )
    sample_stage = SampleStage.at(names, name="sample_stage", labels={"baseline"})
    beam_monitor = BeamMonitor.at(names, name="beam_monitor", labels={"baseline"})
    energy = Energy.at(names, name="energy", labels={"baseline"})
    shutter = Shutter(names.shutter, name="shutter", labels={"shutters"})
    lease = BeamLease(f"{prefix}Guard:", name="lease", labels={"shutters"})
    devices = (rotation, sample_stage, camera, trigger, beam_monitor, energy, shutter, lease)
    _wait_for_all(devices, timeout_s)
    watch = _watch(rotation, trigger, camera, shutter, lease)
    lease.device_lost = watch.lost
    presence = _presence(names, beam_loss, timeout_s)
    return Beamline(
        rotation,
        sample_stage,
        camera,
        trigger,
        beam_monitor,
        energy,
        shutter,
        lease,
        watch,
        presence,
    )


def _watch(
    rotation: RotationStage,
    trigger: TriggerBox,
    camera: Camera,
    shutter: Shutter,
    lease: BeamLease,
) -> ConnectionWatch:
    """What must stay connected while a plan runs."""
    watched = {
        "rotation": [rotation.user_readback],
        "trigger": [trigger.count],
        "camera": [camera.cam.acquire],
        "writer": [camera.hdf1.num_captured],
        "shutter": [shutter.state],
        "guard": [lease.heartbeat],
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


def _wait_for_all(devices: tuple[Device, ...], timeout_s: float) -> None:
    """Wait until every eager PV answers; those of lazy components answer when they are needed."""
    end_s = time.monotonic() + timeout_s
    signals = [signal for device in devices for signal in _signals(device)]
    absent = signals
    while absent and time.monotonic() < end_s:
        absent = [signal for signal in absent if not signal.connected]
        if absent:
            time.sleep(0.02)
    if not absent:
        return
    names = sorted(
        {
            getattr(signal, attribute)
            for signal in absent
            for attribute in ("pvname", "setpoint_pvname")
            if hasattr(signal, attribute)
        }
    )
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    raise BeamlineIncomplete(
        f"expected {len(signals)} PVs of the beamline to answer within {timeout_s:g} s, saw none "
        f"from {len(names)}: {shown}{more}; no beam was used; see 'voltomo status', or the "
        "names ('pvs') and addresses ('epics') in the beamline file"
    )


def _signals(device: Device) -> Iterator[Any]:
    """Signals that exist: lazy ones that nobody has asked for are left alone."""
    for walk in device.walk_signals(include_lazy=False):
        if hasattr(walk.item, "pvname"):
            yield walk.item
