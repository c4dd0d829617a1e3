"""What every cycler can be asked, and the words of its answers.

A current that charges the cell is positive, everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from voltomo.model.cell_limits import CellLimits
from voltomo.model.cell_protocol import CellProtocol
from voltomo.model.cell_reading import CellReading

__all__ = ["CellCycler", "CyclerMode", "CyclerReading", "CyclerState", "Hold", "SafeState"]

CyclerState = Literal[
    "disconnected", "idle", "ready", "running", "paused", "holding", "finished", "fault", "unknown"
]
"""idle: nothing is loaded; ready: loaded, not begun; paused: the protocol waits without a current;
holding: it waits at a voltage; fault: tripped to the safe state, latched; unknown: it answers, but
its data are old, so that nobody knows; disconnected: it does not answer, and the cell may go on."""

CyclerMode = Literal["OCV", "CC", "CV"]

Hold = Literal["ocv", "cv", "zero"]
"""How a paused cell waits: cut off, at the voltage it had, or with a current held at zero."""

SafeState = Literal["ocv", "zero"]
"""How a cell is left when it is stopped; there is no short."""


@dataclass(frozen=True)
class CyclerReading:
    """One row of readings with both clocks.

    Parameters
    ----------
    cell : CellReading
        Its ``time_s`` is when the row came in, UTC of our clock.
    cycler_utc_s : float
        When the cycler measured, by its own clock.
    test_time_s, step_time_s : float
        Since the protocol and the step began, by the cycler.
    number : int
        The cycler's count of its rows.
    """

    cell: CellReading
    cycler_utc_s: float
    test_time_s: float
    step_time_s: float
    number: int


@runtime_checkable
class CellCycler(Protocol):
    """A cycler with one cell. Each command may be given again: a second one changes nothing.

    What gives a status gives one with a time-out, which fails with a sentence. ``pause`` and
    ``resume`` are names that bluesky calls on every device of a plan that is paused, so that the
    cell has words of its own.
    """

    @property
    def cycler_state(self) -> CyclerState:
        """State now, "unknown" where its data are old."""
        ...

    @property
    def data_age_s(self) -> float:
        """Time since the last new row came in."""
        ...

    def reading(self) -> CyclerReading:
        """The last row; fails where it is old."""
        ...

    def load(self, protocol: CellProtocol, limits: CellLimits | None = None) -> str:
        """Have a protocol checked and accepted; its digest comes back."""
        ...

    def start(self) -> Any:
        """Begin the protocol; a status that ends when it runs."""
        ...

    def pause_cell(self, hold: Hold = "ocv") -> Any:
        """Let the protocol wait; its steps' times wait, too."""
        ...

    def resume_cell(self) -> Any:
        """Go on where it waits."""
        ...

    def next_step(self) -> Any:
        """End the step."""
        ...

    def stop(self, safe_state: SafeState | None = None) -> Any:
        """End the protocol and leave the cell in a safe state, the configured one if none given."""
        ...
