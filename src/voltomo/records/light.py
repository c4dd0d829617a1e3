"""Which exposures the beam lit: a flat in the dark is no flat, and a late frame no projection."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voltomo.model.frame_table import FrameTable
from voltomo.records.scan_record import ScanRecord

MARGIN_S = 0.005
"""Stamps of the shutter may be late by so much."""


def unlit(record: ScanRecord, table: FrameTable) -> NDArray[np.bool_]:
    """Triggers whose exposure the beam did not light, or not to its end.

    Where a lease was given back as done, the hardware opened for the triggers of its block and
    closed behind the last: all are lit. Where it ended otherwise (lost, stopped, a fault of the
    shutter), an exposure is lit if it ended before the shutter began to close for the last time.
    UTC of a trigger comes from the news of it and is late if anything, so that doubt makes a
    frame invalid. Where nobody knows (a guard that died left no times), exposures count as lit.

    Parameters
    ----------
    record : ScanRecord
        With the openings of the beam and the settled leases.
    table : FrameTable
        Its triggers and frames.

    Returns
    -------
    array, shape (n,), bool
        One for each row of the table.
    """
    dark = np.zeros(table.index.shape, dtype=bool)
    preflight = record.start.get("preflight", {})
    closing_s = float(preflight.get("shutter_travel_s", 0.0)) + MARGIN_S
    end_s = table.time_s + record.spec.exposure_s / 2 + record.latches.utc_minus_trigger_s
    for number, block in enumerate(record.blocks):
        if block.kind not in ("flats", "sweep"):
            continue
        ends = [charge.reason for charge in record.charges if charge.purpose == block.name]
        closed_s = [o.closed_utc_s for o in record.openings if o.purpose == block.name]
        known_s = [time_s for time_s in closed_s if time_s is not None]
        if "done" in ends or len(known_s) < len(closed_s) or not (ends or known_s):
            continue
        last_s = max(known_s, default=-np.inf)
        dark |= (table.block == number) & (end_s > last_s - closing_s)
    return dark
