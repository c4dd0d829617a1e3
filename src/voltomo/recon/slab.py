"""One slab of a recording: read, binned and corrected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.corrected import Fields, Sinograms
from voltomo.analysis.correction_settings import CorrectionSettings
from voltomo.analysis.pipeline import Corrections, paganin_of
from voltomo.recon.wish import Plan
from voltomo.runtime.recorded_rows import RecordedRows

# Views that are binned at a time, so that they need not all be held at full size.
VIEWS_AT_ONCE = 64


def corrected_slab(
    settings: CorrectionSettings, recorded: RecordedRows, plan: Plan, first: int, last: int
) -> Sinograms:
    """The sinograms of slices ``first`` to ``last`` of the volume.

    Raises
    ------
    ValueError
        The corrections cannot be done with these data.
    """
    bins = plan.binning
    row0, row1 = plan.rows[0] + first * bins, plan.rows[0] + last * bins
    phase = paganin_of(settings.phase, recorded.energy_keV, recorded.pixel_um)
    halo = bins * -(-phase.halo_pixels // bins) if phase is not None else 0
    above = min(halo, row0 // bins * bins)
    below = min(halo, (recorded.rows - row1) // bins * bins)
    low, high = row0 - above, row1 + below

    def fields(read: Callable[[int, int], NDArray[Any]]) -> NDArray[Any]:
        return _binned(read(low, high), bins)

    normalising = Fields(
        fields(recorded.flat_frames),
        fields(recorded.dark_frames),
        recorded.flat_places,
        recorded.flat_monitor,
    )
    pixel_um = None if recorded.pixel_um is None else recorded.pixel_um * bins
    corrections = Corrections(settings, normalising, recorded.energy_keV, pixel_um)
    return corrections.sinograms(
        _counts(recorded, low, high, bins),
        recorded.angles_deg,
        plan.axis_at((row0 + row1 - 1) / 2, recorded.rows),
        recorded.places,
        recorded.monitor if settings.monitor else None,
        slice(above // bins, above // bins + last - first),
    )


def _counts(recorded: RecordedRows, low: int, high: int, bins: int) -> NDArray[Any]:
    if bins == 1:
        return recorded.projections(low, high)
    views = recorded.angles_deg.size
    parts: list[NDArray[Any]] = []
    for at in range(0, views, VIEWS_AT_ONCE):
        some = np.arange(at, min(at + VIEWS_AT_ONCE, views))
        parts.append(_binned(recorded.projections(low, high, some), bins))
    return np.concatenate(parts)


def _binned(frames: NDArray[Any], bins: int) -> NDArray[Any]:
    """Means of squares of pixels; what is left over at an end is dropped."""
    if bins == 1:
        return frames
    rows, columns = frames.shape[1] // bins, frames.shape[2] // bins
    whole = frames[:, : rows * bins, : columns * bins]
    return whole.reshape(-1, rows, bins, columns, bins).mean(axis=(2, 4), dtype=np.float32)
