"""The course that a protocol takes: charge counted, voltage from a table and one resistance.

A forecast for checks. It knows no diffusion and no ageing, so that times of steps that a voltage
ends are good to some per cent, and rates of voltage cannot be foreseen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from voltomo.experiment.cell import CyclingCell
from voltomo.experiment.finding import Finding
from voltomo.experiment.protocol import Executed, Step, executed
from voltomo.experiment.surroundings import Environment
from voltomo.model.cell_reading import CellReading

__all__ = ["Course", "forecast"]

_SOC_STEP = 5e-3
_LONGEST_S = 300.0
_LONGEST_HOLD_S = 48 * 3600.0
_BEYOND_TABLE_V = 10.0
"""By which the voltage at rest changes with each unit of charge beyond its table."""
_AFTER_S = 1e-3
"""A step's first reading lies so much behind the last one of the step before."""


@dataclass(frozen=True)
class Course:
    """What a cycler would read, step after step.

    Attributes
    ----------
    readings : tuple of CellReading
        In order of time, from 0 s on.
    findings : tuple of Finding
        Steps that cannot be done, or do nothing.
    """

    readings: tuple[CellReading, ...]
    findings: tuple[Finding, ...]

    @property
    def total_s(self) -> float:
        """How long the protocol takes, holds left out."""
        return self.readings[-1].time_s

    @cached_property
    def times_s(self) -> NDArray[np.float64]:
        """Times of the readings, shape (n,)."""
        return np.array([reading.time_s for reading in self.readings])

    @cached_property
    def socs(self) -> NDArray[np.float64]:
        """States of charge, shape (n,)."""
        return np.array([reading.soc for reading in self.readings])


def forecast(cell: CyclingCell, steps: Sequence[Step], environment: Environment) -> Course:
    """Run a protocol through.

    Parameters
    ----------
    cell : CyclingCell
        Capacity, limits, table.
    steps : sequence of Step
        The protocol.
    environment : Environment
        Its temperatures; the cell follows the chamber at once.
    """
    run = _Run(cell, environment)
    for each in executed(steps):
        run.do(each)
        if run.tripped:
            break
    return Course(tuple(run.readings), tuple(run.findings))


class _Run:
    """State of the cell on its way."""

    def __init__(self, cell: CyclingCell, environment: Environment) -> None:
        self._cell, self._environment = cell, environment
        soc, volt = cell.rest_table
        self._table_soc, self._table_V = np.array(soc), np.array(volt)
        self._soc, self._time_s, self._charge_Ah = cell.soc, 0.0, 0.0
        self._temperature_C = environment.temperature_C
        self._cycle, self._charged, self._discharged = 0, False, False
        self._at = 0
        self._tags: frozenset[str] = frozenset()
        self._said: set[int] = set()
        self.tripped = False
        self.readings: list[CellReading] = []
        self.findings: list[Finding] = []

    def do(self, each: Executed) -> None:
        """Run one step to its end."""
        self._at, self._tags = each.number, each.tags
        if each.step.step == "open_circuit_voltage":
            self._read(0.0, _AFTER_S)
            self._flow(0.0, each.step.until_time_s or 0.0)
        elif each.step.step == "constant_current":
            self._constant_current(each.step)
        else:
            self._constant_voltage(each.step)

    def _rest_V(self, soc: float) -> float:
        low, high = self._table_soc[0], self._table_soc[-1]
        beyond = float(min(soc - low, 0.0) + max(soc - high, 0.0))
        inside = float(np.interp(soc, self._table_soc, self._table_V))
        return inside + _BEYOND_TABLE_V * beyond

    def _volt(self, current_A: float, soc: float | None = None) -> float:
        return self._rest_V(self._soc if soc is None else soc) + current_A * self._cell.ohm

    def _constant_current(self, step: Step) -> None:
        current_A = step.current_A(self._cell.capacity_Ah)
        self._count_cycle(current_A)
        self._read(current_A, _AFTER_S)
        up = current_A > 0
        limit_V = self._cell.max_V if up else self._cell.min_V
        end_V = step.until_voltage_V
        if end_V is not None and (self._volt(current_A) >= end_V) == up:
            self._say(
                f"step {self._at + 1} ends at once: with its current the cell stands at about "
                f"{self._volt(current_A):.3g} V when it begins",
                refuses=False,
            )
            return
        left_s = math.inf if step.until_time_s is None else step.until_time_s
        ends_at = self._soc_at(limit_V if end_V is None else end_V, current_A)
        by_volt_s = (ends_at - self._soc) * 3600 * self._cell.capacity_Ah / current_A
        self._flow(current_A, max(min(left_s, by_volt_s), 0.0))
        if end_V is None and left_s > by_volt_s * (1 + 1e-9) + 1:
            side = "above" if up else "below"
            self._say(
                f"step {self._at + 1} takes the cell {side} its limit of {limit_V:g} V after about "
                f"{max(by_volt_s, 0.0) / 3600:.3g} h of {left_s / 3600:.3g} h; end it by "
                "until_voltage_V as well"
            )
            self.tripped = True

    def _soc_at(self, volt: float, current_A: float) -> float:
        """State of charge at which the terminals have a voltage; the table rises, so bisect."""
        low, high = -1.0, 2.0
        for _ in range(60):
            middle = (low + high) / 2
            if self._volt(current_A, middle) < volt:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def _constant_voltage(self, step: Step) -> None:
        volt = step.voltage_V or 0.0
        left_s = _LONGEST_HOLD_S if step.until_time_s is None else step.until_time_s
        least_A = step.least_A(self._cell.capacity_Ah)
        most_A = 1e-3 * self._cell.max_current_mA
        self._count_cycle(volt - self._rest_V(self._soc))
        self._read(0.0, _AFTER_S)
        while left_s > 1e-6:
            current_A = (volt - self._rest_V(self._soc)) / self._cell.ohm
            current_A = min(max(current_A, -most_A), most_A)
            if abs(current_A) <= max(least_A, 1e-9):
                break
            # A tenth of the way to equilibrium at most, or the explicit step swings.
            ahead = abs(self._soc_at(volt, 0.0) - self._soc)
            for_s = 0.1 * ahead * 3600 * self._cell.capacity_Ah / abs(current_A)
            for_s = min(max(for_s, 1.0), _LONGEST_S, left_s)
            self._flow(current_A, for_s)
            left_s -= for_s
        if step.until_time_s is None:
            if left_s <= 1e-6:
                self._say(f"step {self._at + 1} does not end within {_LONGEST_HOLD_S / 3600:g} h")
                self.tripped = True
        elif left_s > 1e-6 and not least_A:
            self._flow(0.0, left_s)

    def _flow(self, current_A: float, for_s: float) -> None:
        """Let a current flow, read by read."""
        if for_s <= 0:
            return
        rate = abs(current_A) / self._cell.capacity_Ah / 3600
        one_s = min(_LONGEST_S, _SOC_STEP / rate if rate > 0 else math.inf)
        number = max(math.ceil(for_s / one_s), 1)
        for _ in range(number):
            self._read(current_A, for_s / number)

    def _read(self, current_A: float, for_s: float) -> None:
        moved_Ah = current_A * for_s / 3600
        self._charge_Ah += moved_Ah
        self._soc += moved_Ah / self._cell.capacity_Ah
        self._time_s += for_s
        wanted_C = self._environment.wanted_C(self._tags)
        most_K = self._environment.ramp_K_per_min * for_s / 60
        self._temperature_C += min(max(wanted_C - self._temperature_C, -most_K), most_K)
        self.readings.append(
            CellReading(
                time_s=self._time_s,
                voltage_V=self._volt(current_A),
                current_A=current_A,
                charge_Ah=self._charge_Ah,
                soc=self._soc,
                soc_sigma=0.0,
                temperature_C=self._temperature_C,
                step=self._at,
                cycle=self._cycle,
            )
        )

    def _count_cycle(self, current_A: float) -> None:
        """A cycle begins when the cell is charged again after it was discharged."""
        if current_A > 0:
            if self._charged and self._discharged:
                self._cycle += 1
                self._discharged = False
            self._charged = True
        else:
            self._discharged = True

    def _say(self, what: str, *, refuses: bool = True) -> None:
        if self._at not in self._said:
            self.findings.append(Finding(("protocol", self._at), what, refuses))
        self._said.add(self._at)
