"""Compile all kernels before the first scan, which would otherwise wait for it."""

import numpy as np

from voltomo.analysis.normalise import line_integrals
from voltomo.analysis.sheared_rows import SliceReconstructor
from voltomo.analysis.zingers import remove_zingers


def warm_up() -> None:
    """Run every kernel once on small arrays; milliseconds when the cache on disk is filled."""
    counts = np.full(16, 100, np.uint16)
    row = line_integrals(counts, counts * 2, counts // 2)
    reconstructor = SliceReconstructor(16, 7.5)
    for angle_deg in (0.0, 90.0):
        reconstructor.add(row, angle_deg)
    reconstructor.recon()
    remove_zingers(counts[None, None])
