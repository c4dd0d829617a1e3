"""Windows that a cell must stay in, whatever its protocol says. Pure."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.model.cell_reading import CellReading


class CellLimits(BaseModel):
    """Limits of a cell. A current that charges is positive; both currents are given as sizes.

    Parameters
    ----------
    min_voltage_V, max_voltage_V : float
        At the terminals.
    max_charge_current_A, max_discharge_current_A : float
        Greatest size of the current, either way.
    min_temperature_C, max_temperature_C : float
        Of the cell.
    max_charge_Ah : float
        Greatest size of the net charge since the protocol began, either way.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    min_voltage_V: float
    max_voltage_V: float
    max_charge_current_A: float = Field(ge=0)
    max_discharge_current_A: float = Field(ge=0)
    min_temperature_C: float = -20.0
    max_temperature_C: float = 60.0
    max_charge_Ah: float = Field(gt=0)

    @model_validator(mode="after")
    def _are_windows(self) -> CellLimits:
        for what in ("voltage_V", "temperature_C"):
            low, high = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            if not low < high:
                raise ValueError(
                    f"expected min_{what} below max_{what}, saw {low:g} and {high:g}; nothing lies "
                    "between them"
                )
        return self

    def tightened(self, other: CellLimits) -> CellLimits:
        """Limits that hold where both must hold.

        Raises
        ------
        ValueError
            Nothing lies within both.
        """
        return CellLimits(
            **{
                name: (max if name.startswith("min_") else min)(
                    getattr(self, name), getattr(other, name)
                )
                for name in CellLimits.model_fields
            }
        )

    def breach(self, reading: CellReading, tolerance: float = 1e-4) -> str | None:
        """What a reading breaks, as expected and seen; None where all is within.

        Parameters
        ----------
        reading : CellReading
            A temperature that is NaN (no sensor) is not judged; any other NaN is a breach.
        tolerance : float
            Relative to each limit: a cell held at its limit is within.
        """
        seen = (
            ("voltage", reading.voltage_V, self.min_voltage_V, self.max_voltage_V, "V"),
            (
                "current",
                reading.current_A,
                -self.max_discharge_current_A,
                self.max_charge_current_A,
                "A",
            ),
            (
                "temperature",
                reading.temperature_C,
                self.min_temperature_C,
                self.max_temperature_C,
                "°C",
            ),
            ("net charge", reading.charge_Ah, -self.max_charge_Ah, self.max_charge_Ah, "Ah"),
        )
        for name, value, low, high, unit in seen:
            if name == "temperature" and math.isnan(value):
                continue
            within = low - tolerance * abs(low) <= value <= high + tolerance * abs(high)
            if not within:
                return f"expected a {name} of {low:g} to {high:g} {unit}, saw {value:.5g} {unit}"
        return None
