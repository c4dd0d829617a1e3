"""Optics that a scan depends on: the slow shutter upstream is open, the lens is the right one."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.protocols import TomographyBeamline
from voltomo.plans.words import ScanRefused

PART = 0.01
"""The pixel size of a scan may differ from the lens's by this part."""


def demand_front_end(beamline: TomographyBeamline) -> Generator[Msg, Any, None]:
    """Refuse a scan that would be dark: the slow shutter upstream is closed.

    Raises
    ------
    ScanRefused
        It is.
    """
    front_end = getattr(beamline, "photon_shutter", None)
    if front_end is None:
        return
    seen = str((yield from bps.rd(front_end.state)))
    if seen != "Open":
        assumed = bool((yield from bps.rd(front_end.assumed)))
        how = " (assumed from its last command, it has no readback)" if assumed else ""
        raise ScanRefused(
            f"photon shutter: expected Open, saw {seen}{how}; no beam was used; open it, then "
            "start the scan again"
        )


def demand_pixel_size(beamline: TomographyBeamline, spec: ScanSpec) -> Generator[Msg, Any, None]:
    """Refuse a scan that was written for another lens.

    Raises
    ------
    ScanRefused
        The lens gives another pixel size, or turns.
    """
    lens = getattr(beamline, "lens", None)
    if lens is None:
        return
    seen_um = float((yield from bps.rd(lens.pixel_um)))
    if not seen_um > 0:
        raise ScanRefused(
            "lens: expected one in its place, saw none (it turns, or its name is not in the "
            "beamline file); no beam was used; choose a lens"
        )
    wanted_um = spec.geometry.pixel_um
    if abs(seen_um - wanted_um) > PART * wanted_um:
        raise ScanRefused(
            f"lens: expected pixels of {wanted_um:g} um for this scan, saw a lens with "
            f"{seen_um:g} um; no beam was used; choose the lens, or write the scan for this one"
        )
