"""Where axes must not be together: rules of a beamline, checked before each move. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

__all__ = ["KeepOut", "Span", "rule_against"]

Span = tuple[float, float]
"""Two places of an axis between which it is or may come to be, in any order."""

Interval = tuple[float | None, float | None]


class KeepOut(BaseModel):
    """One rule: not all of these axes may be within their intervals at the same time.

    Parameters
    ----------
    name : str
        What would happen; it stands in the refusal.
    where : dict
        Lowest and highest place of each axis, in its own units; null for no end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
    where: dict[str, Interval] = Field(min_length=1)

    @field_validator("where")
    @classmethod
    def _go_upwards(cls, where: dict[str, Interval]) -> dict[str, Interval]:
        for axis, (low, high) in where.items():
            if low is not None and high is not None and low > high:
                raise ValueError(f"the interval of {axis} must go upwards; got {low:g} to {high:g}")
        return where

    def _holds(self, axis: str, span: Span) -> bool:
        low, high = self.where[axis]
        above = -math.inf if low is None else low
        below = math.inf if high is None else high
        return max(span) >= above and min(span) <= below

    def forbids(self, axis: str, here: float, target: float, others: Mapping[str, Span]) -> bool:
        """Whether a move of one axis would bring all of them together.

        Parameters
        ----------
        axis : str
            The one that is to move.
        here, target : float
            From where to where.
        others : mapping
            Where the other axes of the rule are, and where they are going.
        """
        if axis not in self.where or not self._holds(axis, (here, target)):
            return False
        leaves = self._holds(axis, (here, here)) and not self._holds(axis, (target, target))
        together = all(self._holds(other, others[other]) for other in self.where if other != axis)
        # Whoever is where he must not be may go away, by the way that leads out.
        return together and not leaves

    def sentence(self, axis: str, target: float, others: Mapping[str, Span]) -> str:
        """Why a move is refused, for the person on shift."""
        low, high = self.where[axis]
        ends = f"{'any' if low is None else f'{low:g}'} to {'any' if high is None else f'{high:g}'}"
        stand = ", ".join(_stands(other, others[other]) for other in self.where if other != axis)
        where = f" with {stand}" if stand else ""
        return (
            f"{axis}: expected a path that keeps out of {ends} ({self.name}){where}, saw a move to "
            f"{target:g}; nothing was moved; move another axis of the rule first"
        )


def _stands(axis: str, span: Span) -> str:
    here, target = span
    return f"{axis} at {here:g}" + (f" on its way to {target:g}" if target != here else "")


def rule_against(
    rules: Iterable[KeepOut], axis: str, here: float, target: float, others: Mapping[str, Span]
) -> KeepOut | None:
    """The first rule that forbids a move; see `KeepOut.forbids`."""
    return next((rule for rule in rules if rule.forbids(axis, here, target, others)), None)
