r"""Where the rays, the axis and the pixels are: the only source of conventions.

::

      tilt_deg = 0 (tomography)            tilt_deg = 30 (laminography)

            axis                               axis
             |                                   \
    beam --> | sample                    beam --> \ sample
             |                                     \
      axis normal to the beam           axis leans by tilt_deg from that normal,
                                        towards the source

A point (x, y) of a horizontal slice, in pixels from the axis, falls on the detector column
``axis_column + x cos(angle) + y sin(angle)``. Pixel centres lie at integers, so that the
middle of a detector with n columns is (n - 1) / 2.

A point (x, y, z), with z along the axis towards higher rows, falls at::

    u = x cos(angle) + y sin(angle)
    v = z cos(tilt) + (y cos(angle) - x sin(angle)) sin(tilt)

    column = axis_column      + u cos(roll) + v sin(roll)
    row    = (rows - 1) / 2   + v cos(roll) - u sin(roll)

So z = 0 is where the axis passes the middle row, there at `axis_column`. Seen along the beam with
row 0 at the top, the upper end of the axis leans towards the source.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator


class Region(BaseModel):
    """A part of the detector, in its own pixels: first inclusive, last exclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    first_row: int = Field(ge=0)
    last_row: int = Field(gt=0)
    first_column: int = Field(ge=0)
    last_column: int = Field(gt=0)

    @model_validator(mode="after")
    def _not_empty(self) -> Region:
        if self.last_row <= self.first_row or self.last_column <= self.first_column:
            raise ValueError("a region must hold at least one pixel: last beyond first")
        return self


class Geometry(BaseModel):
    """Pixel, axis, roll, tilt and angles of one scan.

    Parameters
    ----------
    rows, columns : int
        Size of a frame.
    pixel_um : float
        Pixel size at the sample, in micrometres.
    axis_column : float or None
        Detector column of the rotation axis; None is the middle, (columns - 1) / 2.
    roll_deg : float
        Rotation of the axis in the detector plane, positive from the rows' axis towards the
        columns' axis.
    tilt_deg : float
        0 = axis normal to the beam (tomography); see the drawing above.
    start_deg, step_deg : float
        Angle of the stage at the first trigger, and from one trigger to the next; a step of 0
        is a stage that stands (radiographs).
    projections : int
        Number of triggers in one sweep.
    region : Region or None
        Part of the detector that is read; None is all of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    pixel_um: float = Field(gt=0)
    axis_column: float | None = None
    roll_deg: float = Field(default=0.0, ge=-45, le=45)
    tilt_deg: float = Field(default=0.0, ge=0, lt=90)
    start_deg: float = 0.0
    step_deg: float = Field(ge=0)
    projections: int = Field(gt=1)
    region: Region | None = None

    @property
    def axis(self) -> float:
        """Detector column of the rotation axis, the middle where none is given."""
        return (self.columns - 1) / 2 if self.axis_column is None else self.axis_column

    @property
    def angles_deg(self) -> NDArray[np.float64]:
        """Stage angles at the triggers of a forward sweep, shape (projections,)."""
        steps = np.arange(self.projections, dtype=np.float64)
        return np.asarray(self.start_deg + self.step_deg * steps, dtype=np.float64)

    @property
    def range_deg(self) -> float:
        """Angle that one sweep covers, a last step included (180 for a whole half turn)."""
        return self.step_deg * self.projections
