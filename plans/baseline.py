"""Where everything stands before a scan and behind it, without devices that are away."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Sequence
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.stream_names import BASELINE, BASELINE_WITHOUT
from voltomo.plans.protocols import TomographyBeamline, alignment_axes, further_devices

log = logging.getLogger(__name__)

ABSENT = "baseline_absent"


class Absent:
    """Names of devices that were not read, since they were away."""

    name = ABSENT
    parent = None

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def read(self) -> dict[str, Any]:
        """The names."""
        return {ABSENT: {"value": ", ".join(self.names), "timestamp": time.time()}}

    def describe(self) -> dict[str, Any]:
        """One text."""
        return {ABSENT: {"source": "plan", "dtype": "string", "shape": []}}


def read_baseline(
    beamline: TomographyBeamline, before: Sequence[Any] = ()
) -> Generator[Msg, Any, list[Any]]:
    """Record where everything stands, one event; a further device that is away ends no scan.

    Parameters
    ----------
    beamline : TomographyBeamline
        The devices.
    before : sequence
        What was read before the scan; all that is to be read if empty.

    Returns
    -------
    list
        What was read.
    """
    asked = list(before) or _everything(beamline)
    away = [device for device in asked if not getattr(device, "connected", True)]
    devices = [device for device in asked if device not in away]
    if away:
        names = [str(device.name) for device in away]
        log.warning("not read, since it is away: %s", ", ".join(names))
        known = [name for one in devices if isinstance(one, Absent) for name in one.names]
        devices = [device for device in devices if not isinstance(device, Absent)]
        devices.append(Absent([*known, *names]))
    # One stream always has the same devices.
    changed = bool(before) and bool(away)
    yield from bps.create(name=BASELINE_WITHOUT if changed else BASELINE)
    for device in devices:
        yield from bps.read(device)
    yield from bps.save()
    return devices


def _everything(beamline: TomographyBeamline) -> list[Any]:
    further = further_devices(beamline)
    return [
        beamline.rotation,
        beamline.sample_stage,
        beamline.energy,
        beamline.beam_monitor,
        beamline.shutter,
        *(axis for axis in alignment_axes(beamline).values() if axis not in further),
        *further,
    ]
