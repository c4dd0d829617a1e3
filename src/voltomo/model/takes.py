"""Takes of a block: one that was cut short is taken again, under a name of its own."""

from __future__ import annotations

import re
from typing import Literal

_TAKE = re.compile(r"(?P<block>.+)_take(?P<number>\d+)")

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


def split_take_name(name: str) -> tuple[str, int]:
    """Block and number of a take, from what it is called."""
    found = _TAKE.fullmatch(name)
    return (name, 1) if found is None else (found["block"], int(found["number"]))
