"""The corrections of whole scans, applied to frames one by one while they arrive."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.corrected import Fields
from voltomo.analysis.correction_settings import CorrectionSettings
from voltomo.analysis.pipeline import Corrections
from voltomo.analysis.rings import RunningRings

_RINGS_EVERY = 16


class GrowingCorrections:
    """From counts of one frame to its line integrals, by `Corrections` and the live ring filter.

    What needs other frames than those before is not done: zingers, and rings by `remove_rings`.

    Parameters
    ----------
    settings : CorrectionSettings
        What is done.
    fields : Fields
        Flats and darks, of the same rows as the frames that come.
    """

    def __init__(self, settings: CorrectionSettings, fields: Fields) -> None:
        self._corrections = Corrections(settings, fields)
        self._settings = settings
        self._shape = self._corrections.dark.shape
        self.start_rings()

    @property
    def flat(self) -> NDArray[np.float32]:
        """Mean of the flats, float32 (rows, columns)."""
        return self._corrections.flats.mean

    @property
    def dark(self) -> NDArray[np.float32]:
        """Mean of the darks, float32 (rows, columns)."""
        return self._corrections.dark

    def start_rings(self) -> None:
        """Forget what the ring filter knows; for another sample, or views that come again."""
        rows, columns = self._shape
        self._rings = None
        if self._settings.rings == "running":
            every = _RINGS_EVERY if rows > 1 else 1
            width = self._settings.ring_width_columns
            self._rings = RunningRings(columns, width, rows=rows, every_views=every)

    def line_integrals(self, counts: NDArray[Any], place: float) -> NDArray[np.float32]:
        """Line integrals of a frame.

        Parameters
        ----------
        counts : uint16 (rows, columns)
            The frame.
        place : float
            Where it lies in the scan, in the count of `Fields.flat_places`.
        """
        rows, _ = self._corrections.frames(counts[None], [place])
        return rows[0] if self._rings is None else self._rings.apply(rows[0])
