"""The join of triggers and frames: every trigger has an outcome.

A trigger that the camera misses leaves the camera's frame numbers contiguous, so frames are
matched by time: the camera's stamp, brought to the trigger clock by a `ClockMap`, must lie within
a quarter of a period of the edge. Frame numbers are the cross-check, and tell a frame that was
lost after numbering from a trigger that the camera never saw. Order of arrival means nothing.
What cannot be told apart is invalid: a frame gets a trigger only of the block that its file is of,
and only where the clock map is known well enough to tell one trigger from the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from voltomo.model.clock import ClockMap
from voltomo.model.scan_spec import Block

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WINDOW_OF_PERIOD = 0.25
"""A frame belongs to a trigger if their times differ by at most this part of the period."""

CLOCK_SIGMAS = 4.0
"""A stamp is trusted within so many standard uncertainties of map and stamp."""

_ID_SPAN = 1 << 32
_SAME_STAMP_S = 1e-6


class Outcome(IntEnum):
    """What became of a trigger."""

    FRAME = 0
    """One frame belongs to it."""
    MISSED_BY_CAMERA = 1
    """No frame, and no frame number is absent: the camera did not see the trigger."""
    LOST_AFTER_NUMBERING = 2
    """No frame, but its number is absent: the frame was lost behind the camera."""
    MISSING = 3
    """No frame, and the numbers do not tell why."""
    AMBIGUOUS = 4
    """Two different frames lie within its window, or its block's file contradicts the clock: the
    frames are invalid."""
    UNLIT = 5
    """Its frame is there, but the beam was off, or going off, while it was exposed."""


@dataclass(frozen=True)
class Triggers:
    """Latched triggers of a scan, all arrays of shape (n,), index ascending.

    ``time_s`` is the edge on the trigger clock, ``angle_deg`` the encoder at that edge,
    ``period_s`` the nominal distance to the next trigger, ``block`` the number of the block,
    ``whole`` says whether all triggers of that block are there, and ``still`` whether the stage
    stood for each of them. Times ascend within a block; a block that was taken again may be later
    than those behind it.
    """

    index: Ints
    time_s: Floats
    angle_deg: Floats
    period_s: Floats
    block: Ints
    whole: NDArray[np.bool_]
    still: NDArray[np.bool_]

    @classmethod
    def of_blocks(
        cls, blocks: Iterable[Block], index: Ints, time_s: Floats, angle_deg: Floats
    ) -> Triggers:
        """Sort latches by index and give each the period and number of its block.

        Raises
        ------
        ValueError
            An index is given twice, or belongs to no block.
        """
        order = np.argsort(index, kind="stable")
        index, time_s, angle_deg = index[order], time_s[order], angle_deg[order]
        if np.any(np.diff(index) == 0):
            raise ValueError("a trigger index was latched twice; the trigger source must be reset")
        number = np.full(index.shape, -1, dtype=np.int64)
        period_s = np.zeros(index.shape)
        whole, still = np.zeros((2, *index.shape), dtype=bool)
        for position, block in enumerate(blocks):
            inside = (index >= block.first) & (index < block.last)
            number[inside] = position
            period_s[inside] = block.period_s
            whole[inside] = np.count_nonzero(inside) == block.count
            still[inside] = block.stepped
        if np.any(number < 0):
            raise ValueError(
                f"trigger {int(index[number < 0][0])} lies outside the blocks of the scan"
            )
        return cls(index.astype(np.int64), time_s, angle_deg, period_s, number, whole, still)

    def speed_deg_s(self) -> Floats:
        """Speed of the stage at each edge, from the latches themselves; 0 where it stood."""
        speed = np.zeros(self.angle_deg.shape)
        for number in np.unique(self.block[~self.still]):
            inside = self.block == number
            if np.count_nonzero(inside) > 1:
                speed[inside] = np.gradient(self.angle_deg[inside], self.time_s[inside])
        return speed

    def angle_mid_exposure_deg(self, exposure_s: float, read_out_s: float = 0.0) -> Floats:
        """Encoder angle at mid-exposure of the middle row, from the stage's local speed."""
        return self.angle_deg + self.speed_deg_s() * ((exposure_s + read_out_s) / 2)


@dataclass(frozen=True)
class Frames:
    """Frames as they were delivered, in any order, all arrays of shape (m,).

    ``time_s`` is the start of exposure on the camera's clock, ``unique_id`` the camera's number
    (it may wrap around), ``source`` a handle of the caller's: usually the place in the file.
    ``block`` is the number of the block that the file was opened for, −1 where that is not known;
    None where it is known of no frame.
    """

    time_s: Floats
    unique_id: Ints
    source: Ints
    block: Ints | None = None

    def chosen(self, keep: NDArray[np.bool_] | Ints) -> Frames:
        """Some of the frames, by a mask or by their positions."""
        block = None if self.block is None else self.block[keep]
        return Frames(self.time_s[keep], self.unique_id[keep], self.source[keep], block)

    def of_block(self, number: int) -> Frames:
        """The same frames, all said to be of this block."""
        return replace(self, block=np.full(self.source.shape, number, dtype=np.int64))


@dataclass(frozen=True)
class FrameTable:
    """One row per trigger, arrays of shape (n,); see `join`.

    ``source`` and ``unique_id`` are −1 where the outcome is not FRAME. ``time_s`` (trigger
    clock) and ``angle_deg`` are at mid-exposure, of the middle row where a rolling shutter exposes
    one row after the other; ``read_out_deg`` is how much farther the stage is turned for the last
    row than for the first (0 with a global shutter). NaN is never used for them: the trigger
    happened whether or not its frame arrived. ``residual_s`` is frame minus edge, NaN without a
    frame.
    ``dose_Gy`` and ``charge_Ah`` are NaN until they are known.
    ``orphans`` are handles of frames without a trigger, ``duplicates`` of repeated deliveries.
    """

    index: Ints
    block: Ints
    outcome: Ints
    source: Ints
    unique_id: Ints
    time_s: Floats
    angle_deg: Floats
    read_out_deg: Floats
    residual_s: Floats
    dose_Gy: Floats
    charge_Ah: Floats
    orphans: Ints
    duplicates: Ints

    @property
    def valid(self) -> NDArray[np.bool_]:
        """True where exactly one frame belongs to the trigger, shape (n,)."""
        return self.outcome == Outcome.FRAME

    @property
    def missing(self) -> Ints:
        """Trigger indices without a valid frame."""
        return self.index[~self.valid]

    def with_dose(self, dose_Gy: Floats) -> FrameTable:
        """The same table with the dose of each frame, shape (n,)."""
        if dose_Gy.shape != self.index.shape:
            raise ValueError(
                f"dose has shape {dose_Gy.shape}, the table has {self.index.shape[0]} triggers"
            )
        return replace(self, dose_Gy=dose_Gy)

    def without_light(self, unlit: NDArray[np.bool_]) -> FrameTable:
        """The same table without the frames of these rows, shape (n,); other outcomes stay."""
        rows = unlit & self.valid
        return replace(
            self,
            outcome=np.where(rows, int(Outcome.UNLIT), self.outcome),
            source=np.where(rows, -1, self.source),
            unique_id=np.where(rows, -1, self.unique_id),
            residual_s=np.where(rows, np.nan, self.residual_s),
        )

    def of_blocks(self, numbers: Iterable[int]) -> FrameTable:
        """The rows of some blocks; orphans and duplicates stay with the whole."""
        keep = np.isin(self.block, list(numbers))
        rows = {
            name: getattr(self, name)[keep]
            for name in self.__dataclass_fields__
            if name not in ("orphans", "duplicates")
        }
        return replace(self, **rows)


def join(
    triggers: Triggers,
    frames: Frames,
    clock: ClockMap,
    exposure_s: float,
    read_out_s: float = 0.0,
) -> FrameTable:
    """Give every trigger its outcome.

    Parameters
    ----------
    triggers : Triggers
        All latched triggers of the scan.
    frames : Frames
        All frames that were delivered, in any order, repeats included.
    clock : ClockMap
        From the camera's clock to the trigger clock; see `voltomo.model.camera_clock`.
    exposure_s : float
        Exposure of a frame; of each row, with a rolling shutter.
    read_out_s : float
        How much later the last row begins than the first, which begins with the edge.

    Returns
    -------
    FrameTable
        One row per trigger.
    """
    fresh, repeated = first_deliveries(frames)
    time_s = clock.to_reference(frames.time_s[fresh])
    in_time = np.argsort(triggers.time_s, kind="stable")
    nearest = _nearest(triggers.time_s[in_time], time_s)
    nearest = in_time[nearest] if in_time.size else nearest
    residual = time_s - triggers.time_s[nearest] if triggers.index.size else time_s
    inside = np.zeros(fresh.shape, dtype=bool)
    if triggers.index.size:
        inside = _inside(triggers, frames.chosen(fresh), clock, nearest, residual)
    candidates = np.bincount(nearest[inside], minlength=triggers.index.size)
    candidates[_doubtful(triggers, frames.chosen(fresh), time_s, candidates)] *= 2

    outcome = np.full(triggers.index.shape, int(Outcome.MISSING), dtype=np.int64)
    outcome[candidates == 1] = Outcome.FRAME
    outcome[candidates > 1] = Outcome.AMBIGUOUS
    source = np.full(triggers.index.shape, -1, dtype=np.int64)
    unique_id = np.full(triggers.index.shape, -1, dtype=np.int64)
    residual_s = np.full(triggers.index.shape, np.nan)
    single = inside.copy()
    single[inside] = candidates[nearest[inside]] == 1
    source[nearest[single]] = frames.source[fresh[single]]
    unique_id[nearest[single]] = frames.unique_id[fresh[single]]
    residual_s[nearest[single]] = residual[single]
    outcome[in_time] = _explained(outcome[in_time], unique_id[in_time])
    nothing = np.full(triggers.index.shape, np.nan)
    return FrameTable(
        index=triggers.index,
        block=triggers.block,
        outcome=outcome,
        source=source,
        unique_id=unique_id,
        time_s=triggers.time_s + (exposure_s + read_out_s) / 2,
        angle_deg=triggers.angle_mid_exposure_deg(exposure_s, read_out_s),
        read_out_deg=triggers.speed_deg_s() * read_out_s,
        residual_s=residual_s,
        dose_Gy=nothing,
        charge_Ah=nothing.copy(),
        orphans=frames.source[fresh[~inside]],
        duplicates=frames.source[repeated],
    )


def _inside(
    triggers: Triggers, frames: Frames, clock: ClockMap, nearest: Ints, residual_s: Floats
) -> NDArray[np.bool_]:
    """Whether each frame lies in the window of its nearest trigger, of its own block."""
    period_s = triggers.period_s[nearest]
    inside = np.abs(residual_s) <= WINDOW_OF_PERIOD * period_s
    # The next trigger is a period away, its window begins at three quarters of it.
    sigma_s = np.hypot(clock.uncertainty_s(frames.time_s), clock.jitter_s)
    inside &= CLOCK_SIGMAS * sigma_s <= period_s / 2
    if frames.block is not None:
        inside &= (frames.block < 0) | (frames.block == triggers.block[nearest])
    return inside


def _doubtful(
    triggers: Triggers, frames: Frames, time_s: Floats, candidates: Ints
) -> NDArray[np.bool_]:
    """Triggers of blocks that their own file contradicts.

    Where a frame of a block lies beyond all its triggers while one of them has none, the camera's
    clock may have been set in between, and every frame of the block may be of another trigger.
    """
    doubtful = np.zeros(triggers.index.shape, dtype=bool)
    if frames.block is None:
        return doubtful
    for number in np.unique(triggers.block[triggers.whole]):
        rows = triggers.block == number
        edges_s, margin_s = triggers.time_s[rows], WINDOW_OF_PERIOD * triggers.period_s[rows][0]
        own_s = time_s[frames.block == number]
        beyond = (own_s < edges_s[0] - margin_s) | (own_s > edges_s[-1] + margin_s)
        if np.any(beyond) and np.any(candidates[rows] == 0):
            doubtful |= rows
    return doubtful


def first_deliveries(frames: Frames) -> tuple[Ints, Ints]:
    """Positions of frames as first delivered, in order of time, and of their repeats."""
    order = np.lexsort((frames.source, frames.unique_id, frames.time_s))
    again = np.zeros(order.shape, dtype=bool)
    if order.size > 1:
        same_id = np.diff(frames.unique_id[order]) == 0
        same_time = np.diff(frames.time_s[order]) <= _SAME_STAMP_S
        again[1:] = same_id & same_time
    return order[~again].astype(np.int64), order[again].astype(np.int64)


def _nearest(edges_s: Floats, time_s: Floats) -> Ints:
    """Position of the edge that is closest to each time; edges ascending."""
    if edges_s.size == 0:
        return np.zeros(time_s.shape, dtype=np.int64)
    right = np.clip(np.searchsorted(edges_s, time_s), 1, max(edges_s.size - 1, 1))
    if edges_s.size == 1:
        return np.zeros(time_s.shape, dtype=np.int64)
    left = right - 1
    closer_left = time_s - edges_s[left] <= edges_s[right] - time_s
    return np.where(closer_left, left, right).astype(np.int64)


def _explained(outcome: Ints, unique_id: Ints) -> Ints:
    """Tell missed triggers from lost frames by the numbers on both sides of each hole."""
    found = np.flatnonzero(outcome == Outcome.FRAME)
    for before, after in pairwise(found):
        hole = int(after - before) - 1
        if hole == 0 or np.any(outcome[before + 1 : after] == Outcome.AMBIGUOUS):
            continue
        absent = int(unique_id[after] - unique_id[before]) % _ID_SPAN - 1
        if absent == 0:
            outcome[before + 1 : after] = Outcome.MISSED_BY_CAMERA
        elif absent == hole:
            outcome[before + 1 : after] = Outcome.LOST_AFTER_NUMBERING
    return outcome
