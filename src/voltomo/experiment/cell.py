"""The cell of an experiment: how much it holds, how far it may go, what its voltage tells."""

from __future__ import annotations

from itertools import pairwise

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.runtime.yaml_file import mistake_at

_USUAL_DROP_V = 0.05
"""What a current of 1C costs in voltage where the file gives no resistance."""


class CyclingCell(BaseModel):
    """What the cycler holds; its layers stand in the plan file, for the dose.

    Parameters
    ----------
    chemistry : str
        In words, for the record.
    capacity_Ah : float
        Charge between empty and full.
    soc : float
        State of charge when the protocol begins, as a fraction.
    min_V, max_V : float
        Limits of the cell.
    max_current_mA : float
        Limit of the current, either way.
    min_temperature_C, max_temperature_C : float
        Limits of its temperature.
    resistance_ohm : float or None
        By which the voltage differs from that at rest; 50 mV at 1C if not given.
    ocv_soc, ocv_V : list of float
        Voltage at rest over state of charge, both rising. Without them no voltage can be foreseen:
        a straight line between the limits stands in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    chemistry: str = ""
    capacity_Ah: float = Field(gt=0)
    soc: float = Field(default=0.0, ge=0, le=1)
    min_V: float = Field(gt=0)
    max_V: float = Field(gt=0)
    max_current_mA: float = Field(gt=0)
    min_temperature_C: float = Field(default=0.0, ge=-200, le=600)
    max_temperature_C: float = Field(default=60.0, ge=-200, le=600)
    resistance_ohm: float | None = Field(default=None, gt=0)
    ocv_soc: tuple[float, ...] = ()
    ocv_V: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> CyclingCell:
        if self.min_V >= self.max_V:
            raise mistake_at(
                ["max_V"], f"must lie above min_V ({self.min_V:g} V); it says {self.max_V:g}"
            )
        if self.min_temperature_C >= self.max_temperature_C:
            raise mistake_at(["max_temperature_C"], "must lie above min_temperature_C")
        if len(self.ocv_soc) != len(self.ocv_V) or len(self.ocv_V) == 1:
            raise mistake_at(
                ["ocv_V"],
                f"needs a voltage for each state of charge, and two at least: there are "
                f"{len(self.ocv_V)} voltages and {len(self.ocv_soc)} states",
            )
        for name, values in (("ocv_soc", self.ocv_soc), ("ocv_V", self.ocv_V)):
            if any(b <= a for a, b in pairwise(values)):
                raise mistake_at([name], "must rise from each value to the next")
        return self

    @property
    def knows_voltage(self) -> bool:
        """Whether the file gives voltages at rest."""
        return bool(self.ocv_V)

    @property
    def rest_table(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """States of charge and voltages at rest; a straight line where none are given."""
        if self.knows_voltage:
            return self.ocv_soc, self.ocv_V
        return (0.0, 1.0), (self.min_V, self.max_V)

    @property
    def ohm(self) -> float:
        """The resistance that holds."""
        return self.resistance_ohm or _USUAL_DROP_V / self.capacity_Ah
