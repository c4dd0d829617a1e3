"""Frames of a recording, read from its file a few at a time."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BYTES_AT_ONCE = 1 << 26


@dataclass(frozen=True)
class Stack:
    """Some of the images of some data sets, in order; valid while their file is open.

    Attributes
    ----------
    parts : sequence of (data set, places)
        Data sets of three dimensions with the numbers of the images that count.
    rows, columns : int
        Size of an image.
    dtype : numpy dtype
        Of all of them together.
    """

    parts: Sequence[tuple[Any, NDArray[np.int64]]]
    rows: int
    columns: int
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, data: Any, places: ArrayLike | None = None) -> Stack:
        """Images of one data set, all if no places are given."""
        _, rows, columns = data.shape
        chosen = np.arange(data.shape[0]) if places is None else np.asarray(places)
        return cls([(data, chosen.astype(np.int64))], int(rows), int(columns), data.dtype)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Images, rows, columns."""
        return len(self), self.rows, self.columns

    def __len__(self) -> int:
        """Number of images."""
        return sum(int(places.size) for _, places in self.parts)

    def images(self, numbers: ArrayLike) -> NDArray[Any]:
        """Images by their numbers, shape (n, rows, columns)."""
        return np.array([self._image(int(number)) for number in np.asarray(numbers).ravel()])

    def blocks(self) -> Iterator[NDArray[Any]]:
        """All images in order, a few at a time."""
        size = max(self.rows * self.columns * self.dtype.itemsize, 1)
        many = max(_BYTES_AT_ONCE // size, 1)
        for data, places in self.parts:
            for run in np.split(places, np.flatnonzero(np.diff(places) != 1) + 1):
                for first in range(0, run.size, many):
                    last = min(first + many, run.size) - 1
                    yield np.asarray(data[int(run[first]) : int(run[last]) + 1])

    def rows_of(self, first: int, last: int, numbers: ArrayLike | None = None) -> NDArray[Any]:
        """The same rows of all images, or of some, shape (n, last - first, columns)."""
        wanted = np.arange(len(self)) if numbers is None else np.asarray(numbers, np.int64).ravel()
        out = np.empty((wanted.size, last - first, self.columns), self.dtype)
        before = 0
        for data, places in self.parts:
            inside = np.flatnonzero((wanted >= before) & (wanted < before + places.size))
            at = places[wanted[inside] - before]
            before += int(places.size)
            # Runs are read at once: single images cost a call each.
            for run in np.split(np.arange(at.size), np.flatnonzero(np.diff(at) != 1) + 1):
                if run.size:
                    low, high = int(at[run[0]]), int(at[run[-1]]) + 1
                    out[inside[run]] = data[low:high, first:last]
        return out

    def _image(self, number: int) -> NDArray[Any]:
        for data, places in self.parts:
            if number < places.size:
                return np.asarray(data[int(places[number])])
            number -= int(places.size)
        raise IndexError(f"the recording has no such image; it has {len(self)}")
