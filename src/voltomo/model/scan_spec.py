"""What a scan is, before it is run: plan, planner and rehearsal take the same one."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.model.geometry import Geometry
from voltomo.model.names import SafeName

BlockKind = Literal["priming", "darks", "flats", "sweep"]


class Block(BaseModel):
    """A run of triggers of one kind: (first, count) in the index that spans the whole scan.

    ``start_deg`` and ``step_deg`` are set where the stage triggers by position (sweeps), and
    None where a clock does (priming, darks, flats).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: BlockKind
    first: int = Field(ge=0)
    count: int = Field(gt=0)
    period_s: float = Field(gt=0)
    start_deg: float | None = None
    step_deg: float | None = None

    @property
    def last(self) -> int:
        """One past the last trigger index of the block."""
        return self.first + self.count

    @property
    def seconds(self) -> float:
        """How long the block's triggers take."""
        return self.count * self.period_s


class ScanSpec(BaseModel):
    """One tomography: geometry, exposure, sweeps and their order, flats and darks.

    Parameters
    ----------
    sample : SafeName
        The sample whose dose ledger pays.
    geometry : Geometry
        Angles and pixels.
    exposure_s : float
        Exposure of one frame.
    period_s : float
        From one trigger to the next; longer than the exposure by the camera's dead time.
    sweeps : int
        Number of times that the angles are run through.
    order : {"forward", "alternate"}
        "alternate" turns back on every second sweep, and saves the way home.
    priming, darks, flats_before, flats_after : int
        Frames of each kind. Priming happens with the shutter closed and fixes the clocks.
    flats_shift_mm : float
        How far the sample leaves the beam sideways for flats, to either side.
    last_scan : bool
        Whether it may take the dose that the sample's policy keeps back for the end of a series.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample: SafeName
    geometry: Geometry
    exposure_s: float = Field(gt=0)
    period_s: float = Field(gt=0)
    sweeps: int = Field(default=1, ge=1)
    order: Literal["forward", "alternate"] = "forward"
    priming: int = Field(default=12, ge=6)
    darks: int = Field(default=20, ge=1)
    flats_before: int = Field(default=20, ge=1)
    flats_after: int = Field(default=20, ge=0)
    flats_shift_mm: float = 5.0
    last_scan: bool = False

    @model_validator(mode="after")
    def _exposure_fits(self) -> ScanSpec:
        if self.exposure_s >= self.period_s:
            raise ValueError(
                f"an exposure of {self.exposure_s:g} s does not fit into a period of "
                f"{self.period_s:g} s; lengthen period_s or shorten exposure_s"
            )
        return self

    @model_validator(mode="after")
    def _sample_leaves_the_beam(self) -> ScanSpec:
        if self.flats_shift_mm == 0:
            raise ValueError(
                "flats_shift_mm must not be 0, or flats are taken with the sample in the beam; say "
                "how far it has to move to leave the field, to either side"
            )
        return self

    @property
    def velocity_deg_s(self) -> float:
        """Speed of the stage while it triggers."""
        return self.geometry.step_deg / self.period_s

    @property
    def triggers(self) -> int:
        """Number of triggers in the whole scan."""
        return self.blocks()[-1].last

    def blocks(self) -> tuple[Block, ...]:
        """All triggers of the scan, in order: who fires how many, starting at which index."""
        geometry = self.geometry
        last_deg = geometry.start_deg + geometry.step_deg * (geometry.projections - 1)
        plan: list[tuple[str, BlockKind, int, float | None, float | None]] = [
            ("priming", "priming", self.priming, None, None),
            ("darks", "darks", self.darks, None, None),
            ("flats_before", "flats", self.flats_before, None, None),
        ]
        for sweep in range(self.sweeps):
            backward = self.order == "alternate" and sweep % 2 == 1
            start = last_deg if backward else geometry.start_deg
            step = -geometry.step_deg if backward else geometry.step_deg
            plan.append((f"sweep_{sweep}", "sweep", geometry.projections, start, step))
        plan.append(("flats_after", "flats", self.flats_after, None, None))
        blocks: list[Block] = []
        first = 0
        for name, kind, count, start, step in plan:
            if count == 0:
                continue
            blocks.append(
                Block(
                    name=name,
                    kind=kind,
                    first=first,
                    count=count,
                    period_s=self.period_s,
                    start_deg=start,
                    step_deg=step,
                )
            )
            first += count
        return tuple(blocks)
