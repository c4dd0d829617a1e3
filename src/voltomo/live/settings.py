"""Settings of the live worker."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


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
