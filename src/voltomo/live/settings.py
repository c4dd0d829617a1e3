"""Settings of the live worker."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from voltomo.analysis.correction_settings import CorrectionSettings


class LiveCorrections(BaseModel):
    """What is done to frames while they arrive, a part of what is done to whole scans.

    Parameters
    ----------
    flats : {"interpolated", "mean", "eigen"}
        The flats before the view, as long as there are none after it; "eigen": the few patterns
        in which they differ, fitted to each frame.
    air_columns : int
        Columns of air at both ends of every row, whose transmission is made 1; 0: none.
    rings : {"none", "running"}
        Whether offsets of columns on the mean of the views so far are taken off.
    ring_width_columns : int
        Window of columns that are compared, three times the widest stripe.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    flats: Literal["interpolated", "mean", "eigen"] = "interpolated"
    air_columns: int = Field(default=0, ge=0)
    rings: Literal["none", "running"] = "none"
    ring_width_columns: int = Field(default=9, ge=5)

    def settings(self) -> CorrectionSettings:
        """The same for the pipeline that whole scans go through."""
        return CorrectionSettings(
            zingers=None,
            flats=self.flats,
            air_columns=self.air_columns,
            rings=self.rings,
            ring_width_columns=self.ring_width_columns,
            continue_truncated=False,
        )


class LiveSettings(BaseModel):
    """What the worker shows and how it judges.

    Parameters
    ----------
    prefix : str
        First part of all PV names.
    height_row : int or None
        Detector row of the slice at the start; the middle if not given.
    publish_s : float
        Longest time that a view waits before a slice with it is published.
    lost_fraction_max : float
        Lost frames over triggers, above which the verdict is bad.
    transmission_min, transmission_max : float
        Mean transmission outside of which the verdict is bad: sample too thick, or absent.
    snr_min : float
        Signal to noise of the slice below which the verdict is bad.
    motion_max_pixels : float
        Motion from the first sweeps to the last, above which the verdict is bad.
    axis_error_max_columns : float
        How far the axis may lie from where it was declared, before the verdict is bad.
    queue_frames : int
        Frames that may wait; beyond it views are dropped here and filled from the file later.
    labels_s : float
        Slices are labelled no faster than this; never more than a quarter of the time.
    labels_radius : float
        Radius of the disc that is labelled, over half the slice: the inside of the sample.
    corrections : group
        What is done to frames before they are added.
    planes : bool
        Whether planes beside the horizontal slice are made; without them a tilted or rolled axis
        and interlaced sweeps have no live slice.
    planes_every_s : float
        Longest time that a view waits before planes with it are published.
    planes_waiting_MB : float
        Frames that may wait for the planes; beyond it views are skipped and filled from the file.
    buffer_MB : float
        Memory for the filtered views from which a plane that is moved is drawn anew. Views are
        binned until those of a scan fit.
    volume_MB : float
        Memory that a volume on request may take.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: str = "VT:"
    height_row: int | None = Field(default=None, ge=0)
    publish_s: float = Field(default=0.1, gt=0)
    lost_fraction_max: float = Field(default=0.02, ge=0, le=1)
    transmission_min: float = Field(default=0.02, ge=0)
    transmission_max: float = Field(default=0.98, le=1.5)
    snr_min: float = Field(default=1.0, ge=0)
    motion_max_pixels: float = Field(default=1.0, gt=0)
    axis_error_max_columns: float = Field(default=1.0, gt=0)
    queue_frames: int = Field(default=300, ge=8)
    labels_s: float = Field(default=1.5, gt=0)
    labels_radius: float = Field(default=0.9, gt=0, le=1)
    corrections: LiveCorrections = LiveCorrections()
    planes: bool = True
    planes_every_s: float = Field(default=0.25, gt=0)
    planes_waiting_MB: float = Field(default=256.0, gt=0)
    buffer_MB: float = Field(default=1000.0, gt=0)
    volume_MB: float = Field(default=512.0, gt=0)
