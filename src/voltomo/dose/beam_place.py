"""Where in the sample a stretch of open beam went: what the exposure log must say for a map."""

from __future__ import annotations

from itertools import pairwise
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["BeamPlace"]


class BeamPlace(BaseModel):
    """Beam and stage during an exposure: key ``place`` of an entry of the exposure log.

    In the sample's frame of `voltomo.dose.beam_frame`, in mm: z along the rotation axis, x across
    the beam at an angle of 0. The frame is fixed to the sample, wherever the stages carry it.

    Parameters
    ----------
    width_mm, height_mm : float
        Of the beam at the sample, at the foot of its profile: what is outside gets nothing.
    peak_over_mean : float
        The profile's peak over the flux density that the dose was counted with.
    axis_mm : (float, float, float)
        Where in the sample the rotation axis passes (x, y), and the height (z) at which the
        middle of an unshifted beam meets it.
    beam_off_mm : (float, float)
        Middle of the beam from the axis: across it, and up.
    tilt_deg : float
        Lean of the axis from the normal to the beam.
    track : list of (float, float)
        UTC in s and angle of the stage in degrees; even speed in between. One alone: it stood.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    width_mm: float = Field(gt=0)
    height_mm: float = Field(gt=0)
    peak_over_mean: float = Field(default=1.0, ge=1)
    axis_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    beam_off_mm: tuple[float, float] = (0.0, 0.0)
    tilt_deg: float = Field(default=0.0, ge=0, lt=90)
    track: tuple[tuple[float, float], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _time_goes_on(self) -> Self:
        times = [utc_s for utc_s, _ in self.track]
        if any(later < earlier for earlier, later in pairwise(times)):
            raise ValueError("the times of a track must not go back")
        return self
