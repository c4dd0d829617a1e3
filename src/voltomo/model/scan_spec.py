"""What a scan is, before it is run: plan, planner and rehearsal take the same one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.model.geometry import Geometry
from voltomo.model.names import SafeName
from voltomo.model.place import HOME, Place
from voltomo.model.scan_rules import why_not
from voltomo.model.sweep_angles import Interlace, golden_angles_deg, interlace_offset
from voltomo.model.sweep_parts import parts_of
from voltomo.model.target import Target

BlockKind = Literal["priming", "darks", "flats", "sweep"]
PlanName = Literal[
    "tomography", "tomography_step", "laminography", "radiography", "flats_and_darks"
]
LIT: tuple[BlockKind, ...] = ("flats", "sweep")
"""Kinds of blocks that need beam."""


@dataclass(frozen=True)
class Stop:
    """Triggers of a block that are fired while the stage stands at one angle."""

    angle_deg: float
    first: int
    count: int


class Block(BaseModel):
    """A run of triggers of one kind: (first, count) in the index that spans the whole scan.

    ``start_deg`` and ``step_deg`` are set where the stage triggers by position (sweeps on the
    fly), ``targets_deg`` where it stands for every exposure (sweeps step by step: one angle for
    each trigger); all three are None where nothing is said of angles (priming, darks, flats).
    ``turns`` is how often a sweep runs through its range without stopping, ``place`` where the
    sample stage stands, ``due_s`` how long after the first sweep it begins at the earliest.
    ``sweep`` is the number of the sweep that a block belongs to: one that passes blind sectors has
    several blocks.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    kind: BlockKind
    first: int = Field(ge=0)
    count: int = Field(gt=0)
    period_s: float = Field(gt=0)
    start_deg: float | None = None
    step_deg: float | None = None
    targets_deg: tuple[float, ...] | None = None
    turns: int = Field(default=1, ge=1)
    place: Place = HOME
    due_s: float = Field(default=0.0, ge=0)
    sweep: int | None = None

    @property
    def last(self) -> int:
        """One past the last trigger index of the block."""
        return self.first + self.count

    @property
    def seconds(self) -> float:
        """How long the block's triggers take, moves between them left out."""
        return self.count * self.period_s

    @property
    def lit(self) -> bool:
        """Whether the block needs beam."""
        return self.kind in LIT

    @property
    def stepped(self) -> bool:
        """Whether the stage stands while frames are exposed."""
        return self.targets_deg is not None

    @property
    def asked_deg(self) -> NDArray[np.float64] | None:
        """Angles as asked for, shape (count,); None where nothing is said of them."""
        if self.targets_deg is not None:
            return np.array(self.targets_deg, dtype=np.float64)
        if self.start_deg is None or self.step_deg is None:
            return None
        return self.start_deg + self.step_deg * np.arange(self.count, dtype=np.float64)

    @property
    def stops(self) -> tuple[Stop, ...]:
        """Where the stage stands one after the other, and how many triggers are fired there."""
        stops: list[Stop] = []
        first = self.first
        for angle_deg, group in groupby(self.targets_deg or ()):
            count = len(list(group))
            stops.append(Stop(angle_deg, first, count))
            first += count
        return tuple(stops)


class ScanSpec(BaseModel):
    """One scan: geometry, exposure, sweeps and their order, flats and darks.

    Parameters
    ----------
    sample : SafeName
        The sample whose dose ledger pays.
    geometry : Geometry
        Angles and pixels. A step of 0 takes radiographs, all at the first angle.
    exposure_s : float
        Exposure of one frame.
    period_s : float
        From one trigger to the next; longer than the exposure by the camera's dead time.
    motion : {"fly", "step"}
        "fly": the stage turns and triggers by position. "step": it stands for every exposure.
    sweeps : int
        Number of times that the angles are run through, at every place; 0 takes flats and darks
        alone.
    turns : int
        How often each sweep on the fly runs through the range without stopping.
    order : {"forward", "alternate"}
        "alternate" turns back on every second sweep, and saves the way home.
    interlace : {"none", "even", "golden"}
        By what part of a step sweep i is shifted; see `interlace_offset`.
    angles : {"even", "golden"}
        "golden", step by step only: each frame one golden fraction of the range beyond the last,
        over all sweeps; see `golden_angles_deg`.
    places : tuple of Place
        Where the sweeps are taken, beside where the sample stands; there alone if empty.
    every_s : float
        From the beginning of one round of sweeps to that of the next (time series); a round is
        one sweep at every place. 0: as soon as possible, all sweeps at one place together.
    half_acquisition : bool
        The axis stands near an edge of the detector, and a turn sees twice its width.
    gate : {"trigger_window", "lease"}
        Of sweeps step by step. "trigger_window": the beam is on while frames are exposed, and off
        while the stage moves. "lease": it is on from the first frame of a lease to the last.
    steps_per_lease : int
        Stops for which one lease is asked, step by step; 0: one lease a sweep.
    priming, darks, flats_before, flats_after : int
        Frames of each kind. Priming happens with the shutter closed and fixes the clocks.
    flats_every : int
        Flats, as many as before, also after every so many sweeps; 0: not between sweeps.
    stored_flats : str or None
        Uid of a recorded run whose flats stand in, where the sample cannot leave the beam.
    flats_shift_mm : float
        How far the sample leaves the beam sideways for flats, to either side.
    last_scan : bool
        Whether it may take the dose that the sample's policy keeps back for the end of a series.
    stop_when : Target or None
        Ends an interlaced scan before its last sweep, once its slice is good enough.
    row_delay_us : float
        A rolling shutter exposes each row so much later than the one before; 0 for a global one.
    blind_sectors : tuple of pairs
        From and to in deg, upwards, repeated every turn: no beam there, no frames.
    blind_margin_deg : float
        How far from a blind sector the beam must be closed: what the stage turns while it travels.
    whole_range : bool
        Whether a range with a blind sector in it is refused, and not scanned with a missing wedge.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample: SafeName
    geometry: Geometry
    exposure_s: float = Field(gt=0)
    period_s: float = Field(gt=0)
    motion: Literal["fly", "step"] = "fly"
    sweeps: int = Field(default=1, ge=0)
    turns: int = Field(default=1, ge=1)
    order: Literal["forward", "alternate"] = "forward"
    interlace: Interlace = "none"
    angles: Literal["even", "golden"] = "even"
    places: tuple[Place, ...] = ()
    every_s: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    half_acquisition: bool = False
    gate: Literal["trigger_window", "lease"] = "trigger_window"
    steps_per_lease: int = Field(default=0, ge=0)
    priming: int = Field(default=12, ge=6)
    darks: int = Field(default=20, ge=1)
    flats_before: int = Field(default=20, ge=0)
    flats_after: int = Field(default=20, ge=0)
    flats_every: int = Field(default=0, ge=0)
    stored_flats: str | None = Field(default=None, max_length=64)
    flats_shift_mm: float = 5.0
    last_scan: bool = False
    stop_when: Target | None = None
    row_delay_us: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    blind_sectors: tuple[tuple[float, float], ...] = ()
    blind_margin_deg: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    whole_range: bool = False

    @model_validator(mode="after")
    def _can_be(self) -> ScanSpec:
        refusal = why_not(self)
        if refusal:
            raise ValueError(refusal)
        return self

    @property
    def plan_name(self) -> PlanName:
        """The plan that runs it."""
        if self.sweeps == 0:
            return "flats_and_darks"
        if self.geometry.step_deg == 0:
            return "radiography"
        if self.geometry.tilt_deg > 0:
            return "laminography"
        return "tomography" if self.motion == "fly" else "tomography_step"

    @property
    def grows(self) -> bool:
        """Whether the sweeps of a place add angles to each other: one image of all.

        Sweeps with a pause between are points of a time series, and each has an image of its own.
        """
        between = self.interlace != "none" or self.angles == "golden"
        return between and self.sweeps > 1 and not self.every_s

    @property
    def velocity_deg_s(self) -> float:
        """Speed of the stage while it triggers; 0 where it stands."""
        return self.geometry.step_deg / self.period_s if self.motion == "fly" else 0.0

    @property
    def triggers(self) -> int:
        """Number of triggers in the whole scan."""
        return self.blocks()[-1].last

    @property
    def row_delay_s(self) -> float:
        """How much later each row is exposed than the one before."""
        return 1e-6 * self.row_delay_us

    @property
    def read_out_s(self) -> float:
        """How much later the last row is exposed than the first; 0 with a global shutter."""
        return (self.geometry.rows - 1) * self.row_delay_s

    @property
    def frame_s(self) -> float:
        """From the beginning of the first row's exposure to the end of the last one's."""
        return self.exposure_s + self.read_out_s

    def axis_column(self, block: Block) -> float:
        """Detector column of the rotation axis in a block: its place moves it."""
        return self.geometry.axis + block.place.x_mm * 1e3 / self.geometry.pixel_um

    def blocks(self) -> tuple[Block, ...]:
        """All triggers of the scan, in order: who fires how many, starting at which index."""
        # Frozen models can be hashed, which the type checker does not see.
        return _blocks(cast("Any", self))


@lru_cache(maxsize=16)
def _blocks(spec: ScanSpec) -> tuple[Block, ...]:
    made: list[Block] = []

    def add(name: str, kind: BlockKind, count: int, **more: object) -> None:
        if count > 0:
            first = made[-1].last if made else 0
            given = {"name": name, "kind": kind, "first": first, "count": count, **more}
            made.append(Block.model_validate({"period_s": spec.period_s, **given}))

    add("priming", "priming", spec.priming)
    add("darks", "darks", spec.darks)
    add("flats_before", "flats", spec.flats_before)
    sweeps = list(_sweeps(spec))
    for number, sweep in enumerate(sweeps):
        for name, count, part in parts_of(spec, number, sweep):
            add(name, "sweep", count, **part)
        done = number + 1
        if spec.flats_every and done % spec.flats_every == 0 and done < len(sweeps):
            add(f"flats_{number}", "flats", spec.flats_before)
    add("flats_after", "flats", spec.flats_after)
    return tuple(made)


def _sweeps(spec: ScanSpec) -> Iterator[dict[str, object]]:
    """What distinguishes the sweeps, in order: all of one place, or all of one round."""
    places = spec.places or (HOME,)
    rounds = range(spec.sweeps)
    if spec.every_s:
        order = [(sweep, place) for sweep in rounds for place in places]
    else:
        order = [(sweep, place) for place in places for sweep in rounds]
    for sweep, place in order:
        due_s = {"due_s": sweep * spec.every_s}
        yield {"place": place, "turns": spec.turns, **due_s, **_angles(spec, sweep)}


def _angles(spec: ScanSpec, sweep: int) -> dict[str, object]:
    """How a sweep runs through its angles: by position, or from stop to stop."""
    geometry = spec.geometry
    count, step_deg = geometry.projections * spec.turns, geometry.step_deg
    if spec.angles == "golden":
        golden = golden_angles_deg(
            geometry.start_deg, geometry.range_deg, count, first=sweep * count
        )
        return {"targets_deg": tuple(golden.tolist())}
    start_deg = geometry.start_deg + step_deg * interlace_offset(sweep, spec.sweeps, spec.interlace)
    if spec.order == "alternate" and sweep % 2 == 1:
        start_deg, step_deg = start_deg + step_deg * (count - 1), -step_deg
    if spec.motion == "fly":
        return {"start_deg": start_deg, "step_deg": step_deg}
    return {"targets_deg": tuple((start_deg + step_deg * np.arange(count)).tolist())}
