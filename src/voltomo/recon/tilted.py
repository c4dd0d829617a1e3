"""Volumes about a tilted axis: slabs that need many rows of the detector at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.corrected import Sinograms
from voltomo.analysis.correction_settings import CorrectionSettings
from voltomo.analysis.volume import VolumeReconstructor
from voltomo.analysis.volume_plan import VolumePlan, promised_bytes, rows_of_slab
from voltomo.analysis.weights import angular_weights
from voltomo.recon.ome_zarr import SLAB_STEP
from voltomo.recon.room import GB, NoRoom, ScanSize, Slabs, binnings, memory_limit_bytes
from voltomo.recon.slab import corrected_slab
from voltomo.recon.wish import Plan
from voltomo.runtime.recorded_rows import RecordedRows

_BLOCK = 16
Corrected = Callable[[int, int], Sinograms]


@dataclass(frozen=True)
class Detector:
    """Level rows of a binned detector, and an axis that leans."""

    rows: int
    columns: int
    axis: float
    tilt_deg: float
    roll_deg: float = 0.0


def plan_tilted_slabs(
    scan: ScanSize,
    detector: Detector,
    settings: CorrectionSettings,
    halo: int,
    threads: int,
    binning: int | None = None,
    memory_GB: float | None = None,
) -> Slabs:
    """As `voltomo.recon.room.plan_slabs`, for an axis that leans.

    Parameters
    ----------
    scan : ScanSize
        Of the recording.
    detector : Detector
        In its own pixels.
    settings : CorrectionSettings
        What is done to frames.
    halo : int
        Rows that corrections need on either side.
    threads : int
        Of the reconstruction.
    binning : int, optional
        Exactly this one.
    memory_GB : float, optional
        At most so much.

    Raises
    ------
    NoRoom
        Not even the smallest slab fits.
    """
    settings = without_continuation(settings)
    limit = memory_limit_bytes(memory_GB)
    needed = 0.0
    for bins in binnings(binning):
        binned = _binned(detector, bins)
        depth = binned.rows
        most = -(-depth // SLAB_STEP) * SLAB_STEP

        def needs(slices: int, bins: int = bins, binned: Detector = binned) -> int:
            thick = min(slices, binned.rows)
            half = (thick - 1) / 2
            first, last = rows_of_slab(binned, binned.columns, -half, half, 1)
            work = promised_bytes(binned, binned.columns, thick, 1, _BLOCK, threads)
            return work + scan.bytes_of_sinograms(last - first, bins, settings, -(-halo // bins))

        needed = needs(SLAB_STEP)
        if needed > limit:
            continue
        # Neighbouring slabs share most of their rows, which are corrected again for each: few
        # slabs, but more than one, so that little is lost by an interruption.
        slices = SLAB_STEP
        while (
            slices + SLAB_STEP <= max(SLAB_STEP, most // 4) and needs(slices + SLAB_STEP) <= limit
        ):
            slices += SLAB_STEP
        return Slabs(bins, slices, needs(slices))
    raise NoRoom(
        f"the smallest slab at a tilt of {detector.tilt_deg:g} deg needs {needed / GB:.2f} GB of "
        f"memory, and {limit / GB:.2f} GB may be used; nothing was started; end other programs, "
        "name more --memory, or bin the data with --bin"
    )


class TiltedSlabs:
    """Makes the slabs of one plan.

    Parameters
    ----------
    settings : CorrectionSettings
        What is done to frames.
    recorded : RecordedRows
        Open.
    plan : Plan
        With a tilt.
    threads : int
        Of the reconstruction.
    """

    def __init__(
        self, settings: CorrectionSettings, recorded: RecordedRows, plan: Plan, threads: int
    ) -> None:
        self._settings = without_continuation(settings)
        self._recorded, self._plan = recorded, plan
        depth, size, _ = plan.shape
        axis = plan.axis_at((recorded.rows - 1) / 2, recorded.rows)
        columns = recorded.columns // plan.binning
        self._detector = Detector(depth, columns, axis, plan.tilt_deg, plan.roll_deg)
        self._volume = VolumePlan(size, depth, 1, plan.slab_slices, _BLOCK, threads, 0)
        self._rows = (-1, -1)
        self._sinograms: Sinograms | None = None

    def slab(self, number: int) -> tuple[Sinograms, NDArray[np.float32]]:
        """The rows that a slab is made of, and its slices (n, N, N).

        Raises
        ------
        ValueError
            The corrections cannot be done with these data.
        """
        made = VolumeReconstructor(self._detector, self._volume, number)
        first, last = made.rows_needed
        sinograms = self._corrected(first, last)
        weights = angular_weights(sinograms.angles_deg, turn_deg=360.0)
        for view, angle in enumerate(sinograms.angles_deg):
            rows = np.ascontiguousarray(sinograms.rows[:, view])
            made.add(rows, float(angle), float(weights[view]))
        return sinograms, made.recon()

    def _corrected(self, first: int, last: int) -> Sinograms:
        if self._sinograms is None or self._rows != (first, last):
            # What is held goes before the next is made.
            self._sinograms = None
            self._sinograms = corrected_slab(
                self._settings, self._recorded, self._plan, first, last
            )
            self._rows = (first, last)
        return self._sinograms


def without_continuation(settings: CorrectionSettings) -> CorrectionSettings:
    """Rows that end in a sheet are no body that an ellipse could continue."""
    return settings.model_copy(update={"continue_truncated": False})


def why_not_tilted(
    settings: CorrectionSettings, backend: str, rows: tuple[int, int] | None, tilt_deg: float
) -> str:
    """Why a laminography cannot be reconstructed as it is asked for; empty where it can."""
    if not 0 <= tilt_deg <= _STEEPEST_DEG:
        return f"volumes are made at tilts from 0 to {_STEEPEST_DEG:g} deg, not at {tilt_deg:g}"
    if backend != "own":
        return (
            f"the axis is tilted by {tilt_deg:g} deg, and {backend} makes slices across an axis "
            "normal to the beam; use --backend own"
        )
    if rows is not None:
        return (
            f"the axis is tilted by {tilt_deg:g} deg, so that no slice lies in some rows alone; "
            "leave --rows out"
        )
    if settings.half_acquisition:
        return (
            "half acquisition is for an axis normal to the beam, it is tilted by "
            f"{tilt_deg:g} deg; leave it out of the corrections"
        )
    return ""


_STEEPEST_DEG = 70.0


def _binned(detector: Detector, bins: int) -> Detector:
    rows, columns = detector.rows // bins, detector.columns // bins
    return Detector(
        rows,
        columns,
        min(max(detector.axis / bins, 0), columns - 1),
        detector.tilt_deg,
        detector.roll_deg,
    )


def tilt_words(tilt_deg: float, angles_deg: NDArray[np.float64]) -> str:
    """What a person should know of a volume at a tilt."""
    missing = 1 - math.cos(math.radians(tilt_deg))
    span = float(np.ptp(angles_deg)) * len(angles_deg) / max(1, len(angles_deg) - 1)
    partial = "" if span > 359 else f"; the views cover {span:.0f} deg of the turn"
    return (
        f"note: the axis is tilted by {tilt_deg:g} deg: {100 * missing:.0f} % of all directions in "
        f"frequency space, a cone about the axis, were never measured and stay missing{partial}"
    )
