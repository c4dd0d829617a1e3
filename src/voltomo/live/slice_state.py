"""A live slice as it is at one moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class SliceState:
    """A slice as it is now.

    ``image`` is attenuation per pixel, shape (columns, columns); ``last_trigger`` the highest
    trigger index in it, −1 for none; ``frames`` the number of views in it. ``complete``: no
    frame will be added, and every view has the weight of the gap between its neighbours.
    ``pixel_um`` is the pixel size, 0 where nobody said.
    """

    image: NDArray[np.float32]
    last_trigger: int
    frames: int
    sweep: str
    row: int
    complete: bool = False
    pixel_um: float = 0.0
