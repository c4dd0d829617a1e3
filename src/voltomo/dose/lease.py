"""The only way to the beam: ask for it, keep asking, and settle.

A plan never opens a shutter. It asks the guard for a lease once stage, camera and writer are
proven ready; the guard checks the budget, reserves, and enables the shutter. Renewal is the
heartbeat: when it stops, for whatever reason, the beam closes.
"""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from voltomo.model.names import SafeName
from voltomo.model.sentence import SentenceError


class LeaseRequest(BaseModel):
    """What a plan wants to do with the beam.

    Parameters
    ----------
    sample : SafeName
        Whose ledger pays.
    seconds : float
        Open time that is needed, shutter travel included.
    dose_Gy : float or None
        Dose that the plan expects; None lets the guard compute it from flux and material.
    purpose : str
        Shown in the exposure log: "sweep_0", "flats_before", …
    scan_uid : str or None
        The run that it belongs to.
    gate : {"trigger_window", "lease"}
        "trigger_window": the hardware opens only while triggers are due. "lease": open as long as
        the lease lives (stepped scans).
    beside_sample : bool
        Whether the sample stands out of the field on purpose, for flats. Only then, and only while
        its stage is read there, standing still, does the sample pay nothing: an axis that was set
        to zero anew cannot make a sweep free.
    trigger_deadline_s : float or None
        The latched trigger count must rise at least this often once triggers flow; None where
        nothing is triggered.
    scan_seconds : float or None
        Open time of the whole scan that it belongs to; the policy keeps back so much for the end
        of a series, by number of scans. As ``seconds`` if not given.
    last_scan : bool
        Whether it may take what is kept back for the end.
    holder : str
        Who asks; shown to whoever finds the beam taken.
    stops_seen : int or None
        How often the beam had been stopped by hand (``Guard:Stops``) when the scan began. A scan
        that began before the last stop gets no beam any more; None for what is no scan.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample: SafeName
    seconds: float = Field(gt=0, le=86400)
    dose_Gy: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    purpose: str = Field(default="", max_length=100)
    scan_uid: str | None = Field(default=None, max_length=100)
    gate: Literal["trigger_window", "lease"] = "trigger_window"
    beside_sample: bool = False
    trigger_deadline_s: float | None = Field(default=None, gt=0, le=86400)
    scan_seconds: float | None = Field(default=None, gt=0, le=86400)
    last_scan: bool = False
    holder: str = Field(default="", max_length=200)
    stops_seen: int | None = Field(default=None, ge=0)


class Settlement(BaseModel):
    """What a lease has cost.

    ``dose_Gy`` is the upper bound that limits act on, ``dose_central_Gy`` the best estimate;
    both are zero where the sample was read out of the field, or in a replay (``stamp`` says so).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lease_id: str
    sample: str
    purpose: str = ""
    scan_uid: str | None = None
    open_s: float
    dose_Gy: float
    dose_central_Gy: float
    reason: str
    stamp: str = ""


class LeaseRefused(SentenceError):
    """The guard said no; the message says why and what would fit. The shutter stayed closed."""


class LeaseLost(SentenceError):
    """The guard took the lease back; the message says why. The shutter was closed."""


class ExposureLease(Protocol):
    """One client of the guard. ``request → renew → settle`` is the only way to beam."""

    def request(self, request: LeaseRequest) -> str:
        """Ask for beam; the shutter is enabled when this returns.

        Returns
        -------
        str
            Identity of the lease.

        Raises
        ------
        LeaseRefused
            Over budget, unknown sample, another lease, no guard, latched guard.
        """
        ...

    def renew(self) -> None:
        """Keep the lease alive for one more stale time.

        Raises
        ------
        LeaseLost
            The guard ended it.
        """
        ...

    def settle(self, reason: str = "done") -> Settlement:
        """Give the beam back and learn what it cost. Never fails to close."""
        ...
