"""A recorded scan that is read some rows at a time, as a reconstruction needs it."""

# pyright: reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.runtime.recorded_layouts import (
    Floats,
    Recording,
    RecordingUnreadable,
    read_layout,
)
from voltomo.runtime.recorded_stack import Stack

_FEWEST_PROJECTIONS = 3


@dataclass(frozen=True)
class RecordedRows:
    """An open recording; see `open_rows`.

    Attributes
    ----------
    kind : {"NXtomo", "DataExchange"}
        Its layout.
    title, sample : str
        Empty where the file does not say.
    angles_deg : array, shape (n,)
        Angle of each projection; uneven ones are fine.
    rows, columns : int
        Size of an image.
    flats, darks : int
        How many there are.
    dtype : numpy dtype
        Of the counts.
    pixel_um, energy_keV, axis_column : float or None
        None where the file does not say.
    places, flat_places : array or None
        Where projections and flats lie in the order of the scan; None where it is not known.
    monitor, flat_monitor : array or None
        Readings of the beam monitor, or machine current.
    tilt_deg : float
        How far the axis leans; 0 in tomography, and where the file says nothing.
    roll_deg : float
        How far the axis is turned in the detector's plane; 0 where the file says nothing.
    """

    kind: Literal["NXtomo", "DataExchange"]
    title: str
    sample: str
    angles_deg: Floats
    rows: int
    columns: int
    flats: int
    darks: int
    dtype: np.dtype[Any]
    pixel_um: float | None
    energy_keV: float | None
    axis_column: float | None
    places: Floats | None
    flat_places: Floats | None
    monitor: Floats | None
    flat_monitor: Floats | None
    tilt_deg: float
    roll_deg: float
    _recording: Recording

    def projections(
        self, first_row: int, last_row: int, views: ArrayLike | None = None
    ) -> NDArray[Any]:
        """Rows of all projections, or of some, shape (n, rows, columns), as recorded."""
        return _rows(self._recording.projections, first_row, last_row, views)

    def flat_frames(self, first_row: int, last_row: int) -> NDArray[Any]:
        """The same rows of all flats."""
        return _rows(self._recording.flats, first_row, last_row, None)

    def dark_frames(self, first_row: int, last_row: int) -> NDArray[Any]:
        """The same rows of all darks."""
        return _rows(self._recording.darks, first_row, last_row, None)


@contextmanager
def open_rows(path: Path) -> Generator[RecordedRows]:
    """Open a recording for reading rows.

    Raises
    ------
    RecordingUnreadable
        One sentence: the file cannot be read, is neither NXtomo nor DataExchange, or lacks
        angles, flats or darks.
    """
    try:
        file = h5py.File(path, "r")
    except FileNotFoundError as error:
        raise RecordingUnreadable(f"there is no file {path}") from error
    except OSError as error:
        raise RecordingUnreadable(
            f"{path} cannot be read as an HDF5 file with a scan: {error}"
        ) from error
    with file:
        try:
            recorded = _of(read_layout(file))
        except (KeyError, ValueError) as error:
            raise RecordingUnreadable(f"{path} cannot be read as a scan: {error}") from error
        except RecordingUnreadable as error:
            raise RecordingUnreadable(f"{path}: {error}") from error
        yield recorded


def _of(recording: Recording) -> RecordedRows:
    views, angles = recording.projections, recording.angles_deg
    if len(views) < _FEWEST_PROJECTIONS or 0 in views.shape:
        raise RecordingUnreadable(
            f"expected at least {_FEWEST_PROJECTIONS} projections; saw data of shape {views.shape}"
        )
    if angles.size != len(views) or not np.isfinite(angles).all():
        raise RecordingUnreadable(
            f"expected a finite angle for each of {len(views)} projections; saw "
            f"{int(np.isfinite(angles).sum())}"
        )
    if len(recording.flats) < 1 or len(recording.darks) < 1:
        raise RecordingUnreadable(
            f"expected flats and darks; saw {len(recording.flats)} and {len(recording.darks)}; "
            "projections alone cannot be normalised"
        )
    for name, stack in (("flats", recording.flats), ("darks", recording.darks)):
        if stack.shape[1:] != views.shape[1:]:
            raise RecordingUnreadable(
                f"expected {name} of {views.rows} × {views.columns} pixels, as the projections; "
                f"saw {stack.rows} × {stack.columns}"
            )
        if not np.issubdtype(stack.dtype, np.number):
            raise RecordingUnreadable(f"expected numbers in the {name}; saw {stack.dtype}")
    if not np.issubdtype(views.dtype, np.number):
        raise RecordingUnreadable(f"expected numbers in the projections; saw {views.dtype}")
    one_order = recording.kind == "NXtomo"
    places = _places(views) if one_order else None
    flat_places = _places(recording.flats) if one_order else None
    control = recording.control
    return RecordedRows(
        kind=recording.kind,
        title=recording.title,
        sample=recording.sample,
        angles_deg=angles,
        rows=views.rows,
        columns=views.columns,
        flats=len(recording.flats),
        darks=len(recording.darks),
        dtype=views.dtype,
        pixel_um=recording.pixel_um,
        energy_keV=recording.energy_keV,
        axis_column=recording.axis_column,
        places=places,
        flat_places=flat_places,
        monitor=_read_at(control, places),
        flat_monitor=_read_at(control, flat_places),
        tilt_deg=recording.tilt_deg,
        roll_deg=recording.roll_deg,
        _recording=recording,
    )


def _places(stack: Stack) -> Floats:
    return np.concatenate([places for _, places in stack.parts]).astype(np.float64)


def _read_at(control: Floats | None, places: Floats | None) -> Floats | None:
    if control is None or places is None:
        return None
    return control[places.astype(np.int64)]


def _rows(stack: Stack, first: int, last: int, views: ArrayLike | None) -> NDArray[Any]:
    return stack.rows_of(first, last, views)
