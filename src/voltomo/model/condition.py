"""When a scan is due: a state of the cell, reached in a direction."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.model.cell_reading import CellReading

Quantity = Literal[
    "soc", "voltage_V", "charge_Ah", "time_s", "step", "cycle", "temperature_C", "dV_dt_V_per_s"
]
Direction = Literal["rising", "falling"]
Once = Literal["ever", "half_cycle", "crossing"]

HYSTERESIS: dict[Quantity, float] = {
    "soc": 1e-3,
    "voltage_V": 5e-3,
    "charge_Ah": 0.0,
    "time_s": 0.0,
    "step": 0.0,
    "cycle": 0.0,
    "temperature_C": 0.2,
    "dV_dt_V_per_s": 0.0,
}
"""How far a quantity goes back before it can be crossed again, unless a condition says so."""


class Condition(BaseModel):
    """A value that a quantity of the cell passes.

    Parameters
    ----------
    quantity : str
        What is watched, with its unit: ``soc`` as a fraction, ``voltage_V``, ``charge_Ah`` (net),
        ``time_s`` since the protocol began, ``step`` and ``cycle`` from 0, ``temperature_C``,
        ``dV_dt_V_per_s``.
    at : float
        The value.
    direction : {"rising", "falling"}
        Which way it is passed.
    hysteresis : float, optional
        The condition is armed once the quantity lies this far before the value; `HYSTERESIS` if
        not given. Choose it above the noise of what is read.
    smooth_s : float
        Readings of this span are drawn to a line, whose end is compared; 0 takes each reading as
        it is. For voltages that are noisy.
    debounce : int
        So many readings in a row must have passed the value.
    once : {"ever", "half_cycle", "crossing"}
        Fire once at all, once while the cell is charged and once while it is discharged, or at
        each crossing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantity: Quantity
    at: float = Field(allow_inf_nan=False)
    direction: Direction = "rising"
    hysteresis: float | None = Field(default=None, ge=0)
    smooth_s: float = Field(default=0.0, ge=0, le=3600)
    debounce: int = Field(default=1, ge=1, le=100)
    once: Once = "half_cycle"

    @model_validator(mode="after")
    def _possible(self) -> Condition:
        if self.quantity == "soc" and not -0.05 <= self.at <= 1.05:
            raise ValueError(
                f"expected a state of charge as a fraction between 0 and 1, saw {self.at:g}; "
                "write 0.5 for 50 %"
            )
        counted = self.quantity in ("time_s", "step", "cycle")
        if counted and self.direction == "falling":
            raise ValueError(f"{self.quantity} only rises; leave 'falling' out")
        if counted and self.at < 0:
            raise ValueError(f"expected {self.quantity} of at least 0, saw {self.at:g}")
        return self

    @property
    def sign(self) -> float:
        """1 for rising, −1 for falling."""
        return 1.0 if self.direction == "rising" else -1.0

    @property
    def width(self) -> float:
        """The hysteresis that holds."""
        return HYSTERESIS[self.quantity] if self.hysteresis is None else self.hysteresis

    def value(self, reading: CellReading, began_s: float) -> float:
        """The quantity in a reading; NaN where the reading has none, or only a rate has it."""
        if self.quantity == "time_s":
            return reading.time_s - began_s
        if self.quantity == "dV_dt_V_per_s":
            return math.nan
        return float(getattr(reading, self.quantity))
