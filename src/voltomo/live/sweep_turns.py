"""Which triggers make one slice: a turn of a sweep, or all that blind sectors leave of a sweep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voltomo.model.scan_spec import Block


def same_sweep(one: Block, other: Block) -> bool:
    """Whether two blocks are of one sweep."""
    return one is other or (one.sweep is not None and one.sweep == other.sweep)


def parts_of_sweep(blocks: Sequence[Block], block: Block) -> list[Block]:
    """All blocks of the sweep that a block is of, in order."""
    return [part for part in blocks if same_sweep(part, block)]


def turn_of(blocks: Sequence[Block], block: Block, index: int) -> range:
    """Triggers of the slice that a trigger belongs to."""
    parts = parts_of_sweep(blocks, block)
    if len(parts) > 1:
        return range(parts[0].first, parts[-1].last)
    turn = (index - block.first) * block.turns // block.count
    each = block.count // block.turns
    return range(block.first + turn * each, block.first + (turn + 1) * each)


def asked_deg(blocks: Sequence[Block], block: Block, turn: range) -> NDArray[np.float64]:
    """Angles of a slice's triggers as they are asked for, shape (len(turn),)."""
    parts = parts_of_sweep(blocks, block)
    angles = [np.zeros(p.count) if p.asked_deg is None else p.asked_deg for p in parts]
    first = parts[0].first
    return np.concatenate(angles)[turn.start - first : turn.stop - first]
