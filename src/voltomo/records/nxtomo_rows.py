"""Which frames go into an NXtomo file, in which order, and what is known of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.model.frame_layout import file_of
from voltomo.model.frame_table import Outcome
from voltomo.records.scan import Scan

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PROJECTION, FLAT, DARK, INVALID = 0, 1, 2, 3
"""Values of ``image_key``."""

_KEY_OF_KIND = {"sweep": PROJECTION, "flats": FLAT, "darks": DARK}


@dataclass(frozen=True)
class NXtomoRows:
    """One row per exported frame, arrays of shape (n,): darks, then flats, then projections.

    ``time_s`` (trigger clock) and ``angle_deg`` are at mid-exposure. ``trigger_index`` and
    ``block`` are those of the trigger; −1 and the file's block for frames that belong to none,
    whose image key is 3 and whose angle is interpolated. ``stored``: flats of another run, whose
    trigger and block are −1 and which cost this scan no dose.
    """

    handle: Ints
    image_key: Ints
    trigger_index: Ints
    block: Ints
    angle_deg: Floats
    time_s: Floats
    residual_s: Floats
    dose_Gy: Floats
    flux_per_cm2_s: Floats
    stored: NDArray[np.bool_]


@dataclass(frozen=True)
class MissingTriggers:
    """Triggers that fired and gave no valid frame, arrays and names of length n."""

    trigger_index: Ints
    angle_deg: Floats
    dose_Gy: Floats
    outcome: tuple[str, ...]
    block: tuple[str, ...]


def missing_triggers(scan: Scan) -> MissingTriggers:
    """The table of the missing, priming left out."""
    rows = scan.scan_rows
    lost = ~rows.valid
    blocks = scan.record.blocks
    return MissingTriggers(
        rows.index[lost],
        rows.angle_deg[lost],
        rows.dose_Gy[lost],
        tuple(Outcome(int(outcome)).name.lower() for outcome in rows.outcome[lost]),
        tuple(blocks[int(number)].name for number in rows.block[lost]),
    )


def nxtomo_rows(scan: Scan) -> NXtomoRows:
    """Choose and order the frames of a scan for its NXtomo file."""
    parts = [_valid_rows(scan), _invalid_rows(scan)]
    if scan.stored is not None:
        parts.append(_stored_rows(scan, scan.stored))
    names = NXtomoRows.__dataclass_fields__
    rows = NXtomoRows(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))
    kinds = per_block(scan, rows, [_rank(block.kind) for block in scan.record.blocks], -FLAT)
    order = np.lexsort((rows.handle, rows.time_s, kinds))
    return NXtomoRows(*(getattr(rows, name)[order] for name in names))


def per_block(
    scan: Scan, rows: NXtomoRows, values: Sequence[float], of_stored: float
) -> NDArray[Any]:
    """A value for each frame, from one for each block and one for stored flats."""
    return np.where(rows.stored, of_stored, np.asarray(values)[rows.block])


def _rank(kind: str) -> int:
    return -_KEY_OF_KIND.get(kind, PROJECTION)


def _valid_rows(scan: Scan) -> NXtomoRows:
    table, blocks = scan.table, scan.record.blocks
    keys = np.array([_KEY_OF_KIND.get(block.kind, -1) for block in blocks])[table.block]
    keep = table.valid & (keys >= 0)
    dark = keys[keep] == DARK
    return NXtomoRows(
        handle=table.source[keep],
        image_key=keys[keep],
        trigger_index=table.index[keep],
        block=table.block[keep],
        angle_deg=table.angle_deg[keep],
        time_s=table.time_s[keep],
        residual_s=table.residual_s[keep],
        dose_Gy=table.dose_Gy[keep],
        flux_per_cm2_s=np.where(dark, 0.0, scan.exposure.flux_per_cm2_s[keep]),
        stored=np.zeros(dark.shape, dtype=bool),
    )


def _stored_rows(scan: Scan, stored: Scan) -> NXtomoRows:
    """Flats of another run, at the times when they were taken."""
    handles = scan.flats
    table = stored.table
    place = {handle: at for at, handle in enumerate(table.source.tolist())}
    row = np.array([place[handle] for handle in stored.flats.tolist()], dtype=np.int64)
    later_s = stored.record.latches.utc_minus_trigger_s - scan.record.latches.utc_minus_trigger_s
    none = np.full(handles.shape, -1, dtype=np.int64)
    return NXtomoRows(
        handle=handles,
        image_key=np.full(handles.shape, FLAT, dtype=np.int64),
        trigger_index=none,
        block=none,
        angle_deg=table.angle_deg[row],
        time_s=table.time_s[row] + later_s,
        residual_s=table.residual_s[row],
        dose_Gy=np.zeros(handles.shape),
        flux_per_cm2_s=stored.exposure.flux_per_cm2_s[row],
        stored=np.ones(handles.shape, dtype=bool),
    )


def _invalid_rows(scan: Scan) -> NXtomoRows:
    """Frames without a trigger of their own, at the angle that the stage had then."""
    frames, table = scan.delivered.frames, scan.table
    numbers = scan.block_numbers
    of_file = np.array(
        [numbers.get(source.block, -1) for source in scan.delivered.sources], dtype=np.int64
    )
    exported = {at for at, block in enumerate(scan.record.blocks) if block.kind != "priming"}
    handle = scan.invalid_handles
    block = of_file[file_of(handle)] if handle.size else handle
    keep = np.isin(block, list(exported))
    handle, block = handle[keep], block[keep]
    places = np.flatnonzero(np.isin(frames.source, handle))
    places = places[np.argsort(frames.source[places])]
    handle, block = np.sort(handle), block[np.argsort(handle)]
    time_s = frames.time_s[places]
    if scan.clock is not None:
        time_s = scan.clock.to_reference(time_s) + scan.record.spec.frame_s / 2
    unknown = np.full(handle.shape, np.nan)
    known = table.index.size > 0 and scan.clock is not None
    return NXtomoRows(
        handle=handle,
        image_key=np.full(handle.shape, INVALID, dtype=np.int64),
        trigger_index=np.full(handle.shape, -1, dtype=np.int64),
        block=block,
        angle_deg=np.interp(time_s, table.time_s, table.angle_deg) if known else unknown,
        time_s=time_s,
        residual_s=unknown,
        dose_Gy=unknown,
        flux_per_cm2_s=unknown,
        stored=np.zeros(handle.shape, dtype=bool),
    )


def per_frame_read_out_deg(scan: Scan, rows: NXtomoRows) -> Floats:
    """How much farther the stage was for each frame's last row than for its first, shape (frames,).

    Not a number where a frame has no trigger of this scan.
    """
    table = scan.table
    angle = np.full(rows.trigger_index.shape, np.nan)
    known = np.isin(rows.trigger_index, table.index)
    place = np.searchsorted(table.index, rows.trigger_index[known])
    angle[known] = table.read_out_deg[place]
    return angle
