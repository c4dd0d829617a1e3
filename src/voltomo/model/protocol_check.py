"""Whether a protocol stays within a cell's limits, before any current flows. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from voltomo.model.cell_limits import CellLimits
from voltomo.model.cell_protocol import (
    CellProtocol,
    ConstantCurrent,
    ConstantVoltage,
    Loop,
    ProtocolStep,
)
from voltomo.model.sentence import SentenceError


class ProtocolRefused(SentenceError):
    """A protocol was not accepted; the message lists every reason."""


@dataclass(frozen=True)
class ProtocolProblem:
    """One reason against a protocol: index of the step, what was expected, what was seen."""

    step: int
    expected: str
    seen: str

    def __str__(self) -> str:
        return f"step {self.step}: expected {self.expected}, saw {self.seen}"


def problems(protocol: CellProtocol, limits: CellLimits) -> list[ProtocolProblem]:
    """All that speaks against a protocol on a cell of these limits, in the order of its steps."""
    found: list[ProtocolProblem] = []
    for index, step in enumerate(protocol.steps):
        found += [ProtocolProblem(index, *words) for words in _against(protocol, step, limits)]
    return found


def demand_possible(protocol: CellProtocol, limits: CellLimits) -> None:
    """Refuse a protocol that would leave the limits.

    Raises
    ------
    ProtocolRefused
        With every reason.
    """
    found = problems(protocol, limits)
    if found:
        raise ProtocolRefused(
            "; ".join(map(str, found))
            + "; the protocol was not loaded; correct the steps, or the limits of the cell"
        )


def _against(
    protocol: CellProtocol, step: ProtocolStep, limits: CellLimits
) -> Iterator[tuple[str, str]]:
    if isinstance(step, ConstantCurrent):
        yield from _against_current(protocol.current_A(step), step, limits)
    if isinstance(step, ConstantVoltage):
        if not limits.min_voltage_V <= step.voltage_V <= limits.max_voltage_V:
            yield f"a voltage {_window(limits)}", f"{step.voltage_V:g} V"
        ends_A = protocol.until_current_A(step)
        most_A = max(limits.max_charge_current_A, limits.max_discharge_current_A)
        if ends_A is not None and ends_A > most_A:
            yield f"an end current of at most {most_A:g} A", f"{ends_A:g} A"
    if not isinstance(step, Loop) and protocol.longest_s(step) == float("inf"):
        yield "an end by time or current", "none"


def _against_current(
    current_A: float, step: ConstantCurrent, limits: CellLimits
) -> Iterator[tuple[str, str]]:
    charges = current_A > 0
    most_A = limits.max_charge_current_A if charges else limits.max_discharge_current_A
    way = "charging" if charges else "discharging"
    if abs(current_A) > most_A:
        yield f"a {way} current of at most {most_A:g} A", f"{abs(current_A):g} A"
    volts = step.until_voltage_V
    if volts is not None and not limits.min_voltage_V <= volts <= limits.max_voltage_V:
        yield f"an end voltage {_window(limits)}", f"{volts:g} V"
    if step.until_voltage_V is None and step.until_time_s is not None:
        moved_Ah = abs(current_A) * step.until_time_s / 3600
        if moved_Ah > limits.max_charge_Ah:
            yield (
                f"at most {limits.max_charge_Ah:g} Ah in a step without an end voltage",
                f"{moved_Ah:.4g} Ah",
            )


def _window(limits: CellLimits) -> str:
    return f"of {limits.min_voltage_V:g} to {limits.max_voltage_V:g} V"
