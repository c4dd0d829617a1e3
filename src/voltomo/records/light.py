"""Which exposures the beam lit: a flat in the dark is no flat, and a late frame no projection."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voltomo.model.frame_table import FrameTable
from voltomo.records.charges import Opening
from voltomo.records.scan_record import ScanRecord

MARGIN_S = 0.005
"""Stamps of the shutter may be late by so much."""

_SPLIT_S = 0.001
"""The guard logs a long opening in parts; each begins where the one before ends."""


def unlit(record: ScanRecord, table: FrameTable) -> NDArray[np.bool_]:
    """Triggers whose exposure the beam did not light from its beginning to its end.

    Where a lease was given back as done, the hardware opened for its triggers and closed behind the
    last: all are lit, up to then. Where it ended otherwise (lost, stopped, a fault of the
    shutter), an exposure is lit if the shutter was wholly open meanwhile. UTC of a trigger comes
    from the news of it and is late if anything: of a frame at the end, doubt makes it invalid.
    Where nobody knows (a guard that died left no times), exposures count as lit.

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
    travel_s = float(preflight.get("shutter_travel_s", 0.0))
    middle_s = table.time_s + record.latches.utc_minus_trigger_s
    half_s = record.spec.frame_s / 2
    for number, block in enumerate(record.blocks):
        if block.kind not in ("flats", "sweep"):
            continue
        purpose = record.purpose(block)
        ended = {c.lease_id: c.reason for c in record.charges if c.purpose == purpose}
        openings = [opening for opening in record.openings if opening.purpose == purpose]
        known = stretches(openings)
        all_done = bool(ended) and all(reason == "done" for reason in ended.values())
        if all_done or known is None or not (ended or known):
            continue
        lit = middle_s <= max(
            (
                opening.closed_utc_s or -np.inf
                for opening in openings
                if ended.get(opening.lease_id) == "done"
            ),
            default=-np.inf,
        )
        for opened_s, closed_s in known:
            begun = middle_s - half_s >= opened_s + travel_s - MARGIN_S
            lit |= begun & (middle_s + half_s <= closed_s - travel_s - MARGIN_S)
        dark |= (table.block == number) & ~lit
    return dark


def stretches(openings: Sequence[Opening]) -> list[tuple[float, float]] | None:
    """From when to when the beam was open, UTC, its parts put together; None if not known."""
    joined: list[tuple[float, float]] = []
    for opening in openings:
        opened_s, closed_s = opening.opened_utc_s, opening.closed_utc_s
        if opened_s is None or closed_s is None:
            return None
        if joined and opened_s - joined[-1][1] <= _SPLIT_S:
            joined[-1] = (joined[-1][0], closed_s)
        else:
            joined.append((opened_s, closed_s))
    return joined
