"""Estimators for `voltomo.plans.align`: recorded frames read back, numerics asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis import alignment
from voltomo.analysis.common_lines import pitch_of_views
from voltomo.analysis.normalise import line_integrals, mean_field
from voltomo.model.alignment import Displacement, Estimate, Look, Radiographs, unknown
from voltomo.model.names import run_name
from voltomo.records.delivered import read_frames
from voltomo.records.scan import Scan, read_scan
from voltomo.runtime.run_folder import RunFolder

_BRIGHTEST = 0.999
_FULL = 65535


class RecordedEstimators:
    """Reads radiographs of a run folder; see `voltomo.plans.protocols.Estimators`.

    Parameters
    ----------
    folder : RunFolder
        Where runs are recorded.
    full_well : int
        Highest count of a pixel.
    """

    def __init__(self, folder: RunFolder, full_well: int = _FULL) -> None:
        self._folder = folder
        self._full_well = full_well

    def radiographs(self, uid: str) -> Radiographs:
        """Normalised frames of a run that is over.

        Raises
        ------
        ValueError
            The run has no flats or darks, or cannot be read.
        """
        try:
            scan = read_scan(self._folder, uid)
        except (KeyError, OSError) as error:
            raise ValueError(f"the run {run_name(uid)} cannot be read: {error}") from error
        return _radiographs(scan, self._full_well)

    def no_contrast(self, seen: Radiographs) -> str:
        """Why there is no sample to be seen; empty where there is."""
        return _too_bright(seen) or alignment.no_contrast(seen.integrals)

    def focus_mm(self, seen: Radiographs, places_mm: Sequence[float]) -> Estimate:
        """Place of the focus at which radiographs are sharpest."""
        places = np.asarray(places_mm, np.float64)
        return alignment.focus_of(places, seen.integrals, seen.sweep)

    def look(self, seen: Radiographs) -> Look:
        """Axis, roll, pitch and the sample's place."""
        bright = _too_bright(seen)
        if bright:
            return Look.nothing(bright)
        return alignment.look_round(seen.integrals, seen.angles_deg)

    def tilt_deg(self, seen: Radiographs, upright: Look, about_deg: float) -> Estimate:
        """Tilt of an axis that leans by about so much."""
        missing = self.no_contrast(seen)
        if missing:
            return unknown(missing)
        return pitch_of_views(
            seen.integrals, seen.angles_deg, upright.axis_column.value, upright.roll_deg.value,
            about_deg,
        )  # fmt: skip

    def pixel_um(self, seen: Radiographs, moved_mm: float) -> Estimate:
        """Pixel size from two places across the beam."""
        return alignment.pixel_size_um(seen.integrals, seen.sweep, moved_mm)

    def displacement(self, reference: Radiographs, now: Radiographs) -> Displacement:
        """How far the sample has gone since the reference was taken."""
        return alignment.displacement_of(
            reference.integrals, reference.angles_deg, now.integrals, now.angles_deg
        )


def _too_bright(seen: Radiographs) -> str:
    if seen.saturated_part > 1e-3:
        return f"{seen.saturated_part:.1%} of the pixels are saturated"
    return ""


def _radiographs(scan: Scan, full_well: int) -> Radiographs:
    blocks = scan.record.blocks
    sweeps = [number for number, block in enumerate(blocks) if block.kind == "sweep"]
    darks = scan.table.of_blocks([n for n, block in enumerate(blocks) if block.kind == "darks"])
    rows = scan.table.of_blocks(sweeps)
    valid = np.flatnonzero(rows.valid)
    dark_frames = _frames(scan, darks.source[darks.valid])
    flat_frames = _frames(scan, scan.flats)
    views = _frames(scan, rows.source[valid])
    if not len(dark_frames) or not len(flat_frames):
        lost = "darks" if not len(dark_frames) else "flats"
        raise ValueError(
            f"expected flats and darks in the run {run_name(scan.record.uid)}, saw no {lost}"
            + "".join(f"; {problem}" for problem in scan.problems)
        )
    dark, flat = mean_field(dark_frames), mean_field(flat_frames)
    integrals = [line_integrals(view, flat, dark) for view in views]
    shape = (0, *flat.shape)
    order = {number: place for place, number in enumerate(sweeps)}
    every = [*flat_frames, *views]
    return Radiographs(
        integrals=np.stack(integrals) if integrals else np.empty(shape, np.float32),
        angles_deg=rows.angle_deg[valid].astype(np.float64),
        sweep=np.array([order[int(n)] for n in rows.block[valid]], np.int64),
        flat=flat,
        dark=dark,
        brightest_counts=float(np.quantile(flat, _BRIGHTEST)),
        saturated_part=max(float(np.mean(frame >= full_well)) for frame in every),
        dose_Gy=scan.dose.bound_Gy,
        beam_s=scan.dose.open_s,
    )


def _frames(scan: Scan, handles: NDArray[np.int64]) -> NDArray[Any]:
    found = [frames for _, frames in read_frames(scan.sources, handles)]
    return np.concatenate(found) if found else np.empty((0, *scan.delivered.shape), np.uint16)
