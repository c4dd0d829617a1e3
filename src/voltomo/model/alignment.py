"""What an alignment finds: quantities with their uncertainty, or why one is not known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

__all__ = [
    "Alignment", "AlignmentMode", "Displacement", "Estimate", "Look", "Quantity", "Radiographs",
    "unknown",
]  # fmt: skip

AlignmentMode = Literal["show", "apply"]
"""Whether stages stay where they are, or are moved to where they should be."""

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Estimate:
    """A value and its standard deviation; without a value, why there is none.

    Attributes
    ----------
    value : float
        NaN where it could not be determined.
    sigma : float
        Infinite where it could not be determined.
    why_not : str
        A sentence's part on why there is no value; empty where there is one.
    """

    value: float = math.nan
    sigma: float = math.inf
    why_not: str = ""

    @property
    def known(self) -> bool:
        """Whether there is a value."""
        return not self.why_not and math.isfinite(self.value) and math.isfinite(self.sigma)


def unknown(why_not: str) -> Estimate:
    """No value, for a reason."""
    return Estimate(why_not=why_not)


@dataclass(frozen=True)
class Radiographs:
    """Frames of one recorded run, normalised, and what they cost.

    Attributes
    ----------
    integrals : float32 (views, rows, columns)
        Line integrals; none where the run has no radiographs.
    angles_deg : array (views,)
        Of the stage, at mid-exposure.
    sweep : int array (views,)
        Which sweep of the run each belongs to.
    flat, dark : float32 (rows, columns)
        Mean fields in counts.
    brightest_counts : float
        Counts that one pixel in a thousand of a flat reaches.
    saturated_part : float
        Part of all pixels, of flats and radiographs, that show the highest count there is.
    dose_Gy, beam_s : float
        Upper bound of what the sample received, and how long the beam was on it.
    """

    integrals: Image
    angles_deg: NDArray[np.float64]
    sweep: NDArray[np.int64]
    flat: Image
    dark: Image
    brightest_counts: float
    saturated_part: float
    dose_Gy: float = 0.0
    beam_s: float = 0.0


@dataclass(frozen=True)
class Look:
    """What radiographs round the turn say of axis and sample.

    Attributes
    ----------
    axis_column : Estimate
        Where the axis passes the middle row.
    roll_deg, pitch_deg : Estimate
        Lean of the axis in the detector plane, and towards the source.
    off_axis_columns : Estimate
        How far the sample's centre of mass lies from the axis.
    off_axis_angle_deg : float
        Stage angle at which it stands farthest towards higher columns.
    middle_row : Estimate
        Row of the sample's middle, where it ends inside the field.
    """

    axis_column: Estimate
    roll_deg: Estimate
    pitch_deg: Estimate
    off_axis_columns: Estimate
    off_axis_angle_deg: float
    middle_row: Estimate

    @classmethod
    def nothing(cls, why_not: str) -> Look:
        """Nothing could be told, for a reason."""
        lost = unknown(why_not)
        return cls(lost, lost, lost, lost, 0.0, lost)


@dataclass(frozen=True)
class Displacement:
    """How far a sample has gone since its reference radiographs, in pixels.

    Attributes
    ----------
    across, up : Estimate
        Of the stage below the rotation: towards higher columns and rows.
    x, y : Estimate
        Of the sample upon the rotation; see `voltomo.model.geometry`.
    """

    across: Estimate
    up: Estimate
    x: Estimate
    y: Estimate


class Quantity(BaseModel):
    """One quantity of an alignment, for documents, page and terminal.

    Parameters
    ----------
    name : str
        Such as "axis".
    unit : str
        Of value and deviation.
    value, sigma : float or None
        None where it could not be determined.
    sentence : str
        What a person reads; with the reason where there is no value.
    applied : bool
        Whether a stage was moved for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    unit: str = ""
    value: float | None = None
    sigma: float | None = None
    sentence: str
    applied: bool = False


class Alignment(BaseModel):
    """Result of `align` or `recenter`.

    Parameters
    ----------
    uid : str
        Run whose stream ``align`` holds it.
    kind : {"align", "recenter"}
        Which plan.
    mode : {"show", "apply"}
        Whether stages were moved.
    sample : str
        Who received the dose.
    quantities : tuple of Quantity
        In the order in which they were found.
    runs : tuple of str
        Uids of the runs with the radiographs.
    reference : str or None
        Run with the radiographs round the turn, to which `recenter` compares.
    exposure_s : float
        Of the last radiographs.
    radiographs : int
        With the sample in the beam.
    dose_Gy, beam_s : float
        That the sample received for it, as an upper bound, and how long the beam was on it.
    scan_dose_Gy : float or None
        Dose of the scan that it was made for, at the same dose rate; None without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    uid: str
    kind: Literal["align", "recenter"] = "align"
    mode: AlignmentMode
    sample: str
    quantities: tuple[Quantity, ...]
    runs: tuple[str, ...]
    reference: str | None = None
    exposure_s: float
    radiographs: int
    dose_Gy: float
    beam_s: float
    scan_dose_Gy: float | None = None

    def quantity(self, name: str) -> Quantity:
        """The quantity of this name.

        Raises
        ------
        KeyError
            There is none.
        """
        for quantity in self.quantities:
            if quantity.name == name:
                return quantity
        raise KeyError(f"the alignment knows no {name!r}")

    def document(self) -> dict[str, Any]:
        """For the start document of its run, without the quantities."""
        return self.model_dump(mode="json", exclude={"quantities", "uid"})
