"""A recorded scan as the camera sees it: projections by angle, flats, darks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voltomo.runtime.recorded_scan import RecordedScan
from voltomo.twin.frame_source import Exposure, Unrecorded

_LARGEST_OFFSET_MM = 4.0


class ReplayFrames:
    """A `FrameSource` that plays a recorded scan.

    Parameters
    ----------
    scan : RecordedScan
        What was recorded.
    pixel_um : float
        Pixel size where the recording does not tell it: half a field beside the axis, the sample
        counts as out of the beam.
    """

    def __init__(self, scan: RecordedScan, pixel_um: float) -> None:
        self._scan = scan
        self._grid = scan.grid()
        _, rows, columns = scan.projections.shape
        self.shape = (int(rows), int(columns))
        field_mm = columns * (scan.pixel_um or pixel_um) * 1e-3
        self._out_mm = min(field_mm / 2, _LARGEST_OFFSET_MM)
        self._flats_shown = 0
        self._darks_shown = 0

    def frame(self, exposure: Exposure) -> NDArray[np.uint16]:
        """The recorded frame: a dark, a flat (each kind in turn), or the projection of the angle.

        Raises
        ------
        Unrecorded
            The recording has no projection within half a step.
        """
        scan = self._scan
        if exposure.open_part < 0.5 or exposure.fluence_per_cm2 <= 0:
            self._darks_shown += 1
            return scan.darks[(self._darks_shown - 1) % len(scan.darks)]
        if abs(exposure.sample_x_mm) >= self._out_mm:
            self._flats_shown += 1
            return scan.flats[(self._flats_shown - 1) % len(scan.flats)]
        return scan.projections[self._projection(exposure.mid_angle_deg)]

    def _projection(self, angle_deg: float) -> int:
        grid = self._grid
        for turned_deg in (angle_deg, angle_deg - 360, angle_deg + 360):
            place = round((turned_deg - grid.start_deg) / grid.step_deg)
            if 0 <= place < grid.count and grid.projection_of_trigger[place] >= 0:
                return int(grid.projection_of_trigger[place])
        raise Unrecorded(
            f"{self._scan.path.name} has no projection within {grid.step_deg / 2:.3f} deg of "
            f"{angle_deg:.3f} deg; the trigger is missed"
        )
