"""The scan file: one scan as a person writes it down."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from voltomo.model.geometry import Geometry
from voltomo.model.names import SafeName
from voltomo.model.place import Place, grid
from voltomo.model.scan_spec import PlanName, ScanSpec
from voltomo.model.sweep_angles import Interlace
from voltomo.model.target import Target
from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.runtime.yaml_file import FileRefused

_USUAL_FLATS = 20


class ScanFile(BaseModel):
    """What to scan, and how; pixels and axis come from the beamline.

    Parameters
    ----------
    kind : str
        On the fly ("tomography", "laminography"), with a stop for every frame
        ("tomography_step"), all frames at one angle ("radiography"), or flats and darks alone.
    sample : SafeName
        Whose ledger pays; must be among the beamline's samples.
    projections : int or None
        Frames in one sweep, or radiographs; not for flats and darks alone.
    range_deg : float
        Angle that a sweep covers, the step behind the last included.
    start_deg : float
        Angle of the stage at the first frame of a sweep.
    tilt_deg : float
        How far the axis leans towards the source, in a laminography.
    exposure_s : float
        Exposure of one frame.
    period_s : float
        From one trigger to the next; longer than the exposure by the camera's dead time.
    sweeps : int
        Number of times that the angles are run through, at every place.
    turns : int
        How often each sweep runs through its range without a stop; the range must be 180 or 360.
    order : {"forward", "alternate"}
        "alternate" turns back on every second sweep, and saves the way home.
    interlace : {"none", "even", "golden"}
        Sweeps between the angles of each other: i/K of a step further each, or a golden fraction.
    angles : {"even", "golden"}
        With a stop for every frame: "golden" spreads any number of frames nearly evenly.
    gate : {"trigger_window", "lease"}
        With a stop for every frame: the beam is off while the stage moves, or stays on.
    steps_per_lease : int
        With a stop for every frame: stops for which beam is asked at once; 0: a whole sweep.
    every_s : float
        From the beginning of one round of sweeps to the next (time series); 0: without a pause.
    tiles_x, tiles_z : int
        Places beside and above each other (mosaic, z-series), centred on where the sample stands.
    tile_overlap : float
        Part of a frame that neighbouring tiles share.
    axis_shift_mm : float
        How far the stage carries the axis sideways before the sweeps.
    half_acquisition : bool
        The axis stands near an edge of the frame, and 360° see twice its width.
    darks : int
        Frames with the shutter closed, before the first sweep.
    flats_before : int or None
        Frames with the sample out of the beam, before the first sweep; 20 if not given, and none
        with stored flats.
    flats_after : int or None
        Likewise, after the last.
    flats_every : int
        As many as before, also after every so many sweeps; 0: not between sweeps.
    stored_flats : str or None
        Uid of a recorded run, its first digits, or "last": its flats stand in, where the sample
        cannot leave the beam.
    last_scan : bool
        Whether it may take the dose that the sample's policy keeps back for the end of a series.
    stop_when : Target or None
        Ends an interlaced scan before its last sweep, once the live slice is good enough.
    whole_range : bool
        Whether a range with a blind sector of the rotation in it is refused; else the beam is off
        there, and a wedge is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: PlanName = "tomography"
    sample: SafeName
    projections: int | None = Field(default=None, gt=1, validate_default=True)
    range_deg: float = Field(default=180.0, gt=0)
    start_deg: float = 0.0
    tilt_deg: float = Field(default=0.0, ge=0, lt=90, validate_default=True)
    exposure_s: float = Field(gt=0)
    period_s: float = Field(gt=0)
    sweeps: int = Field(default=1, ge=1)
    turns: int = Field(default=1, ge=1)
    order: Literal["forward", "alternate"] = "forward"
    interlace: Interlace = "none"
    angles: Literal["even", "golden"] = "even"
    gate: Literal["trigger_window", "lease"] = "trigger_window"
    steps_per_lease: int = Field(default=0, ge=0)
    every_s: float = Field(default=0.0, ge=0)
    tiles_x: int = Field(default=1, ge=1)
    tiles_z: int = Field(default=1, ge=1)
    tile_overlap: float = Field(default=0.1, ge=0, lt=1)
    axis_shift_mm: float = 0.0
    half_acquisition: bool = False
    darks: int = Field(default=20, ge=1)
    flats_before: int | None = Field(default=None, ge=0)
    flats_after: int | None = Field(default=None, ge=0)
    flats_every: int = Field(default=0, ge=0)
    stored_flats: str | None = Field(default=None, max_length=64)
    last_scan: bool = False
    stop_when: Target | None = None
    whole_range: bool = False

    @field_validator("projections")
    @classmethod
    def _frames_are_wanted(cls, projections: int | None, before: ValidationInfo) -> int | None:
        if projections is None and before.data.get("kind") != "flats_and_darks":
            raise ValueError("is missing")
        return projections

    @field_validator("tilt_deg")
    @classmethod
    def _tilt_is_meant(cls, tilt_deg: float, before: ValidationInfo) -> float:
        if (tilt_deg > 0) != (before.data.get("kind") == "laminography"):
            raise ValueError(
                "must be above 0 in a laminography, and left out in other kinds of scans; got "
                f"{tilt_deg:g}"
            )
        return tilt_deg

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
            The beamline does not know the sample, or such a scan cannot be.
        """
        known = [sample.name for sample in beamline.samples]
        if self.sample not in known:
            raise FileRefused(
                f"sample {self.sample!r} is not known to the beamline {beamline.name!r}, which "
                f"lists: {', '.join(known)}; nothing was started; add it to the beamline file "
                "with its limits, or name another"
            )
        try:
            return self._spec(beamline, axis_column)
        except ValidationError as error:
            why = "; ".join(
                detail["msg"].removeprefix("Value error, ") for detail in error.errors()
            )
            raise FileRefused(f"such a scan cannot be: {why}; nothing was started") from error

    def _spec(self, beamline: BeamlineFile, axis_column: float | None) -> ScanSpec:
        # Flats and darks alone need no angles, but frames have a geometry.
        projections = self.projections or 2
        still = self.kind == "radiography"
        geometry = Geometry(
            rows=beamline.rows,
            columns=beamline.columns,
            pixel_um=beamline.pixel_um,
            axis_column=beamline.axis_column if axis_column is None else axis_column,
            start_deg=self.start_deg,
            step_deg=0.0 if still else self.range_deg / projections,
            projections=projections,
            tilt_deg=self.tilt_deg,
        )
        return ScanSpec.model_validate(
            {
                "geometry": geometry,
                "motion": "step" if still or self.kind == "tomography_step" else "fly",
                "places": self._places(beamline),
                "flats_shift_mm": beamline.flats_shift_mm,
                "row_delay_us": beamline.row_delay_us,
                "blind_sectors": beamline.rotation.blind_sectors,
                **self._same(),
                **self._flats(),
            }
        )

    def _same(self) -> dict[str, Any]:
        """What the scan is told in the same words."""
        names = (
            "sample", "exposure_s", "period_s", "turns", "order", "interlace", "angles", "gate",
            "steps_per_lease", "every_s", "half_acquisition", "darks", "flats_every",
            "stored_flats", "last_scan", "stop_when", "whole_range",
        )  # fmt: skip
        sweeps = 0 if self.kind == "flats_and_darks" else self.sweeps
        return {name: getattr(self, name) for name in names} | {"sweeps": sweeps}

    def _flats(self) -> dict[str, int]:
        """Flats that are taken; those that nobody asked for give way to stored ones."""
        usual = _USUAL_FLATS if self.stored_flats is None else 0
        asked = {"flats_before": self.flats_before, "flats_after": self.flats_after}
        return {name: usual if number is None else number for name, number in asked.items()}

    def _places(self, beamline: BeamlineFile) -> tuple[Place, ...]:
        if self.tiles_x * self.tiles_z == 1 and self.axis_shift_mm == 0:
            return ()
        part = (1 - self.tile_overlap) * beamline.pixel_um * 1e-3
        tiles = grid(self.tiles_x, self.tiles_z, part * beamline.columns, part * beamline.rows)
        return tuple(
            tile.model_copy(update={"x_mm": tile.x_mm + self.axis_shift_mm}) for tile in tiles
        )
