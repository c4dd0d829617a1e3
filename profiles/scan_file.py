"""The scan file: one tomography as a person writes it down."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from voltomo.model.geometry import Geometry
from voltomo.model.names import SafeName
from voltomo.model.scan_spec import ScanSpec
from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.runtime.yaml_file import FileRefused


class ScanFile(BaseModel):
    """What to scan, and how; pixels and axis come from the beamline.

    Parameters
    ----------
    sample : SafeName
        Whose ledger pays; must be among the beamline's samples.
    projections : int
        Triggers in one sweep.
    range_deg : float
        Angle that they cover, the step behind the last included.
    start_deg : float
        Angle of the stage at the first trigger of a sweep.
    exposure_s : float
        Exposure of one frame.
    period_s : float
        From one trigger to the next; longer than the exposure by the camera's dead time.
    sweeps : int
        Number of times that the angles are run through.
    order : {"forward", "alternate"}
        "alternate" turns back on every second sweep, and saves the way home.
    darks : int
        Frames with the shutter closed, before the first sweep.
    flats_before : int
        Frames with the sample out of the beam, before the first sweep.
    flats_after : int
        Likewise, after the last.
    last_scan : bool
        Whether it may take the dose that the sample's policy keeps back for the end of a series.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sample: SafeName
    projections: int = Field(gt=1)
    range_deg: float = Field(default=180.0, gt=0)
    start_deg: float = 0.0
    exposure_s: float = Field(gt=0)
    period_s: float = Field(gt=0)
    sweeps: int = Field(default=1, ge=1)
    order: Literal["forward", "alternate"] = "forward"
    darks: int = Field(default=20, ge=1)
    flats_before: int = Field(default=20, ge=1)
    flats_after: int = Field(default=20, ge=0)
    last_scan: bool = False

    @field_validator("period_s")
    @classmethod
    def _exposure_fits(cls, period_s: float, before: ValidationInfo) -> float:
        exposure_s = before.data.get("exposure_s")
        if exposure_s is not None and exposure_s >= period_s:
            raise ValueError(
                f"exposure_s ({exposure_s:g}) must be shorter than period_s ({period_s:g}), by "
                "the camera's dead time"
            )
        return period_s

    def spec(self, beamline: BeamlineFile, axis_column: float | None = None) -> ScanSpec:
        """The scan on this beamline; ``axis_column`` overrides the beamline's.

        Raises
        ------
        FileRefused
            The beamline does not know the sample.
        """
        known = [sample.name for sample in beamline.samples]
        if self.sample not in known:
            raise FileRefused(
                f"sample {self.sample!r} is not known to the beamline {beamline.name!r}, which "
                f"lists: {', '.join(known)}; nothing was started; add it to the beamline file "
                "with its limits, or name another"
            )
        geometry = Geometry(
            rows=beamline.rows,
            columns=beamline.columns,
            pixel_um=beamline.pixel_um,
            axis_column=beamline.axis_column if axis_column is None else axis_column,
            start_deg=self.start_deg,
            step_deg=self.range_deg / self.projections,
            projections=self.projections,
        )
        return ScanSpec(
            sample=self.sample,
            geometry=geometry,
            exposure_s=self.exposure_s,
            period_s=self.period_s,
            sweeps=self.sweeps,
            order=self.order,
            darks=self.darks,
            flats_before=self.flats_before,
            flats_after=self.flats_after,
            flats_shift_mm=beamline.flats_shift_mm,
            last_scan=self.last_scan,
        )
