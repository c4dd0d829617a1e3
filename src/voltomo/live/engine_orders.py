"""What is put into the engine's queues."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.live.positions import Oblique
from voltomo.model.trigger_source import TriggerChunk


@dataclass(frozen=True)
class StreamedFrame:
    """A frame from the stream: image, the camera's stamp, and when it arrived (monotonic)."""

    image: NDArray[np.uint16]
    stamp_s: float
    arrived_s: float


@dataclass(frozen=True)
class Latched:
    """Latches, when they were posted by the clock of the wall, and when heard (monotonic)."""

    chunk: TriggerChunk
    posted_utc_s: float | None
    heard_s: float


@dataclass(frozen=True)
class Moved:
    """A plane is wanted elsewhere."""

    name: str
    to: float | Oblique
