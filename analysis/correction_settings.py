"""What is done to frames before they are reconstructed, as one frozen record."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from voltomo.analysis.ramp_filter import Window


class PhaseSettings(BaseModel):
    """Paganin's filter, in place of the bare logarithm.

    Parameters
    ----------
    delta_over_beta : float
        Ratio of refraction to absorption of the one material that the sample is taken for.
    distance_mm : float
        From sample to detector; of a diverging beam divided by the magnification.
    energy_keV, pixel_um : float or None
        Of the beam and at the sample; what the file says where none is given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    delta_over_beta: float = Field(gt=0)
    distance_mm: float = Field(gt=0)
    energy_keV: float | None = Field(default=None, gt=0)
    pixel_um: float | None = Field(default=None, gt=0)


class CorrectionSettings(BaseModel):
    """All corrections, in the order in which they are applied.

    Parameters
    ----------
    zingers : float or None
        Pixels brighter than before, after and around by this many standard deviations of the
        noise are replaced; none: all pixels stay.
    monitor : bool
        Multiply each frame by what the beam monitor of the file says it lacks.
    flats : {"mean", "interpolated", "eigen"}
        Mean flat; a straight line in time between the flats before, between and after; or the
        mean and the few patterns in which flats differ, fitted to each frame.
    eigenflats : int
        Patterns at most.
    air_columns : int
        Columns of air at both ends of every row, whose transmission is made 1; 0: none.
    phase : group or none
        Paganin's filter.
    rings : {"none", "running", "consistent"}
        Offsets of columns: none taken off; those on the mean of the views so far, as live; those
        that are the same at all angles.
    ring_width_columns : int
        Window of columns that are compared, three times the widest stripe.
    half_acquisition : bool
        The axis is near one end of the detector and the turn is full: stitch opposite views.
    continue_truncated : bool
        Continue rows that end inside the sample, so that the slice keeps its level.
    filter : {"ram-lak", "shepp-logan", "cosine", "hamming", "hann"}
        The bare ramp, or a smoother member of its family.
    filter_cutoff : float
        Where the filter ends, over the frequency of Nyquist.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    zingers: float | None = Field(default=6.0, ge=4)
    monitor: bool = False
    flats: Literal["mean", "interpolated", "eigen"] = "interpolated"
    eigenflats: int = Field(default=3, ge=1, le=10)
    air_columns: int = Field(default=0, ge=0)
    phase: PhaseSettings | None = None
    rings: Literal["none", "running", "consistent"] = "none"
    ring_width_columns: int = Field(default=9, ge=5)
    half_acquisition: bool = False
    continue_truncated: bool = True
    filter: Window = "ram-lak"
    filter_cutoff: float = Field(default=1.0, gt=0, le=1)
