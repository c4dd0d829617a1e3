"""Blocks and takes of a scan in an NXtomo file: which frame is of which sweep, turn and place."""

from __future__ import annotations

import h5py
import numpy as np

from voltomo.records.nxtomo_groups import field, group, texts
from voltomo.records.nxtomo_rows import NXtomoRows
from voltomo.records.scan import Scan


def write_blocks(ours: h5py.Group, frames: h5py.Group, scan: Scan, rows: NXtomoRows) -> None:
    """The block and the turn of each frame, what the blocks were, and which were taken again."""
    record = scan.record
    blocks = record.blocks
    field(frames, "block", rows.block)
    field(frames, "turn", _turns(scan, rows))
    about = group(ours, "blocks", "NXcollection")
    texts(about, "name", tuple(block.name for block in blocks))
    texts(about, "kind", tuple(block.kind for block in blocks))
    field(about, "first_trigger", np.array([block.first for block in blocks]))
    field(about, "triggers", np.array([block.count for block in blocks]))
    field(about, "take", np.array([record.counted.get(block.name, 1) for block in blocks]))
    field(about, "x_shift", np.array([1e-3 * block.place.x_mm for block in blocks]), "m")
    field(about, "z_shift", np.array([1e-3 * block.place.z_mm for block in blocks]), "m")
    columns = np.array([record.spec.axis_column(block) for block in blocks])
    field(about, "rotation_axis_column", columns, "pixel")
    _write_takes(ours, scan)
    if record.spec.stored_flats is not None:
        field(ours, "stored_flats", record.spec.stored_flats)
        field(frames, "stored", rows.stored.astype(np.uint8))


def _turns(scan: Scan, rows: NXtomoRows) -> np.ndarray:
    """Number of the turn within its sweep; 0 in sweeps of one turn, −1 without a trigger."""
    turn = np.full(rows.block.shape, -1, dtype=np.int64)
    for number, block in enumerate(scan.record.blocks):
        here = (rows.block == number) & (rows.trigger_index >= 0)
        turn[here] = (rows.trigger_index[here] - block.first) * block.turns // block.count
    return turn


def _write_takes(ours: h5py.Group, scan: Scan) -> None:
    """Takes in the order in which they ended, with the dose that each has cost."""
    record = scan.record
    charged = record.openings or record.charges
    takes = group(ours, "takes", "NXcollection")
    texts(takes, "block", tuple(take.block for take in record.takes))
    field(takes, "take", np.array([take.number for take in record.takes], dtype=np.int64))
    texts(takes, "outcome", tuple(take.outcome for take in record.takes))
    texts(takes, "reason", tuple(take.reason for take in record.takes))
    doses = [
        sum(item.dose_central_Gy for item in charged if item.purpose == take.name)
        for take in record.takes
    ]
    field(takes, "dose", np.array(doses, dtype=np.float64), "Gy")
