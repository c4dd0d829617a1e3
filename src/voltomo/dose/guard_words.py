"""What goes in and out of the guard's core: shutter states, actions, leases that it holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from voltomo.dose.lease import LeaseRequest, Settlement
from voltomo.dose.ledger import OpenLease

__all__ = ["Action", "Answer", "HeldLease", "Log", "SetGate", "ShutterState", "Spent", "WayOut"]


class ShutterState(IntEnum):
    """What the shutter's controller reads, in the order of its enum."""

    CLOSED = 0
    OPENING = 1
    OPEN = 2
    CLOSING = 3
    FAULT = 4


@dataclass(frozen=True)
class Log:
    """Append to the exposure log and sync, before any later action."""

    kind: str
    data: Any


@dataclass(frozen=True)
class Answer:
    """Give an answer to a command."""

    data: dict[str, Any]


@dataclass(frozen=True)
class SetGate:
    """Tell the shutter's controller what opens it, then call ``gate_set``."""

    gate: str
    lease_id: str


@dataclass(frozen=True)
class WayOut:
    """Stop the beam by other means than the shutter, then call ``way_out``.

    By attenuators and photon shutter; never by moving the sample, which would only spread the dose.
    """


Action = Log | Answer | SetGate | WayOut


@dataclass(frozen=True)
class Spent:
    """What a lease has cost so far, what is not in the log yet included."""

    dose_Gy: float
    charged_s: float
    open_s: float


@dataclass
class HeldLease:
    """A lease that was granted, or a beam that nobody asked for (``request`` is None)."""

    lease_id: str
    sample: str
    purpose: str
    scan_uid: str | None
    request: LeaseRequest | None
    asked_by: str = ""
    asked_s: float = 0.0
    armed: bool = False
    armed_s: float = 0.0
    renewed_s: float = 0.0
    last_rise_s: float | None = None
    ending: str | None = None
    ended_s: float = 0.0
    settling: list[str] = field(default_factory=list[str])
    stamps: dict[str, None] = field(default_factory=dict[str, None])

    def settlement(self, spent: OpenLease, reason: str) -> Settlement:
        """What it has cost in the end."""
        return Settlement(
            lease_id=self.lease_id,
            sample=self.sample,
            purpose=self.purpose,
            scan_uid=self.scan_uid,
            open_s=spent.open_s,
            dose_Gy=spent.charged_Gy,
            dose_central_Gy=spent.central_Gy,
            reason=reason,
            stamp="; ".join(self.stamps),
        )

    def described(self) -> str:
        """For whoever finds it in the way."""
        run = f", scan {self.scan_uid}" if self.scan_uid else ""
        who = f", of {self.request.holder}" if self.request and self.request.holder else ""
        purpose = self.purpose or "no purpose"
        return f"lease {self.lease_id} ('{self.sample}', {purpose}{run}{who})"
