"""Frames that are kept whole, beside the one row that makes the horizontal slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from voltomo.model.scan_spec import Block

WAITING_BYTES = 256_000_000
"""Frames that wait for their triggers are kept whole up to this."""


@dataclass(frozen=True)
class RowOfFrame:
    """What is kept of a frame: the row that makes the slice, and all of it where it is wanted."""

    row: int
    counts: NDArray[Any]
    image: NDArray[Any] | None = None


class WholeFrames(Protocol):
    """Who wants frames whole, once their triggers are known."""

    def take(self, index: int, image: NDArray[Any], angle_deg: float, *, streamed: bool) -> None:
        """Take the frame of a trigger, with the angle at mid-exposure."""
        ...

    def again(self, block: Block) -> None:
        """A block is taken again; what came of it holds no longer."""
        ...


class Counted:
    """In place of a slice where one row makes none: views are counted, and that is all."""

    def __init__(self) -> None:
        self.views = 0

    def clear(self) -> None:
        """Start anew."""
        self.views = 0

    def add(self, projection: NDArray[np.float32], angle_deg: float, weight_rad: float) -> None:
        """Count a view."""
        self.views += 1

    def recon(self) -> NDArray[np.float32]:
        """Nothing to be seen."""
        return np.zeros((2, 2), np.float32)
