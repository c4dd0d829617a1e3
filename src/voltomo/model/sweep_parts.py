"""What blind sectors leave of a sweep: parts, with the beam off between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from voltomo.model.rotation_range import RotationRange, Stretch, missing_wedge_deg

if TYPE_CHECKING:
    from voltomo.model.scan_spec import ScanSpec

__all__ = ["blind_wedge_deg", "parts_of"]

_TURN = 360.0


def parts_of(
    spec: ScanSpec, number: int, sweep: Mapping[str, Any]
) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Name, number of triggers and angles of each part of a sweep; one part where nothing is blind.

    Parameters
    ----------
    spec : ScanSpec
        With its blind sectors.
    number : int
        Of the sweep.
    sweep : mapping
        ``targets_deg``, or ``start_deg`` and ``step_deg``, of the whole of it; the rest is kept.

    Notes
    -----
    Of triggers by position the whole way to the next one counts, so that no exposure reaches into
    a blind sector.
    """
    name, kept = f"sweep_{number}", {**sweep, "sweep": number}
    targets = sweep.get("targets_deg")
    count = spec.geometry.projections * spec.turns
    if not spec.blind_sectors:
        yield name, count, kept
        return
    rotation = RotationRange(blind_sectors=spec.blind_sectors)
    if targets is not None:
        blind = rotation.blind_at(np.array(targets, dtype=np.float64))
        swept = None
    else:
        swept = float(sweep["step_deg"])
        asked = float(sweep["start_deg"]) + swept * np.arange(count, dtype=np.float64)
        blind = rotation.blind_at(asked, spec.blind_margin_deg, swept)
    if not blind.any():
        yield name, count, kept
        return
    if targets is not None and spec.angles == "golden":
        # The stage jumps to and fro: no part of the sweep lies on one side of a sector.
        left = tuple(np.array(targets)[~blind].tolist())
        yield name, len(left), {**kept, "targets_deg": left}
        return
    for part, run in enumerate(_runs(blind)):
        angles: dict[str, Any] = {"turns": 1}
        if targets is not None:
            angles["targets_deg"] = tuple(targets[run.start : run.stop])
        else:
            angles["start_deg"] = float(sweep["start_deg"]) + float(sweep["step_deg"]) * run.start
        yield f"{name}_part_{part}", len(run), {**kept, **angles}


def _runs(blind: np.ndarray) -> Iterator[range]:
    """Places that follow each other and are not blind."""
    seen = np.flatnonzero(~blind)
    for run in np.split(seen, np.flatnonzero(np.diff(seen) > 1) + 1):
        if run.size:
            yield range(int(run[0]), int(run[-1]) + 1)


def blind_wedge_deg(spec: ScanSpec) -> tuple[Stretch, ...]:
    """Directions that a scan lacks because of blind sectors, upwards; empty where it lacks none.

    Of a tomography between 0 and 180 deg, since views half a turn apart show the same; of a leaning
    axis the sectors themselves, within the range of the scan. To within a step of the stage.
    """
    geometry = spec.geometry
    if not spec.blind_sectors or geometry.step_deg == 0 or spec.sweeps == 0:
        return ()
    rotation = RotationRange(blind_sectors=spec.blind_sectors)
    start_deg = geometry.start_deg
    turned_deg = geometry.range_deg * spec.turns
    if geometry.tilt_deg != 0:
        # A second turn sees no more than the first.
        turned_deg = min(turned_deg, _TURN)
    seen = rotation.stretches(start_deg, start_deg + turned_deg, spec.blind_margin_deg)
    if geometry.tilt_deg == 0:
        missing = missing_wedge_deg(seen)
    else:
        ends = [start_deg, *(end for stretch in seen for end in stretch)]
        ends.append(start_deg + turned_deg)
        missing = tuple(zip(ends[::2], ends[1::2], strict=True))
    return tuple((first, last) for first, last in missing if last - first > geometry.step_deg)
