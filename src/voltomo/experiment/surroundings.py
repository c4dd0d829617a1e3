"""Temperatures of an experiment, known defects, and what answers to what."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from voltomo.model.names import SafeName

_CONFIG = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

Cause = Literal[
    "beam_lost",
    "dose_limit",
    "scan_failed",
    "cycler_fault",
    "cell_limit",
    "stale_cell_data",
    "temperature_excursion",
    "gas_seen",
    "disk_full",
]


class TemperatureFrom(BaseModel):
    """A temperature that holds from a place in the protocol on.

    Parameters
    ----------
    tag : str
        A tag of the protocol; the chamber begins to move when it is first passed.
    temperature_C : float
        Where it goes.
    """

    model_config = _CONFIG

    tag: str
    temperature_C: float


class Environment(BaseModel):
    """What surrounds the cell.

    Parameters
    ----------
    temperature_C : float
        At the beginning.
    ramp_K_per_min : float
        How fast the chamber moves.
    changes : list of TemperatureFrom
        Further temperatures.
    """

    model_config = _CONFIG

    temperature_C: float = 25.0
    ramp_K_per_min: float = Field(default=2.0, gt=0)
    changes: tuple[TemperatureFrom, ...] = ()

    def wanted_C(self, tags: frozenset[str]) -> float:
        """Where the chamber is to be once these tags have been passed; the last change wins."""
        passed = [each.temperature_C for each in self.changes if each.tag in tags]
        return passed[-1] if passed else self.temperature_C


class Mark(BaseModel):
    """A known place in the sample that scans come back to.

    Parameters
    ----------
    name : SafeName
        How scans call it.
    x_mm, y_mm, z_mm : float
        Where it lies from where the sample stands; z is along the rotation axis.
    about : str
        What is there.
    """

    model_config = _CONFIG

    name: SafeName
    x_mm: float = 0.0
    y_mm: float = 0.0
    z_mm: float = 0.0
    about: str = ""


class Answer(BaseModel):
    """A cause, and what beam and cell each do about it.

    Parameters
    ----------
    cause : str
        What happened.
    beam : {"go_on", "end_scan", "no_more_scans"}
        What becomes of the scans; the guard shuts the beam on its own, whatever stands here.
    cell : {"go_on", "hold", "stop"}
        What becomes of the protocol.
    """

    model_config = _CONFIG

    cause: Cause
    beam: Literal["go_on", "end_scan", "no_more_scans"]
    cell: Literal["go_on", "hold", "stop"]


class Bounds(BaseModel):
    """What the whole experiment may cost.

    Parameters
    ----------
    time_h : float or None
        From beginning to end, holds included.
    data_GB : float or None
        Frames of all scans.
    dose_Gy : dict
        By class of material, at the hottest point; below what the policy allows, if at all.
    """

    model_config = _CONFIG

    time_h: float | None = Field(default=None, gt=0)
    data_GB: float | None = Field(default=None, gt=0)
    dose_Gy: dict[str, float] = {}
