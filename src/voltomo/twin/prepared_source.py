"""Frames made before they are needed: for measurements of speed, at almost no cost a frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.frame_source import Exposure
from voltomo.twin.image_formation import PhantomCamera

_PROJECTIONS = 64
_FLATS = 8


class PreparedFrames:
    """A `FrameSource` of 64 projections over half a turn, 8 flats and 8 darks.

    Shows the projection nearest in angle; flat or dark as sample and shutter stand.
    """

    def __init__(self, camera: PhantomCamera, field_mm: float, nominal_fluence: float) -> None:
        self.shape = camera.shape
        self._half_field_mm = field_mm / 2

        def made(number: int, angle_deg: float, fluence: float, x_mm: float) -> NDArray[np.uint16]:
            exposure = Exposure(
                number=number,
                start_s=0.0,
                end_s=0.02,
                angles_deg=np.array([angle_deg]),
                weights=np.array([1.0]),
                fluence_per_cm2=fluence,
                open_part=float(fluence > 0),
                mid_angle_deg=angle_deg,
                sample_x_mm=x_mm,
                sample_z_mm=0.0,
                energy_keV=float("nan"),
            )
            return camera.frame(exposure)

        angles = np.arange(_PROJECTIONS) * 180 / _PROJECTIONS
        self._projections = [
            made(number, float(angle), nominal_fluence, 0.0) for number, angle in enumerate(angles)
        ]
        self._flats = [made(100 + k, 0.0, nominal_fluence, 2 * field_mm) for k in range(_FLATS)]
        self._darks = [made(200 + k, 0.0, 0.0, 0.0) for k in range(_FLATS)]

    def frame(self, exposure: Exposure) -> NDArray[np.uint16]:
        """The prepared frame that fits best."""
        if exposure.fluence_per_cm2 <= 0:
            return self._darks[exposure.number % _FLATS]
        if abs(exposure.sample_x_mm) > self._half_field_mm:
            return self._flats[exposure.number % _FLATS]
        place = round(exposure.mid_angle_deg / 180 * _PROJECTIONS)
        return self._projections[place % _PROJECTIONS]
