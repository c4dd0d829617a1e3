"""What the events of a run say besides triggers: takes, decisions, and where all stood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from voltomo.model.takes import take_name

Rows = Iterable[tuple[float, dict[str, Any]]]
"""Events: UTC, and data by key."""

_DECISION = (
    "target", "verdict", "ends", "sweeps", "sweeps_asked", "projections", "projections_asked",
    "saved_fraction",
)  # fmt: skip


@dataclass(frozen=True)
class TakeEnded:
    """What became of a take of a block: "complete" or "interrupted", and why."""

    block: str
    number: int
    outcome: str
    reason: str = ""

    @property
    def name(self) -> str:
        """What its file and its leases are called."""
        return take_name(self.block, self.number)


@dataclass(frozen=True)
class Decision:
    """A look at a verdict between sweeps: what was aimed at, what it said, what came of it."""

    target: str
    verdict: str
    ends: bool
    sweeps: int
    sweeps_asked: int
    projections: int
    projections_asked: int
    saved_fraction: float


@dataclass(frozen=True)
class Reading:
    """One reading of the baseline: UTC, values and units by data key."""

    utc_s: float
    values: Mapping[str, Any]
    units: Mapping[str, str]


def takes_in(rows: Rows) -> list[TakeEnded]:
    """Takes that have ended."""
    return [
        TakeEnded(
            str(data["take_block"]),
            int(data["take_number"]),
            str(data["take_outcome"]),
            str(data.get("take_reason", "")),
        )
        for _, data in rows
    ]


def decisions_in(rows: Rows) -> list[Decision]:
    """Looks at the verdict that may end the scan."""
    return [Decision(*(data[f"decision_{name}"] for name in _DECISION)) for _, data in rows]


def readings_in(descriptor: Mapping[str, Any], rows: Rows) -> list[Reading]:
    """Readings of the baseline, with the units that its descriptor gives."""
    units = {
        key: str(given.get("units") or "") for key, given in descriptor.get("data_keys", {}).items()
    }
    return [Reading(utc_s, data, units) for utc_s, data in rows]
