"""Recorded scans, of this program and of others, ready to be played again."""

# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from voltomo.runtime.recorded_layouts import (
    Floats,
    Numbers,
    Recording,
    RecordingUnreadable,
    read_layout,
)

Counts = NDArray[np.uint16]

FULL_SCALE = 60000.0
"""What the brightest pixel of a recording becomes, where it has to be scaled."""

EVEN_WITHIN = 0.05
"""Angles may be off the grid by this part of a step."""

FEWEST_FLATS = 2
_FEWEST_PROJECTIONS = 3


@dataclass(frozen=True)
class Grid:
    """The equidistant angles that a recording lies on.

    Attributes
    ----------
    start_deg, step_deg : float
        Angle of the first trigger, and from one to the next (positive).
    count : int
        Triggers, holes included.
    projection_of_trigger : array, shape (count,), int
        Number of the projection at each trigger, −1 where the recording has none.
    """

    start_deg: float
    step_deg: float
    count: int
    projection_of_trigger: NDArray[np.int64]

    @property
    def holes(self) -> int:
        """Triggers without a projection."""
        return int(np.count_nonzero(self.projection_of_trigger < 0))


@dataclass(frozen=True)
class RecordedScan:
    """A scan from a file, in counts.

    Attributes
    ----------
    path : Path
        Where it was read from.
    kind : {"NXtomo", "DataExchange"}
        Its layout.
    title, sample : str
        Empty where the file does not say.
    angles_deg : array, shape (n,)
        Angle of each projection.
    projections, flats, darks : array, shape (n | k | m, rows, columns), uint16
        The frames.
    scale : float
        Counts per recorded unit; 1 where whole numbers were recorded that fit 16 bits.
    exposure_s, pixel_um, energy_keV, axis_column : float or None
        None where the file does not say.
    """

    path: Path
    kind: Literal["NXtomo", "DataExchange"]
    title: str
    sample: str
    angles_deg: Floats
    projections: Counts
    flats: Counts
    darks: Counts
    scale: float
    exposure_s: float | None
    pixel_um: float | None
    energy_keV: float | None
    axis_column: float | None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a recorded scan and check it.

        Raises
        ------
        RecordingUnreadable
            One sentence: the file cannot be read, is neither NXtomo nor DataExchange, lacks
            angles, flats or darks, holds values that are no numbers, or its angles are uneven.
        """
        path = Path(path)
        try:
            with h5py.File(path, "r") as file:
                recording = read_layout(file)
        except FileNotFoundError as error:
            raise RecordingUnreadable(f"there is no file {path}") from error
        except (OSError, KeyError, ValueError) as error:
            raise RecordingUnreadable(
                f"{path} cannot be read as an HDF5 file with a scan: {error}"
            ) from error
        except RecordingUnreadable as error:
            raise RecordingUnreadable(f"{path}: {error}") from error
        try:
            _check(recording)
            even_grid(recording.angles_deg)
        except RecordingUnreadable as error:
            raise RecordingUnreadable(f"{path}: {error}") from error
        stacks = (recording.projections, recording.flats, recording.darks)
        scale = _scale(stacks)
        projections, flats, darks = (_counts(stack, scale) for stack in stacks)
        return cls(
            path=path,
            kind=recording.kind,
            title=recording.title,
            sample=recording.sample,
            angles_deg=recording.angles_deg,
            projections=projections,
            flats=flats,
            darks=darks,
            scale=scale,
            exposure_s=recording.exposure_s,
            pixel_um=recording.pixel_um,
            energy_keV=recording.energy_keV,
            axis_column=recording.axis_column,
        )

    @property
    def assumed(self) -> list[str]:
        """What a replay has to assume, because the file does not say: pixel size, energy."""
        said = {"pixel size": self.pixel_um, "energy": self.energy_keV}
        return [name for name, value in said.items() if value is None]

    def grid(self) -> Grid:
        """The equidistant angles that the projections lie on, holes included."""
        return even_grid(self.angles_deg)


def even_grid(angles_deg: Floats) -> Grid:
    """Find the grid that angles in any order lie on.

    Parameters
    ----------
    angles_deg : array, shape (n,)
        Angle of each projection, n ≥ 3.

    Raises
    ------
    RecordingUnreadable
        An angle is off the grid by more than `EVEN_WITHIN` of a step, or comes twice.
    """
    order = np.argsort(angles_deg, kind="stable")
    angles = angles_deg[order]
    step = float(np.median(np.diff(angles)))
    if step <= 0:
        raise RecordingUnreadable(
            "expected every angle once; most come twice; split the sweeps into files of their own"
        )
    # The median step is known to its own noise only: it is made finer on twice as many angles
    # each time, by medians, so that a wrong angle stays alone.
    start, reach = float(angles[0]), 2
    place = np.zeros(angles.shape)
    while reach < angles.size:
        reach = min(2 * reach, angles.size)
        place[:reach] = np.round((angles[:reach] - start) / step)
        half = reach // 2
        steps_between = np.maximum(place[half:reach] - place[: reach - half], 1)
        step = float(np.median((angles[half:reach] - angles[: reach - half]) / steps_between))
        start = float(np.median(angles[:reach] - step * place[:reach]))
    number = place.astype(np.int64)
    number -= number[0]
    off = np.abs(angles - start - step * place)
    worst = int(np.argmax(off))
    if off[worst] > EVEN_WITHIN * step:
        raise RecordingUnreadable(
            f"expected angles {step:.4g}° apart within {100 * EVEN_WITHIN:g} % of a step; saw "
            f"{angles[worst]:.4f}°, which is off by {100 * off[worst] / step:.0f} %"
        )
    if np.any(np.diff(number) == 0):
        twice = float(angles[1:][np.diff(number) == 0][0])
        raise RecordingUnreadable(f"expected every angle once; saw {twice:.4f}° twice")
    projection_of_trigger = np.full(int(number[-1]) + 1, -1, dtype=np.int64)
    projection_of_trigger[number] = order
    return Grid(start, step, projection_of_trigger.size, projection_of_trigger)


def _check(recording: Recording) -> None:
    projections, angles = recording.projections, recording.angles_deg
    if projections.shape[0] < _FEWEST_PROJECTIONS or 0 in projections.shape:
        raise RecordingUnreadable(
            f"expected at least {_FEWEST_PROJECTIONS} projections; saw data of shape "
            f"{projections.shape}"
        )
    if angles.size != projections.shape[0]:
        raise RecordingUnreadable(
            f"expected an angle for each of {projections.shape[0]} projections; saw {angles.size}"
        )
    if not np.all(np.isfinite(angles)):
        raise RecordingUnreadable(
            f"expected a number for every angle; {int(np.sum(~np.isfinite(angles)))} are not"
        )
    if recording.flats.shape[0] < FEWEST_FLATS or recording.darks.shape[0] < 1:
        raise RecordingUnreadable(
            f"expected at least {FEWEST_FLATS} flats and 1 dark; saw {recording.flats.shape[0]} "
            f"and {recording.darks.shape[0]}; projections alone cannot be normalised"
        )
    stacks = {"projections": projections, "flats": recording.flats, "darks": recording.darks}
    for name, stack in stacks.items():
        if not np.issubdtype(stack.dtype, np.number):
            raise RecordingUnreadable(f"expected numbers in the {name}; saw {stack.dtype}")
        bad = int(np.count_nonzero(~np.isfinite(stack)))
        if bad:
            raise RecordingUnreadable(
                f"expected finite values in the {name}; {bad} of {stack.size} pixels are not"
            )


def _scale(stacks: tuple[Numbers, ...]) -> float:
    """Counts per recorded unit: 1 for whole numbers that fit, else the peak goes to full scale."""
    peak = max(float(stack.max(initial=0)) for stack in stacks)
    whole = all(_is_whole(stack) for stack in stacks)
    if peak <= 0:
        raise RecordingUnreadable("expected light in the frames; no pixel is above zero")
    return 1.0 if whole and peak <= np.iinfo(np.uint16).max else FULL_SCALE / peak


def _is_whole(stack: Numbers) -> bool:
    if np.issubdtype(stack.dtype, np.integer):
        return True
    return bool(np.all(stack == np.round(stack)))


def _counts(stack: Any, scale: float) -> Counts:
    """Whole counts; what lies below zero (offsets of a dark) becomes zero."""
    if stack.dtype == np.uint16 and scale == 1.0:
        return stack
    scaled = np.rint(np.asarray(stack, dtype=np.float64) * scale)
    return np.clip(scaled, 0, np.iinfo(np.uint16).max).astype(np.uint16)
