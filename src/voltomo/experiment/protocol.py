"""The protocol: what the cycler does with the cell, step by step.

Steps and their keys are those of aurora-unicycler's JSON, so that a protocol can be carried over.
A current that charges the cell is positive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.runtime.yaml_file import mistakes_at

StepKind = Literal["open_circuit_voltage", "constant_current", "constant_voltage", "loop", "tag"]
_MOST_STEPS = 10_000

_TAKEN: dict[StepKind, tuple[str, ...]] = {
    "open_circuit_voltage": ("until_time_s",),
    "constant_current": ("rate_C", "current_mA", "until_time_s", "until_voltage_V"),
    "constant_voltage": ("voltage_V", "until_time_s", "until_rate_C", "until_current_mA"),
    "loop": ("loop_to", "cycle_count"),
    "tag": ("tag",),
}
_ONE_OF: dict[StepKind, tuple[tuple[str, ...], ...]] = {
    "open_circuit_voltage": (("until_time_s",),),
    "constant_current": (("rate_C", "current_mA"), ("until_time_s", "until_voltage_V")),
    "constant_voltage": (
        ("voltage_V",),
        ("until_time_s", "until_rate_C", "until_current_mA"),
    ),
    "loop": (("loop_to",), ("cycle_count",)),
    "tag": (("tag",),),
}


class Step(BaseModel):
    """One step; each kind takes the keys that it needs, and no others.

    Parameters
    ----------
    step : str
        What is done: the cell rests, takes a current, is held at a voltage; earlier steps are
        done again; or a name is set for that.
    rate_C, current_mA : float
        The current of "constant_current", as a multiple of the capacity an hour or as it is;
        negative discharges.
    voltage_V : float
        The voltage of "constant_voltage".
    until_time_s : float
        Ends the step after this time, at the latest.
    until_voltage_V : float
        Ends "constant_current" once the cell has this voltage.
    until_rate_C, until_current_mA : float
        End "constant_voltage" once the current has fallen to this, whichever way it flows.
    tag : str
        The name that "tag" sets.
    loop_to : str
        The tag from which on "loop" does the steps again.
    cycle_count : int
        How often they are done in all, the first time included.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    step: StepKind
    rate_C: float | None = None
    current_mA: float | None = None
    voltage_V: float | None = Field(default=None, gt=0)
    until_time_s: float | None = Field(default=None, gt=0)
    until_voltage_V: float | None = Field(default=None, gt=0)
    until_rate_C: float | None = Field(default=None, gt=0)
    until_current_mA: float | None = Field(default=None, gt=0)
    tag: str | None = Field(default=None, min_length=1)
    loop_to: str | None = Field(default=None, min_length=1)
    cycle_count: int | None = Field(default=None, ge=1, le=_MOST_STEPS)

    @model_validator(mode="after")
    def _whole(self) -> Step:
        taken = _TAKEN[self.step]
        given = [name for name in type(self).model_fields if name != "step" and self._has(name)]
        found: list[tuple[Sequence[str | int], str]] = [
            ((name,), f"does not belong to {self.step}, which takes {', '.join(taken)}")
            for name in given
            if name not in taken
        ]
        found += [
            ((), f"{self.step} needs {' or '.join(names)}")
            for names in _ONE_OF[self.step]
            if not any(map(self._has, names))
        ]
        if self.rate_C is not None and self.current_mA is not None:
            found.append((("current_mA",), "is one too many: rate_C gives the current already"))
        for name in ("rate_C", "current_mA"):
            if getattr(self, name) == 0:
                found.append(((name,), "is 0: write open_circuit_voltage for a rest"))
        if found:
            raise mistakes_at(found)
        return self

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None

    def current_A(self, capacity_Ah: float) -> float:
        """The current of "constant_current"; positive charges."""
        if self.rate_C is not None:
            return self.rate_C * capacity_Ah
        return 1e-3 * (self.current_mA or 0.0)

    def least_A(self, capacity_Ah: float) -> float:
        """The current at which "constant_voltage" ends; 0 where time alone ends it."""
        ends = [1e-3 * (self.until_current_mA or 0.0), (self.until_rate_C or 0.0) * capacity_Ah]
        return max(ends)

    def words(self) -> str:
        """The step in a few words."""
        how = [
            f"{name} {getattr(self, name):g}" for name in _TAKEN[self.step] if self._number(name)
        ]
        return " ".join([self.step, *how])

    def _number(self, name: str) -> bool:
        return isinstance(getattr(self, name), (int, float))


@dataclass(frozen=True)
class Executed:
    """A step as it is executed: where it stands in the protocol, and which tags came before it."""

    number: int
    step: Step
    tags: frozenset[str]


def loop_mistakes(steps: Sequence[Step]) -> list[tuple[tuple[str | int, ...], str]]:
    """Loops to where there is nothing, or of more steps than anybody waits for."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    tags: list[str] = []
    for number, step in enumerate(steps):
        if step.tag is not None and step.tag in tags:
            found.append(((number, "tag"), f"'{step.tag}' is set twice"))
        if step.tag is not None:
            tags.append(step.tag)
        if step.loop_to is not None and step.loop_to not in tags:
            known = f"tags before it: {', '.join(tags)}" if tags else "no tag stands before it"
            found.append(((number, "loop_to"), f"there is no tag '{step.loop_to}'; {known}"))
    if not found and _length(steps) > _MOST_STEPS:
        found.append(((), f"has more than {_MOST_STEPS} steps with its loops; loop less often"))
    return found


def _length(steps: Sequence[Step]) -> int:
    lengths: list[int] = []
    at: dict[str | None, int] = {}
    for step in steps:
        if step.tag is not None:
            at[step.tag] = len(lengths)
        again = sum(lengths[at[step.loop_to] :]) if step.loop_to in at else 0
        lengths.append(1 + again * ((step.cycle_count or 1) - 1))
    return sum(lengths)


def executed(steps: Sequence[Step]) -> Iterator[Executed]:
    """The steps in the order in which the cycler comes to them, loops run through."""
    at = {step.tag: number for number, step in enumerate(steps) if step.tag is not None}
    left: dict[int, int] = {}
    tags: set[str] = set()
    number = 0
    while number < len(steps):
        step = steps[number]
        if step.tag is not None:
            tags.add(step.tag)
        elif step.loop_to is not None:
            left[number] = left.get(number, step.cycle_count or 1) - 1
            if left[number] > 0:
                number = at[step.loop_to]
                continue
            del left[number]
        else:
            yield Executed(number, step, frozenset(tags))
        number += 1
