"""Laminographies: the axis leans towards the source, for samples that are flat."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from bluesky import Msg

from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.protocols import TomographyBeamline
from voltomo.plans.scan import Live, scan
from voltomo.plans.verdicts import VerdictSource


def laminography(
    beamline: TomographyBeamline,
    spec: ScanSpec,
    *,
    live: Live | None = None,
    verdicts: VerdictSource | None = None,
    md: Mapping[str, Any] | None = None,
) -> Generator[Msg, Any, str]:
    """Lean the axis by ``spec.geometry.tilt_deg``, and scan as in a tomography.

    The tilt stage is brought there with the shutter closed, and stays there. Without a tilt stage,
    or beyond its limits, the scan is refused. See `voltomo.plans.scan.scan` for parameters, result
    and errors.
    """
    return (
        yield from scan(
            beamline, spec, plan_names=("laminography",), live=live, verdicts=verdicts, md=md
        )
    )
