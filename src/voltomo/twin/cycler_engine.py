"""The virtual cycler: steps of a protocol on the cell model, limits, pause and trip. No clock.

All times here are of the cell ("test time"); who calls `CyclerEngine.advance` says how fast
they pass.
"""

from __future__ import annotations

import copy

from voltomo.model.cell_cycler import CyclerMode, CyclerState, Hold, SafeState
from voltomo.model.cell_limits import CellLimits
from voltomo.model.cell_protocol import (
    CellProtocol,
    ConstantCurrent,
    ConstantVoltage,
    Loop,
    ProtocolStep,
)
from voltomo.model.cell_reading import CellReading
from voltomo.model.protocol_check import demand_possible
from voltomo.model.sentence import SentenceError
from voltomo.twin.cell_model import CellModel

_PIECE_S = 1.0
_SMALLEST_S = 0.01


class CyclerRefused(SentenceError):
    """A command that does not fit the cycler's state; nothing was changed."""


class CyclerEngine:
    """Drives a cell.

    Parameters
    ----------
    cell : CellModel
        The cell at its terminals.
    limits : CellLimits
        The instrument's own; those of a protocol tighten them.
    safe_state : {"ocv", "zero"}
        How the cell is left on a stop or a trip, unless a stop says otherwise.
    """

    def __init__(self, cell: CellModel, limits: CellLimits, safe_state: SafeState = "ocv") -> None:
        self.cell = cell
        self.own_limits = self.limits = limits
        self.safe_state: SafeState = safe_state
        self.state: CyclerState = "idle"
        self.protocol: CellProtocol | None = None
        self.reason = ""
        self._clear()

    def _clear(self) -> None:
        self.step = self.cycle = 0
        self.test_s = self.step_s = 0.0
        self.charge_Ah = self.step_Ah = self.in_Ah = self.out_Ah = self.energy_Wh = 0.0
        self._rounds: dict[int, int] = {}
        self._hold_V: float | None = None

    @property
    def digest(self) -> str:
        """Of the protocol that is loaded; nothing where none is."""
        return "" if self.protocol is None else self.protocol.digest

    @property
    def mode(self) -> CyclerMode:
        """What is controlled now."""
        if self.state == "holding":
            return "CV"
        now = self._now()
        if isinstance(now, ConstantCurrent):
            return "CC"
        return "CV" if isinstance(now, ConstantVoltage) else "OCV"

    def reading(self, time_s: float = 0.0) -> CellReading:
        """What is true at the terminals, by the cell model."""
        return CellReading(
            time_s=time_s,
            voltage_V=self.cell.voltage_V,
            current_A=self.cell.current_A,
            charge_Ah=self.charge_Ah,
            soc=self.cell.soc,
            temperature_C=self.cell.temperature_C,
            step=self.step,
            cycle=self.cycle,
        )

    def load(self, protocol: CellProtocol, limits: CellLimits | None = None) -> str:
        """Take a protocol if it stays within the limits; its digest.

        Raises
        ------
        ProtocolRefused, CyclerRefused
            It would leave them, or one is under way.
        """
        if self.state in ("running", "paused", "holding", "fault"):
            raise CyclerRefused(self._misfit("load", "a cycler that is idle, ready or finished"))
        try:
            tight = self.own_limits if limits is None else self.own_limits.tightened(limits)
        except ValueError as error:
            raise CyclerRefused(
                f"expected limits within the instrument's own, saw none in common: {error}"
            ) from error
        demand_possible(protocol, tight)
        self.protocol, self.limits = protocol, tight
        self._clear()
        self.state, self.reason = "ready", ""
        return protocol.digest

    def start(self) -> None:
        """Begin; while it is under way already, nothing changes."""
        if self.state in ("running", "paused", "holding"):
            return
        if self.state != "ready":
            raise CyclerRefused(self._misfit("start", "a protocol that is loaded and not begun"))
        self.state = "running"

    def pause(self, hold: Hold = "ocv") -> None:
        """Wait, with the cell cut off, at the voltage it has, or at no current."""
        if self.state not in ("running", "paused", "holding"):
            raise CyclerRefused(self._misfit("pause", "a protocol under way"))
        if hold == "cv":
            # Held once, the voltage stays: a second pause must not follow its drift.
            self._hold_V = self.cell.voltage_V if self._hold_V is None else self._hold_V
            self.state = "holding"
        else:
            self.state = "paused"
            self._rest()

    def resume(self) -> None:
        """Go on where it waits."""
        if self.state == "running":
            return
        if self.state not in ("paused", "holding"):
            raise CyclerRefused(self._misfit("resume", "a protocol that waits"))
        self._hold_V, self.state = None, "running"

    def next_step(self) -> None:
        """End the step, also while it waits."""
        if self.state not in ("running", "paused", "holding"):
            raise CyclerRefused(self._misfit("next", "a protocol under way"))
        self._next()

    def stop(self, safe_state: SafeState | None = None) -> None:
        """End the protocol and leave the cell safe; where nothing is under way, nothing changes."""
        if self.state in ("running", "paused", "holding"):
            self.state = "finished"
            left = safe_state or self.safe_state
            self.reason = f"stopped in step {self.step}; the cell was left at {left}"
        self._rest()

    def trip(self, reason: str) -> None:
        """Go to the safe state and stay there until `reset`."""
        self.state = "fault"
        self.reason = (
            f"tripped in step {self.step}: {reason}; the cell was left at {self.safe_state}; find "
            "the cause, reset the cycler, and load a protocol anew"
        )
        self._rest()

    def reset(self) -> None:
        """Take a latched trip back; nothing is loaded then."""
        if self.state == "fault":
            self.state, self.protocol, self.reason = "idle", None, ""
            self.limits = self.own_limits

    def advance(self, seconds: float) -> None:
        """Let test time pass, at most about a second a piece, to the end of a step exactly."""
        left = seconds
        while left > 1e-9:
            piece_s = min(left, _PIECE_S)
            now = self._now()
            if now is not None and not isinstance(now, Loop) and now.until_time_s is not None:
                piece_s = min(piece_s, max(now.until_time_s - self.step_s, _SMALLEST_S))
            left -= self._piece(piece_s)

    def _piece(self, piece_s: float) -> float:
        """Pass a piece of time, cut where something ends within it; how long it was."""
        before, whole_s = copy.copy(self.cell), piece_s
        self._flow(piece_s)
        shortest_s = 0.0
        while self._due(piece_s) and piece_s - shortest_s > _SMALLEST_S:
            middle_s = (shortest_s + piece_s) / 2
            self.cell = copy.copy(before)
            self._flow(middle_s)
            if self._due(middle_s):
                piece_s = middle_s
            else:
                shortest_s = middle_s
                self.cell = copy.copy(before)
                self._flow(piece_s)
        self._count(before, min(piece_s, whole_s))
        self._decide()
        return piece_s

    def _flow(self, for_s: float) -> None:
        cell, volts = self.cell, self._target_V()
        if volts is None:
            now, protocol = self._now(), self.protocol
            if protocol is not None and isinstance(now, ConstantCurrent):
                cell.advance(protocol.current_A(now), for_s)
            else:
                cell.advance(0.0, for_s)
            return
        cell.advance(self._within(cell.current_for(volts)), for_s)
        cell.current_A = self._within(cell.current_for(volts))

    def _within(self, current_A: float) -> float:
        limits = self.limits
        return min(max(current_A, -limits.max_discharge_current_A), limits.max_charge_current_A)

    def _target_V(self) -> float | None:
        if self.state == "holding":
            return self._hold_V
        now = self._now()
        return now.voltage_V if isinstance(now, ConstantVoltage) else None

    def _now(self) -> ProtocolStep | None:
        """The step under way; none while the protocol waits or nothing runs."""
        if self.state != "running" or self.protocol is None:
            return None
        return self.protocol.steps[self.step]

    def _count(self, before: CellModel, seconds: float) -> None:
        moved_Ah = self.cell.charge_Ah - before.charge_Ah
        if self.state not in ("running", "paused", "holding"):
            return
        self.test_s += seconds
        self.charge_Ah += moved_Ah
        self.energy_Wh += moved_Ah * self.cell.voltage_V
        self.in_Ah += max(moved_Ah, 0.0)
        self.out_Ah += max(-moved_Ah, 0.0)
        self.step_Ah += moved_Ah
        if self.state == "running":
            self.step_s += seconds

    def _due(self, piece_s: float) -> bool:
        return self._has_ended(piece_s) or self._breach() is not None

    def _has_ended(self, further_s: float = 0.0) -> bool:
        now, protocol, cell = self._now(), self.protocol, self.cell
        if now is None or protocol is None or isinstance(now, Loop):
            return False
        if now.until_time_s is not None and self.step_s + further_s >= now.until_time_s - 1e-6:
            return True
        if isinstance(now, ConstantCurrent) and now.until_voltage_V is not None:
            way = 1.0 if protocol.current_A(now) > 0 else -1.0
            return way * (cell.voltage_V - now.until_voltage_V) >= 0
        if isinstance(now, ConstantVoltage):
            ends_A = protocol.until_current_A(now)
            return ends_A is not None and abs(cell.current_A) <= ends_A
        return False

    def _breach(self) -> str | None:
        if self.state not in ("running", "paused", "holding"):
            return None
        return self.limits.breach(self.reading())

    def _decide(self) -> None:
        if self._has_ended():
            self._next()
            return
        breach = self._breach()
        if breach is not None:
            self.trip(breach)

    def _next(self) -> None:
        if self.protocol is None:
            return
        self.step_s = self.step_Ah = 0.0
        self._hold_V = self.cell.voltage_V if self.state == "holding" else None
        at = self.step + 1
        while at < len(self.protocol.steps):
            step = self.protocol.steps[at]
            if not isinstance(step, Loop):
                self.step = at
                return
            done = self._rounds.get(at, 1)
            if done < step.cycles:
                self._rounds[at] = done + 1
                self.cycle += 1
                at = step.to
            else:
                self._rounds.pop(at, None)
                at += 1
        self.state, self.reason = "finished", ""
        self._rest()

    def _rest(self) -> None:
        # Terminals are without a current at once, not only when time next passes.
        self._hold_V, self.cell.current_A = None, 0.0

    def _misfit(self, command: str, expected: str) -> str:
        return f"{command}: expected {expected}, saw {self.state}; nothing was changed"
