"""The experiment file: sample, cell, protocol, surroundings, scans and bounds, in one place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from voltomo.experiment.cell import CyclingCell
from voltomo.experiment.protocol import Step, loop_mistakes
from voltomo.experiment.protocol_limits import beyond_limits
from voltomo.experiment.scan_entry import ScanEntry
from voltomo.experiment.surroundings import Answer, Bounds, Environment, Mark
from voltomo.model.names import SafeName
from voltomo.runtime.yaml_file import load_yaml, mistakes_at

_Kept = TypeVar("_Kept")
_Found = list[tuple[Sequence[str | int], str]]


class ExperimentFile(BaseModel):
    """One experiment, before it is run.

    Parameters
    ----------
    sample : SafeName
        Whose ledger pays; all scan files must name it.
    plan_file : Path
        Plan file beside this one: layers, beam, detector, feature, policy and what the sample has
        received. Its scan is not used.
    cell : CyclingCell
        What the cycler holds.
    protocol : list of Step
        What the cycler does.
    environment : Environment
        Temperatures.
    marks : list of Mark
        Known places in the sample.
    scans : list of ScanEntry
        What is scanned, and when.
    answers : list of Answer
        What beam and cell each do when something happens; one for each cause.
    bounds : Bounds
        What the whole may cost.
    between_s : float
        Time that every scan takes beside its frames: moves, checks, files.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    sample: SafeName
    plan_file: Path
    cell: CyclingCell
    protocol: tuple[Step, ...] = Field(min_length=1)
    environment: Environment = Environment()
    marks: tuple[Mark, ...] = ()
    scans: tuple[ScanEntry, ...] = Field(min_length=1)
    answers: tuple[Answer, ...] = ()
    bounds: Bounds = Bounds()
    between_s: float = Field(default=30.0, ge=0)

    @field_validator("protocol")
    @classmethod
    def _cell_can_do_it(cls, steps: tuple[Step, ...], info: ValidationInfo) -> tuple[Step, ...]:
        found: _Found = list(loop_mistakes(steps))
        if (cell := info.data.get("cell")) is not None:
            found += beyond_limits(cell, steps)
        return _unless(found, steps)

    @field_validator("environment")
    @classmethod
    def _cell_bears_it(cls, environment: Environment, info: ValidationInfo) -> Environment:
        cell: CyclingCell | None = info.data.get("cell")
        if cell is None:
            return environment
        asked: list[tuple[tuple[str | int, ...], float]] = [
            (("temperature_C",), environment.temperature_C)
        ]
        for number, change in enumerate(environment.changes):
            asked.append((("changes", number, "temperature_C"), change.temperature_C))
        low, high = cell.min_temperature_C, cell.max_temperature_C
        found: _Found = [
            (place, f"{value:g} °C lies outside the cell's limits, {low:g} to {high:g} °C")
            for place, value in asked
            if not low <= value <= high
        ]
        if "protocol" in info.data:
            tags = [step.tag for step in info.data["protocol"] if step.tag is not None]
            found += [
                (
                    ("changes", number, "tag"),
                    f"the protocol has no tag '{change.tag}'; {_guess(change.tag, tags)}",
                )
                for number, change in enumerate(environment.changes)
                if change.tag not in tags
            ]
        return _unless(found, environment)

    @field_validator("marks")
    @classmethod
    def _marks_differ(cls, marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
        return _unless(_twice((mark.name for mark in marks), "name"), marks)

    @field_validator("scans")
    @classmethod
    def _scans_fit(
        cls, scans: tuple[ScanEntry, ...], info: ValidationInfo
    ) -> tuple[ScanEntry, ...]:
        found = _twice((scan.name for scan in scans), "name")
        if "marks" in info.data:
            known = [mark.name for mark in info.data["marks"]]
            for number, scan in enumerate(scans):
                found += [
                    ((number, "marks", at), f"there is no mark '{name}'; {_guess(name, known)}")
                    for at, name in enumerate(scan.marks)
                    if name not in known
                ]
        return _unless(found, scans)

    @field_validator("answers")
    @classmethod
    def _one_answer(cls, answers: tuple[Answer, ...]) -> tuple[Answer, ...]:
        return _unless(_twice((answer.cause for answer in answers), "cause"), answers)


def _unless(found: _Found, value: _Kept) -> _Kept:
    if found:
        raise mistakes_at(found)
    return value


def _twice(names: Iterable[str], key: str) -> _Found:
    seen: set[str] = set()
    found: _Found = []
    for number, name in enumerate(names):
        if name in seen:
            found.append(((number, key), f"'{name}' is given twice"))
        seen.add(name)
    return found


def _guess(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    return f"known: {', '.join(known)}" if known else "none is given"


def load_experiment(path: Path) -> ExperimentFile:
    """Read an experiment file; the files that it names are not opened yet.

    Raises
    ------
    FileRefused
        With file, line and caret for each mistake.
    """
    return load_yaml(path, ExperimentFile)
