"""What a cycler does with a cell, step by step; frozen, and the same for every cycler. Pure."""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "CellProtocol", "ConstantCurrent", "ConstantVoltage", "Loop", "OpenCircuit", "ProtocolStep",
]  # fmt: skip


class _Step(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OpenCircuit(_Step):
    """No current.

    Parameters
    ----------
    step : "open_circuit_voltage"
    until_time_s : float
        How long.
    """

    step: Literal["open_circuit_voltage"] = "open_circuit_voltage"
    until_time_s: float = Field(gt=0)


class ConstantCurrent(_Step):
    """A current that charges where it is positive and discharges where it is negative.

    Parameters
    ----------
    step : "constant_current"
    current_A, rate_C : float or None
        One of them; a rate of 1 moves the protocol's capacity in an hour.
    until_time_s, until_voltage_V : float or None
        At least one; what is reached first ends the step.
    """

    step: Literal["constant_current"] = "constant_current"
    current_A: float | None = None
    rate_C: float | None = None
    until_time_s: float | None = Field(default=None, gt=0)
    until_voltage_V: float | None = None

    @model_validator(mode="after")
    def _is_told(self) -> ConstantCurrent:
        if (self.current_A is None) == (self.rate_C is None):
            raise ValueError("expected either current_A or rate_C; saw both, or none")
        if 0 in (self.current_A, self.rate_C):
            raise ValueError(
                "expected a current that flows, saw 0; a rest is a step 'open_circuit_voltage'"
            )
        if self.until_time_s is None and self.until_voltage_V is None:
            raise ValueError(
                "expected until_time_s or until_voltage_V, saw none: it would never end"
            )
        return self


class ConstantVoltage(_Step):
    """Hold the terminals at a voltage, whichever way the current flows.

    Parameters
    ----------
    step : "constant_voltage"
    voltage_V : float
        Where.
    until_time_s, until_current_A, until_rate_C : float or None
        At least one; the current ends the step when its size has fallen to this.
    """

    step: Literal["constant_voltage"] = "constant_voltage"
    voltage_V: float
    until_time_s: float | None = Field(default=None, gt=0)
    until_current_A: float | None = Field(default=None, gt=0)
    until_rate_C: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _is_told(self) -> ConstantVoltage:
        if self.until_current_A is not None and self.until_rate_C is not None:
            raise ValueError("expected either until_current_A or until_rate_C, saw both")
        if (self.until_time_s, self.until_current_A, self.until_rate_C) == (None, None, None):
            raise ValueError(
                "expected until_time_s, until_current_A or until_rate_C, saw none: it would never "
                "end"
            )
        return self


class Loop(_Step):
    """Go back to an earlier step.

    Parameters
    ----------
    step : "loop"
    to : int
        Index of that step, from 0.
    cycles : int
        How often the steps between are done in all, the first time included.
    """

    step: Literal["loop"] = "loop"
    to: int = Field(ge=0)
    cycles: int = Field(ge=1, le=100_000)


ProtocolStep = Annotated[
    OpenCircuit | ConstantCurrent | ConstantVoltage | Loop, Field(discriminator="step")
]


class CellProtocol(BaseModel):
    """Steps of a cell, one after the other.

    Parameters
    ----------
    name : str
        For people.
    capacity_Ah : float
        What rates count by.
    steps : tuple of ProtocolStep
        From index 0.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: str = Field(default="", max_length=200)
    capacity_Ah: float = Field(gt=0)
    steps: tuple[ProtocolStep, ...] = Field(min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _loops_go_back(self) -> CellProtocol:
        spans: list[tuple[int, int]] = []
        for index, step in enumerate(self.steps):
            if not isinstance(step, Loop):
                continue
            if step.to >= index or isinstance(self.steps[step.to], Loop):
                raise ValueError(
                    f"step {index}: expected a loop back to an earlier step that is no loop, saw "
                    f"to={step.to}"
                )
            for first, last in spans:
                if first < step.to <= last:
                    raise ValueError(
                        f"step {index}: expected loops beside or inside each other, saw one that "
                        f"goes back into the loop of steps {first} to {last}"
                    )
            spans.append((step.to, index))
        return self

    def current_A(self, step: ConstantCurrent) -> float:
        """Current of a step; positive charges."""
        return step.current_A if step.current_A is not None else (step.rate_C or 0) * self._one_C

    def until_current_A(self, step: ConstantVoltage) -> float | None:
        """Size of the current that ends a step; None where time alone does."""
        if step.until_rate_C is not None:
            return step.until_rate_C * self._one_C
        return step.until_current_A

    @property
    def _one_C(self) -> float:
        return self.capacity_Ah

    def longest_s(self, step: ProtocolStep) -> float:
        """How long a step may take at most, by its time or by the charge that a cell can hold."""
        if isinstance(step, Loop):
            return 0.0
        by_time = float("inf") if step.until_time_s is None else step.until_time_s
        if isinstance(step, ConstantCurrent):
            return min(by_time, self._whole_s(abs(self.current_A(step))))
        if isinstance(step, ConstantVoltage):
            ends_A = self.until_current_A(step)
            return by_time if ends_A is None else min(by_time, self._whole_s(ends_A))
        return by_time

    def _whole_s(self, current_A: float) -> float:
        return 1.2 * 3600 * self.capacity_Ah / current_A

    @property
    def duration_s(self) -> float:
        """How long all of it may take at most, loops unrolled."""
        total = [0.0]
        for step in self.steps:
            total.append(total[-1] + self.longest_s(step))
            if isinstance(step, Loop):
                total[-1] += (step.cycles - 1) * (total[-1] - total[step.to])
        return total[-1]

    @property
    def digest(self) -> str:
        """Short SHA-256 of all that it says; the same on both ends of a wire."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]
