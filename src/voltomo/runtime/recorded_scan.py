"""Recorded scans, of this program and of others, ready to be played again."""

# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.runtime.recorded_layouts import (
    Floats,
    Numbers,
    Recording,
    RecordingUnreadable,
    read_layout,
)
from voltomo.runtime.recorded_stack import Stack

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


@dataclass(frozen=True, kw_only=True)
class RecordedWords:
    """What a file says of its scan.

    Attributes
    ----------
    path : Path
        Where it was read from.
    title, sample : str
        Empty where the file does not say.
    angles_deg : array, shape (n,)
        Angle of each projection.
    scale : float
        Counts per recorded unit; 1 where whole numbers were recorded that fit 16 bits.
    exposure_s, pixel_um, energy_keV, axis_column : float or None
        None where the file does not say.
    """

    path: Path
    title: str
    sample: str
    angles_deg: Floats
    scale: float
    exposure_s: float | None
    pixel_um: float | None
    energy_keV: float | None
    axis_column: float | None

    @property
    def assumed(self) -> list[str]:
        """What a replay has to assume, because the file does not say: pixel size, energy."""
        said = {"pixel size": self.pixel_um, "energy": self.energy_keV}
        return [name for name, value in said.items() if value is None]

    def grid(self) -> Grid:
        """The equidistant angles that the projections lie on, holes included."""
        return even_grid(self.angles_deg)


def _words(recording: Recording, path: Path, scale: float | None) -> dict[str, Any]:
    return {
        "path": Path(path),
        "title": recording.title,
        "sample": recording.sample,
        "angles_deg": recording.angles_deg,
        "scale": _scale(recording) if scale is None else scale,
        "exposure_s": recording.exposure_s,
        "pixel_um": recording.pixel_um,
        "energy_keV": recording.energy_keV,
        "axis_column": recording.axis_column,
    }


@dataclass(frozen=True, kw_only=True)
class RecordedScan(RecordedWords):
    """A scan from a file, in counts.

    Attributes
    ----------
    kind : {"NXtomo", "DataExchange"}
        Its layout.
    projections, flats, darks : array, shape (n | k | m, rows, columns), uint16
        The frames.
    """

    kind: Literal["NXtomo", "DataExchange"]
    projections: Counts
    flats: Counts
    darks: Counts

    @classmethod
    def read(cls, path: Path, scale: float | None = None) -> Self:
        """Read a recorded scan and check it.

        Parameters
        ----------
        path : Path
            The file.
        scale : float, optional
            What `RecordedHead` found, so that the images are read once instead of twice.

        Raises
        ------
        RecordingUnreadable
            As `RecordedHead.read`.
        """
        with _opened(path) as recording:
            words = _words(recording, path, scale)
            return cls(
                **words,
                kind=recording.kind,
                projections=_counts(recording.projections, words["scale"]),
                flats=_counts(recording.flats, words["scale"]),
                darks=_counts(recording.darks, words["scale"]),
            )


@dataclass(frozen=True, kw_only=True)
class RecordedHead(RecordedWords):
    """What a file says of its scan, and the size of the images, which are not read.

    Attributes
    ----------
    rows, columns : int
        Size of an image.
    flats, darks : int
        How many there are.
    """

    rows: int
    columns: int
    flats: int
    darks: int

    @classmethod
    def read(cls, path: Path, scale: float | None = None) -> Self:
        """Read what a file says and check it, whole numbers without looking at the images.

        Parameters
        ----------
        path : Path
            The file.
        scale : float, optional
            What an earlier call found: no image is looked at.

        Raises
        ------
        RecordingUnreadable
            One sentence: the file cannot be read, is neither NXtomo nor DataExchange, lacks
            angles, flats or darks, holds values that are no numbers, or its angles are uneven.
        """
        with _opened(path) as recording:
            return cls(
                **_words(recording, path, scale),
                rows=recording.projections.rows,
                columns=recording.projections.columns,
                flats=len(recording.flats),
                darks=len(recording.darks),
            )

    def views(self, numbers: ArrayLike) -> tuple[Counts, Counts, Counts]:
        """Some projections, all flats and all darks, in counts.

        Returns
        -------
        projections, flats, darks : array, shape (n, rows, columns), uint16
        """
        with _opened(self.path) as recording:
            return (
                _as_counts(recording.projections.images(numbers), self.scale),
                _counts(recording.flats, self.scale),
                _counts(recording.darks, self.scale),
            )


@contextmanager
def _opened(path: Path) -> Generator[Recording]:
    """A recording whose numbers, angles and kinds of frames are right; images unread."""
    try:
        with h5py.File(path, "r") as file:
            recording = read_layout(file)
            _check(recording)
            even_grid(recording.angles_deg)
            yield recording
    except FileNotFoundError as error:
        raise RecordingUnreadable(f"there is no file {path}") from error
    except (OSError, KeyError, ValueError) as error:
        raise RecordingUnreadable(
            f"{path} cannot be read as an HDF5 file with a scan: {error}"
        ) from error
    except RecordingUnreadable as error:
        raise RecordingUnreadable(f"{path}: {error}") from error


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
    for name, stack in _named(recording):
        if not np.issubdtype(stack.dtype, np.number):
            raise RecordingUnreadable(f"expected numbers in the {name}; saw {stack.dtype}")


def _named(recording: Recording) -> tuple[tuple[str, Stack], ...]:
    return (
        ("projections", recording.projections),
        ("flats", recording.flats),
        ("darks", recording.darks),
    )


def _scale(recording: Recording) -> float:
    """Counts per recorded unit: 1 for whole numbers that fit, else the peak goes to full scale."""
    if all(stack.dtype.str[1:] in ("u1", "u2") for _, stack in _named(recording)):
        if not any(block.any() for _, stack in _named(recording) for block in stack.blocks()):
            raise _no_light()
        return 1.0
    peak, whole = 0.0, True
    for name, stack in _named(recording):
        bad = 0
        for block in stack.blocks():
            bad += int(np.count_nonzero(~np.isfinite(block)))
            peak = max(peak, float(block.max(initial=0)))
            whole = whole and bool(np.all(block == np.round(block)))
        if bad:
            raise RecordingUnreadable(
                f"expected finite values in the {name}; {bad} of {math.prod(stack.shape)} pixels "
                "are not"
            )
    if peak <= 0:
        raise _no_light()
    return 1.0 if whole and peak <= np.iinfo(np.uint16).max else FULL_SCALE / peak


def _no_light() -> RecordingUnreadable:
    return RecordingUnreadable("expected light in the frames; no pixel is above zero")


def _counts(stack: Stack, scale: float) -> Counts:
    counts = np.empty(stack.shape, np.uint16)
    done = 0
    for block in stack.blocks():
        counts[done : done + len(block)] = _as_counts(block, scale)
        done += len(block)
    return counts


def _as_counts(images: Numbers, scale: float) -> Counts:
    """Whole counts; what lies below zero (offsets of a dark) becomes zero."""
    if images.dtype == np.uint16 and scale == 1.0:
        return images
    scaled = np.rint(images.astype(np.float64) * scale)
    return np.clip(scaled, 0, np.iinfo(np.uint16).max).astype(np.uint16)
