"""An axis that no scan knows of, and that stands elsewhere in each sweep: the focus, say."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.scan_spec import Block

Plan = Generator[Msg, Any, Any]


@dataclass(frozen=True)
class Posture:
    """Where a further axis stands in the blocks of a scan, and where it goes at its end.

    Parameters
    ----------
    name : str
        For sentences.
    axis : Movable
        In its own units.
    at : mapping
        Position by the name of the block; in other blocks it stays where it is.
    home : float
        Where it stood before.
    """

    name: str
    axis: Any
    at: Mapping[str, float]
    home: float

    def take(self, block: Block) -> Plan:
        """Bring the axis where a block wants it."""
        if block.name in self.at:
            yield from self._to(self.at[block.name])

    def leave(self) -> Plan:
        """Bring it home."""
        yield from self._to(self.home)

    def _to(self, position: float) -> Plan:
        yield from bps.abs_set(self.axis, position, group="posture")
        yield from bps.wait("posture")
