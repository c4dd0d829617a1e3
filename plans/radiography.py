"""Scans without a turn: radiographs at one angle, and flats and darks alone."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from bluesky import Msg

from voltomo.model.scan_spec import ScanSpec
from voltomo.plans.protocols import TomographyBeamline
from voltomo.plans.scan import Live, scan


def radiography(
    beamline: TomographyBeamline,
    spec: ScanSpec,
    *,
    live: Live | None = None,
    md: Mapping[str, Any] | None = None,
) -> Generator[Msg, Any, str]:
    """Take radiographs at one angle: a series of frames at every place, in every round.

    See `voltomo.plans.scan.scan` for parameters, result and errors.
    """
    return (yield from scan(beamline, spec, plan_names=("radiography",), live=live, md=md))


def flats_and_darks(
    beamline: TomographyBeamline,
    spec: ScanSpec,
    *,
    live: Live | None = None,
    md: Mapping[str, Any] | None = None,
) -> Generator[Msg, Any, str]:
    """Take flats and darks alone; later scans name the run's uid in ``stored_flats``.

    See `voltomo.plans.scan.scan` for parameters, result and errors.
    """
    return (yield from scan(beamline, spec, plan_names=("flats_and_darks",), live=live, md=md))
