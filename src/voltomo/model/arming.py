"""What a plan hands to devices before a block of triggers: plain values for any device."""

from __future__ import annotations

from dataclasses import dataclass

from voltomo.model.scan_spec import Block


@dataclass(frozen=True)
class CameraSetup:
    """What camera and writer must be able to do for a scan; checked before any beam.

    Parameters
    ----------
    rows, columns : int
        Size of a frame.
    exposure_s, period_s : float
        Of every frame.
    frames : int
        How many frames the scan will write; room for twice as many must be free.
    """

    rows: int
    columns: int
    exposure_s: float
    period_s: float
    frames: int


@dataclass(frozen=True)
class FrameBlock:
    """One file of frames: name without suffix, how many frames, exposure, which take."""

    file_name: str
    block: Block
    exposure_s: float
    take: int = 1


@dataclass(frozen=True)
class TriggerTrain:
    """One train of triggers and the window in which the beam may be open for it.

    ``gate_lead_s`` before the first edge the window opens, ``gate_tail_s`` behind the last edge
    it closes. ``sets_index``: the block is taken again, or blocks before it
    were left out, and the trigger index is set to its first.
    """

    block: Block
    exposure_s: float
    gate_lead_s: float
    gate_tail_s: float
    take: int = 1
    sets_index: bool = False


@dataclass(frozen=True)
class BeamNeed:
    """Open time that a whole scan needs on a sample; asked of the guard before any beam.

    ``last_scan``: whether it may take what the sample's policy keeps back for the end of a series.
    """

    sample: str
    seconds: float
    last_scan: bool = False


@dataclass(frozen=True)
class SnapshotSetup:
    """Frames of a run one by one: file name without suffix, exposure, how many at most."""

    file_name: str
    exposure_s: float
    points: int


@dataclass(frozen=True)
class Snapshot:
    """The next frame, and the window in which the beam may be open for it; see `TriggerTrain`."""

    gate_lead_s: float
    gate_tail_s: float
