"""What a person asks of a reconstruction, and what was made of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from voltomo.analysis.correction_settings import CorrectionSettings

Backend = Literal["own", "algotom", "tomopy"]


class Wish(BaseModel):
    """One reconstruction as it was asked for.

    Parameters
    ----------
    file : Path
        NXtomo or DataExchange file.
    output : Path
        Folder of the volume.
    backend : {"own", "algotom", "tomopy"}
        What reconstructs.
    python : Path or None
        An interpreter that has the backend; our own if none.
    axis_column : float or None
        Column of the axis; found if none.
    rows : (int, int) or None
        First detector row, and the one behind the last; all if none.
    tilt_deg : float or None
        How far the axis leans; as the file says if none.
    corrections : CorrectionSettings
        What is done to the frames.
    binning : int or None
        Pixels that make one; as few as the memory allows if none.
    memory_GB : float or None
        At most so much; a share of what is free if none.
    threads : int
        Of the reconstruction.
    again : bool
        Begin anew whatever lies in the output.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path
    output: Path
    backend: Backend = "own"
    python: Path | None = None
    axis_column: float | None = None
    rows: tuple[int, int] | None = None
    tilt_deg: float | None = Field(default=None, ge=0, lt=90)
    corrections: CorrectionSettings = CorrectionSettings()
    binning: int | None = Field(default=None, ge=1, le=8)
    memory_GB: float | None = Field(default=None, gt=0)
    threads: int = Field(default=1, ge=1)
    again: bool = False


class Plan(BaseModel):
    """How it is done: kept in the log, so that a later start does the same.

    Parameters
    ----------
    rows : (int, int)
        Detector rows.
    binning : int
        Pixels that make one.
    slab_slices : int
        Slices of a slab.
    shape : (int, int, int)
        Slices, rows and columns of the volume.
    pixel_um : float or None
        Of the volume.
    axis_column, axis_sigma, roll_deg : float
        On the detector, in its own pixels.
    tilt_deg : float
        0 in tomography.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: tuple[int, int]
    binning: int
    slab_slices: int
    shape: tuple[int, int, int]
    pixel_um: float | None
    axis_column: float
    axis_sigma: float | None
    roll_deg: float
    tilt_deg: float = 0.0

    @property
    def slabs(self) -> list[tuple[int, int]]:
        """First slice, and the one behind the last, of each slab."""
        depth = self.shape[0]
        firsts = range(0, depth, self.slab_slices)
        return [(first, min(first + self.slab_slices, depth)) for first in firsts]

    def axis_at(self, middle_row: float, detector_rows: int) -> float:
        """Column of the axis, in binned columns, at a row of the detector."""
        from math import radians, tan

        away = middle_row - (detector_rows - 1) / 2
        column = self.axis_column + tan(radians(self.roll_deg)) * away
        return (column - (self.binning - 1) / 2) / self.binning
