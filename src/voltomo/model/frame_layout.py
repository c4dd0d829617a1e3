"""Where frames lie: areaDetector's layout of a file, and one handle a frame across files.

A handle is (number of the file) · 2³² + (place in the file).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FRAMES = "/entry/data/data"
"""The frames themselves, (frame, row, column)."""

UNIQUE_IDS = "/entry/instrument/NDAttributes/NDArrayUniqueId"
"""The camera's numbers."""

STAMPS = "/entry/instrument/NDAttributes/NDArrayTimeStamp"
"""The camera's stamps: start of exposure on its own clock."""

_FILE_SHIFT = 32

Ints = NDArray[np.int64]


def frame_handles(file: int, count: int) -> Ints:
    """Handles of the first ``count`` frames of a file."""
    return (file << _FILE_SHIFT) + np.arange(count, dtype=np.int64)


def file_of(handles: Ints) -> Ints:
    """Number of the file of each handle."""
    return handles >> _FILE_SHIFT


def place_of(handles: Ints) -> Ints:
    """Place in its file of each handle."""
    return handles & ((1 << _FILE_SHIFT) - 1)
