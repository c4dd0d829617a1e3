"""What the live worker knows now, as its PVs tell it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from voltomo.model.verdict import Verdict


@dataclass(frozen=True)
class PlanesProgress:
    """What is known of the planes now.

    ``waiting`` frames wait for them; ``skipped`` frames of this scan found no room and were left
    to the files. ``redraw_ms`` is what the plane that was moved last took to be drawn anew.
    ``volume`` is the state of the last volume that was asked for, as JSON. ``reason`` says why
    planes do not follow, or what they leave out.
    Latencies run from the end of an exposure to the publication of the planes that hold it.
    """

    views: int = 0
    waiting: int = 0
    skipped: int = 0
    binning: int = 1
    memory_MB: float = 0.0
    redraw_ms: float = 0.0
    volume: str = "{}"
    reason: str = ""
    latency_p50_ms: float = math.nan
    latency_p99_ms: float = math.nan


@dataclass(frozen=True)
class Progress:
    """What the worker knows now.

    ``state`` is "Idle", "Live", "Filling" (from the files, after the end), "Done" or "No slice":
    then ``reason`` says why the scan has none, else what its planes leave out. ``row`` is the
    detector row that is shown, −1 for none. ``views_waiting`` are in the queue; ``views_dropped``
    found it full in this scan and were left to the file. Latencies run from the end of an exposure
    to the publication of the slice that holds it, for views that came over the stream
    (`NewsOfTriggers`); NaN where there are none. ``measuring``: further verdicts on this state of
    the slice are to come. ``planes`` is what the planes beside the slice lag, and what they take.
    """

    state: str
    scan_uid: str
    reason: str = ""
    row: int = -1
    views_waiting: int = 0
    views_dropped: int = 0
    frames_in: int = 0
    frames_processed: int = 0
    frames_streamed: int = 0
    lost: int = 0
    last_trigger: int = -1
    latency_p50_ms: float = math.nan
    latency_p99_ms: float = math.nan
    verdicts: Sequence[Verdict] = ()
    measuring: bool = False
    planes: PlanesProgress = field(default_factory=PlanesProgress)
