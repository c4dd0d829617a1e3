"""What a reconstruction says of its own middle slice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.batch import fbp
from voltomo.analysis.corrected import Sinograms
from voltomo.analysis.measures import ring_strength, sharpness, snr_measure
from voltomo.analysis.resolution import frc_resolution

# Halves of fewer views than this resolve nothing.
_FEWEST_VIEWS = 16


def quality_of(sinograms: Sinograms, size: int, pixel_um: float | None) -> list[str]:
    """Lines on resolution, noise, sharpness and rings of the middle slice of a slab.

    Parameters
    ----------
    sinograms : Sinograms
        Of the slab.
    size : int
        N of the slice.
    pixel_um : float or None
        Of the volume.
    """
    rows = sinograms.rows[len(sinograms.rows) // 2]
    angles = sinograms.angles_deg
    if len(angles) < _FEWEST_VIEWS or size < 32:
        return []

    def slice_of(views: slice) -> NDArray[np.float32]:
        return fbp(rows[views], angles[views], sinograms.axis_column, size)

    whole, even, odd = (
        slice_of(views) for views in (slice(None), slice(0, None, 2), slice(1, None, 2))
    )
    start, span = float(angles[0]), float(np.ptp(angles))
    try:
        measures = [
            frc_resolution(even, odd, start, pixel_um),
            snr_measure(whole),
            sharpness(even, odd),
            ring_strength(whole, start, span),
        ]
    except ValueError as reason:
        return [f"the middle slice cannot be measured: {reason}"]
    return [str(measure) for measure in measures]
