"""A scan of an experiment: what, when, and what the cell does meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.model.condition import Condition
from voltomo.model.names import SafeName
from voltomo.runtime.yaml_file import mistakes_at


class Freeze(BaseModel):
    """The cell is held while it is scanned.

    Parameters
    ----------
    hold : {"ocv", "cv", "zero"}
        Circuit open, voltage held, or a current of zero.
    longest_s : float
        The cycler lets go after this, whatever the scan does.
    then : {"go_on", "stop"}
        What the cycler does after a hold that was too long.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    hold: Literal["ocv", "cv", "zero"] = "ocv"
    longest_s: float = Field(gt=0)
    then: Literal["go_on", "stop"] = "go_on"


class Flow(BaseModel):
    """The cell goes on while it is scanned; the middle of the scan falls on the condition.

    Parameters
    ----------
    most_delta_soc : float
        How far the state of charge may move during a scan, as a fraction.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    most_delta_soc: float = Field(gt=0, le=1)


class ScanEntry(BaseModel):
    """One kind of scan, and when it is due.

    Parameters
    ----------
    name : SafeName
        What it is called.
    scan_file : Path
        Its scan file, beside this one.
    when : list of Condition
        It is due whenever one of them comes true.
    freeze : Freeze or None
        The cell is held; either this or ``flow``.
    flow : Flow or None
        The cell goes on.
    priority : int
        Of two that are due at once, the higher goes first.
    most : int or None
        Greatest number of times; all that come due if not given.
    marks : list of SafeName
        Known places, each scanned every time; where the sample stands if empty.
    mounting : {"upright", "flat"} or None
        How the rotation axis lies to flat layers, where it differs from the plan file's.
    resolution_um : float or None
        What is to be resolved.
    snr : float or None
        Signal to noise that the plan file's feature shall have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    name: SafeName
    scan_file: Path
    when: tuple[Condition, ...] = Field(min_length=1)
    freeze: Freeze | None = None
    flow: Flow | None = None
    priority: int = 0
    most: int | None = Field(default=None, ge=1)
    marks: tuple[SafeName, ...] = ()
    mounting: Literal["upright", "flat"] | None = None
    resolution_um: float | None = Field(default=None, gt=0)
    snr: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> ScanEntry:
        found: list[tuple[Sequence[str | int], str]] = []
        if self.freeze is None and self.flow is None:
            found.append(((), "needs 'freeze' (the cell is held) or 'flow' (it goes on)"))
        if self.freeze is not None and self.flow is not None:
            found.append((("flow",), "'freeze' stands there as well: which one holds?"))
        if found:
            raise mistakes_at(found)
        return self

    @property
    def places(self) -> int:
        """How many scans one time point takes."""
        return max(len(self.marks), 1)
