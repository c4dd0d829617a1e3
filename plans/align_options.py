"""How an alignment goes about it, and the small scans that it takes. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from voltomo.model.geometry import Geometry
from voltomo.model.place import Place
from voltomo.model.scan_spec import ScanSpec

PRIMING = 12
LOWEST, HIGHEST = 0.6, 0.8
"""Part of the full well that the flats shall reach."""


class AlignOptions(BaseModel):
    """Settings of `align` and `recenter`.

    Parameters
    ----------
    full_well : int
        Highest count of a pixel.
    shortest_exposure_s, longest_exposure_s : float
        Within which the exposure is sought.
    flats, darks : int
        Of each small run.
    views : int
        Radiographs round the turn; even, so that each has its opposite.
    focus_places : int
        Places of the focus that are tried.
    focus_step_mm : float
        From one to the next: about the depth in which a pixel is lost.
    shift_part : float
        Known shift, to either side, as a part of the field.
    centred_part : float
        The axis is well placed within this part of the field of the middle.
    roll_deg : float
        The camera is well turned within this.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    full_well: int = Field(default=65535, gt=0)
    shortest_exposure_s: float = Field(default=1e-3, gt=0)
    longest_exposure_s: float = Field(default=2.0, gt=0)
    flats: int = Field(default=5, ge=2)
    darks: int = Field(default=3, ge=1)
    views: int = Field(default=6, ge=4, multiple_of=2)
    focus_places: int = Field(default=5, ge=4)
    focus_step_mm: float = Field(default=0.15, gt=0)
    shift_part: float = Field(default=0.04, gt=0, le=0.2)
    centred_part: float = Field(default=0.002, gt=0, lt=0.5)
    roll_deg: float = Field(default=0.01, gt=0)


@dataclass(frozen=True)
class SmallScans:
    """The scans of an alignment, made from the one that shall follow.

    Parameters
    ----------
    spec : ScanSpec
        The scan that is aligned for.
    options : AlignOptions
        How many frames, and where.
    """

    spec: ScanSpec
    options: AlignOptions

    def _spec(self, exposure_s: float, **changes: object) -> ScanSpec:
        own = self.spec
        dead_s = own.period_s - own.exposure_s
        # However short exposures are, a rolling shutter reads all rows within the period.
        period_s = max(exposure_s + dead_s, 1.01 * own.read_out_s)
        values: dict[str, object] = {
            "sample": own.sample,
            "exposure_s": exposure_s,
            "period_s": period_s,
            "row_delay_us": own.row_delay_us,
            "motion": "step",
            "priming": PRIMING,
            "darks": self.options.darks,
            "flats_before": 0,
            "flats_after": 0,
            "flats_shift_mm": own.flats_shift_mm,
            "last_scan": own.last_scan,
        }
        return ScanSpec.model_validate(values | changes)

    def _geometry(self, step_deg: float, views: int, tilt_deg: float = 0.0) -> Geometry:
        own = self.spec.geometry
        changes = {"step_deg": step_deg, "projections": views, "tilt_deg": tilt_deg}
        return own.model_copy(update=changes | {"region": None, "roll_deg": 0.0})

    def flats(self, exposure_s: float) -> ScanSpec:
        """Flats and darks alone: no dose."""
        return self._spec(
            exposure_s,
            geometry=self._geometry(0.0, 2),
            sweeps=0,
            flats_before=self.options.flats,
        )

    def focus(self, exposure_s: float, flats: str) -> ScanSpec:
        """Two radiographs for each place of the focus."""
        return self._spec(
            exposure_s,
            geometry=self._geometry(0.0, 2),
            sweeps=self.options.focus_places,
            stored_flats=flats,
        )

    def look(
        self, exposure_s: float, flats: str, *, views: int | None = None, tilt_deg: float = 0.0
    ) -> ScanSpec:
        """Radiographs round the turn."""
        count = views or self.options.views
        return self._spec(
            exposure_s,
            geometry=self._geometry(360.0 / count, count, tilt_deg),
            stored_flats=flats,
        )

    def again(
        self, exposure_s: float, flats: str, reference_deg: NDArray[np.float64], views: int
    ) -> ScanSpec:
        """Radiographs at some of the angles of others, evenly apart.

        Raises
        ------
        ValueError
            The others are too few.
        """
        count = len(reference_deg)
        if count < views:
            raise ValueError(f"a reference needs {views} radiographs or more, it has {count}")
        every = count // views
        apart = reference_deg[: views * every : every]
        step_deg = float(np.mean(np.diff(apart)))
        geometry = self._geometry(abs(step_deg), views)
        start_deg = float(apart[0] if step_deg > 0 else apart[-1])
        return self._spec(
            exposure_s,
            geometry=geometry.model_copy(update={"start_deg": start_deg}),
            stored_flats=flats,
        )

    @property
    def shift_mm(self) -> float:
        """Known shift, to either side."""
        own = self.spec.geometry
        return self.options.shift_part * own.columns * own.pixel_um * 1e-3

    def shifted(self, exposure_s: float, flats: str) -> ScanSpec:
        """Two radiographs at each of two places across the beam."""
        return self._spec(
            exposure_s,
            geometry=self._geometry(0.0, 2),
            places=(Place(x_mm=-self.shift_mm), Place(x_mm=self.shift_mm)),
            stored_flats=flats,
        )


def next_exposure_s(
    exposure_s: float, brightest: float, dark: float, saturated: bool, options: AlignOptions
) -> float:
    """Exposure at which flats should reach the middle of what is wanted.

    Parameters
    ----------
    exposure_s : float
        Of the flats that were seen.
    brightest, dark : float
        Their counts.
    saturated : bool
        Whether they say too little, since they are at the top.
    options : AlignOptions
        Range of exposures and full well.
    """
    middle = (LOWEST + HIGHEST) / 2
    # What is dark does not grow with the exposure.
    light = (middle * options.full_well - dark) / max(brightest - dark, 1.0)
    factor = 0.15 if saturated else light
    wanted = exposure_s * min(max(factor, 0.02), 200.0)
    return min(max(wanted, options.shortest_exposure_s), options.longest_exposure_s)


def focus_places_mm(middle_mm: float, options: AlignOptions) -> list[float]:
    """Places of the focus on both sides of one, from low to high."""
    count = options.focus_places
    return [middle_mm + (n - (count - 1) / 2) * options.focus_step_mm for n in range(count)]
