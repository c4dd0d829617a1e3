"""What the virtual camera is told before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class LensSettings(BaseModel):
    """A lens of the virtual camera.

    Parameters
    ----------
    name : str
        On its choice.
    pixel_um : float
        Pixel size at the sample behind it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=25)
    pixel_um: float = Field(gt=0)


class CameraSettings(BaseModel):
    """Detector, optics and what stands in the beam.

    Parameters
    ----------
    rows, columns : int
        Size of a frame; a replay takes it from its file.
    pixel_um : float
        Pixel size at the sample.
    axis_column : float or None
        Column of the rotation axis at sample_x = 0; the middle if None.
    energy_keV : float
        Photon energy while the beam's own is not known yet.
    full_well : int
        Highest value of a pixel.
    counts : float
        Counts of a flat frame at nominal flux in ``counts_exposure_s``.
    counts_exposure_s : float
        Exposure that ``counts`` are for.
    dark_counts : float
        Offset.
    read_noise : float
        Scatter of the offset from frame to frame.
    propagation_mm : float
        Distance from sample to detector; makes the fringes.
    blur_pixels : float
        Standard deviation of the detector's point spread.
    focus_depth_mm : float
        The camera's focus is off by so much where that adds a pixel to the point spread.
    row_delay_us : float
        A rolling shutter exposes each row so much later than the one before; 0 for a global one.
    lenses : list of LensSettings
        Lenses that can be turned in; none stands for the one that ``pixel_um`` is of.
    sample : "cell", "pouch" or "electrode"
        A cylindrical cell; a flat piece of a pouch cell across the axis, for laminography; or a
        plug of an electrode in a tube, for segmentation.
    ring_gain_error : float
        Non-linearity of the columns that make rings.
    ring_columns : float
        Part of the columns that have it.
    flat_drift_pixels_per_minute : float
        How fast the stripes of the flat field move.
    source : "phantom" or "replay"
        Where projections come from.
    replay_file : Path or None
        The recorded scan of a replay.
    replay_scale : float or None
        Counts per recorded unit, where they were found before; else the images tell.
    prerendered : bool
        Show frames made at the start, for measurements of speed.
    ring_stall_s : float
        The ring between camera and writer bridges so long a stall of the writer at 100 frames/s,
        where memory allows.
    ring_MB : float
        Memory that the ring takes at most; never more than a quarter of what is free.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int = Field(default=256, ge=1, le=8192)
    columns: int = Field(default=256, ge=8, le=8192)
    pixel_um: float = Field(default=2.5, gt=0)
    axis_column: float | None = None
    energy_keV: float = Field(default=20.0, ge=1, le=100)
    full_well: int = Field(default=65535, gt=0, le=65535)
    counts: float = Field(default=2e4, gt=0)
    counts_exposure_s: float = Field(default=0.02, gt=0)
    dark_counts: float = Field(default=100.0, ge=0)
    read_noise: float = Field(default=3.0, ge=0)
    propagation_mm: float = Field(default=4.0, ge=0)
    blur_pixels: float = Field(default=0.5, ge=0, le=5)
    focus_depth_mm: float = Field(default=0.1, gt=0)
    row_delay_us: float = Field(default=0.0, ge=0, le=1000)
    lenses: tuple[LensSettings, ...] = ()
    sample: Literal["cell", "pouch", "electrode"] = "cell"
    ring_gain_error: float = Field(default=0.01, ge=0, le=0.2)
    ring_columns: float = Field(default=0.03, ge=0, le=1)
    flat_drift_pixels_per_minute: float = 1.0
    source: Literal["phantom", "replay"] = "phantom"
    replay_file: Path | None = None
    replay_scale: float | None = Field(default=None, gt=0)
    prerendered: bool = False
    ring_stall_s: float = Field(default=5.0, ge=2, le=60)
    ring_MB: float = Field(default=1024.0, ge=64)
