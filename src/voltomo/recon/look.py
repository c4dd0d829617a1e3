"""A first look at a recording: what is wrong with its fields, and where its axis is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.axis_picture import axis_picture
from voltomo.analysis.axis_search import AxisFound, find_axis, views_needed
from voltomo.analysis.frame_faults import check_fields, field_notes, frame_faults
from voltomo.analysis.normalise import line_integrals, mean_field
from voltomo.runtime.recorded_rows import RecordedRows

Image = NDArray[np.float32]

# Rows are averaged to about so many: enough for a roll, few enough for the memory.
_ROWS = 128
# An axis that the file names is doubted beyond this.
_APART_COLUMNS = 0.5


@dataclass(frozen=True)
class Look:
    """What the first look says.

    Attributes
    ----------
    axis : AxisFound
        Given, found, or named by the file.
    notes : tuple of str
        Sentences for the person.
    picture : uint8 (height, width) or None
        Of the axis; None where it was given.
    """

    axis: AxisFound
    notes: tuple[str, ...]
    picture: NDArray[np.uint8] | None


def look_at(recorded: RecordedRows, axis_column: float | None) -> Look:
    """Look at some views of a recording.

    Parameters
    ----------
    recorded : RecordedRows
        Open.
    axis_column : float or None
        Where it is given, nothing is sought.

    Raises
    ------
    ValueError
        The axis cannot be found and neither the person nor the file gives it, or
        `voltomo.analysis.frame_faults.FramesUnusable`.
    """
    by = max(1, round(recorded.rows / _ROWS))
    flats = _thinned(recorded.flat_frames, recorded.rows, by)
    darks = _thinned(recorded.dark_frames, recorded.rows, by)
    check_fields(flats.shape[1:], flats, darks)
    angles = recorded.angles_deg
    chosen = views_needed(angles)

    def some(first: int, last: int) -> NDArray[Any]:
        return recorded.projections(first, last, chosen)

    counts = _thinned(some, recorded.rows, by)
    bad = frame_faults(counts)
    good = [number for number in range(len(counts)) if number not in bad]
    if not good:
        raise ValueError(
            f"no projection can be used; of the first it is said: {next(iter(bad.values()))}"
        )
    flat, dark = mean_field(flats), mean_field(darks)
    spread = [good[i] for i in np.linspace(0, len(good) - 1, min(6, len(good))).astype(int)]
    notes = field_notes(counts[spread], flats, darks, flat)
    if axis_column is not None:
        return Look(AxisFound(axis_column, 0.0), tuple(notes), None)
    rows = np.stack([line_integrals(counts[i], flat, dark) for i in good])
    found, more = _axis(rows, angles[chosen[good]], float(by), recorded.axis_column)
    return Look(found, (*notes, *more), axis_picture(rows, angles[chosen[good]], found))


def _axis(
    rows: Image, angles: NDArray[np.float64], pitch: float, named: float | None
) -> tuple[AxisFound, list[str]]:
    try:
        found = find_axis(rows, angles, pitch)
    except ValueError as reason:
        if named is None:
            raise
        return AxisFound(named, math.inf), [
            f"{reason} Column {named:g}, which the file names, is used."
        ]
    notes = list(found.notes)
    if named is not None and abs(named - found.axis_column) > max(_APART_COLUMNS, 4 * found.sigma):
        notes.append(
            f"The file names column {named:.2f} for the axis; the projections say "
            f"{found.axis_column:.2f} ± {found.sigma:.2f}, which is used. Give --axis to decide."
        )
    return found, notes


def _thinned(read: Callable[[int, int], NDArray[Any]], rows: int, by: int) -> Image:
    """Frames with rows averaged in groups, read a few rows at a time."""
    parts: list[Image] = []
    step = 16 * by
    for first in range(0, rows - rows % by, step):
        last = min(first + step, rows - rows % by)
        block = read(first, last)
        shape = (len(block), (last - first) // by, by, block.shape[2])
        parts.append(block.reshape(shape).mean(axis=2, dtype=np.float32))
    return np.concatenate(parts, axis=1)
