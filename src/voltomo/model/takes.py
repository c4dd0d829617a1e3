"""Takes of a block: one that was cut short is taken again, under a name of its own."""

from __future__ import annotations

from typing import Literal

TakeOutcome = Literal["complete", "interrupted"]
"""What became of a take: an interrupted one was taken again."""


def take_name(block: str, take: int) -> str:
    """What files, leases and the exposure log call a take of a block.

    Parameters
    ----------
    block : str
        Name of the block.
    take : int
        1 for the first.
    """
    return block if take == 1 else f"{block}_take{take}"
