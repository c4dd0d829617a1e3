"""Whether camera and trigger hardware pair, before any beam."""

from __future__ import annotations

from typing import Any

import numpy as np

from voltomo.model.camera_clock import track_clock
from voltomo.model.frame_table import Triggers
from voltomo.model.scan_spec import Block
from voltomo.plans.protocols import TomographyBeamline
from voltomo.plans.words import ScanRefused


def check_priming(beamline: TomographyBeamline, block: Block, pages: list[dict[str, Any]]) -> None:
    """Refuse to go on unless the priming frames pair with their pulses.

    Raises
    ------
    ScanRefused
        Pulses were missed, or the camera fired on its own; no beam was used.
    """
    columns = {
        key: np.array([value for page in pages for value in page["data"][key]])
        for key in ("trigger_index", "trigger_time_s", "trigger_angle_deg")
    }
    try:
        triggers = Triggers.of_blocks(
            [block],
            columns["trigger_index"].astype(np.int64),
            columns["trigger_time_s"],
            columns["trigger_angle_deg"],
        )
        track_clock(triggers, beamline.camera.last_frames().of_block(0), block)
    except ValueError as error:
        raise ScanRefused(f"camera: {error}") from error
