"""Tomographies: the stage turns about an axis normal to the beam."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from bluesky import Msg

from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.protocols import TomographyBeamline
from voltomo.plans.scan import Live, scan
from voltomo.plans.verdicts import VerdictSource


def tomography(
    beamline: TomographyBeamline,
    spec: ScanSpec,
    *,
    live: Live | None = None,
    verdicts: VerdictSource | None = None,
    md: Mapping[str, Any] | None = None,
) -> Generator[Msg, Any, str]:
    """Scan a sample on the fly: equidistant angles, triggered by position while the stage turns.

    One sweep or many: there and back, interlaced, several turns without a stop, at several places
    (mosaic, z-series), or at fixed intervals (time series), as ``spec`` says. See
    `voltomo.plans.scan.scan` for parameters, result and errors.
    """
    return (
        yield from scan(
            beamline, spec, plan_names=("tomography",), live=live, verdicts=verdicts, md=md
        )
    )


def tomography_step(
    beamline: TomographyBeamline,
    spec: ScanSpec,
    *,
    live: Live | None = None,
    verdicts: VerdictSource | None = None,
    md: Mapping[str, Any] | None = None,
) -> Generator[Msg, Any, str]:
    """Scan a sample step by step: the stage stands for every exposure.

    With ``spec.gate`` "trigger_window" the beam is on while frames are exposed alone; with "lease"
    it is on from the first frame of a lease to the last, and ``spec.steps_per_lease`` 1 turns it
    off while the stage moves by hardware that knows no gate. See `voltomo.plans.scan.scan` for
    parameters, result and errors.
    """
    return (
        yield from scan(
            beamline, spec, plan_names=("tomography_step",), live=live, verdicts=verdicts, md=md
        )
    )
