"""The shutter's part in a block of triggers: what plan and planner take for its open time."""

from __future__ import annotations

from dataclasses import dataclass

from voltomo.model.scan_spec import Block

GATE_MARGIN_S = 0.01
"""The shutter is open this much before the first exposure begins."""

TAIL_MARGIN_S = 0.001
"""And stays open this much after the last one has ended."""


@dataclass(frozen=True)
class BeamWindow:
    """Shutter's part in a block: when it opens before the first edge, and closes after the last."""

    lead_s: float
    tail_s: float
    travel_s: float

    def open_s(self, block: Block) -> float:
        """Open time of a block, from the first photon to the last."""
        train_s = (block.count - 1) * block.period_s
        return train_s + self.lead_s + self.tail_s + self.travel_s


def beam_window(exposure_s: float, travel_s: float, read_out_s: float = 0.0) -> BeamWindow:
    """Window that lets no exposure see a moving shutter, and little more.

    Parameters
    ----------
    exposure_s : float
        Exposure of one frame.
    travel_s : float
        Time of the shutter's blade from one end to the other.
    read_out_s : float
        How much later a rolling shutter exposes the last row than the first.
    """
    tail_s = exposure_s + read_out_s + TAIL_MARGIN_S
    return BeamWindow(travel_s + GATE_MARGIN_S, tail_s, travel_s)
