"""What the virtual cell and its cycler are told before they start."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from voltomo.model.cell_cycler import SafeState
from voltomo.model.cell_limits import CellLimits
from voltomo.twin.cell_model import LFP, NMC811, CellParameters


class CellSettings(BaseModel):
    """Group ``cell`` of the section ``twin``; without it there is no cycler.

    Parameters
    ----------
    chemistry : {"NMC811", "LFP"}
        Of the positive electrode, against graphite.
    capacity_Ah : float
        Charge between empty and full.
    soc : float
        State of charge at the start, a fraction.
    ambient_C : float
        Temperature of the surroundings.
    acceleration : float
        Seconds of the cell for one second of the clock.
    poll_s : float
        How often the cycler measures, by the clock.
    clock_offset_s : float
        The cycler's clock minus UTC.
    voltage_noise_V : float
        Scatter of its voltages; its limits act on what is true.
    limits : CellLimits or None
        The instrument's own; those of the chemistry, 2C and 1.5 times the capacity if not given.
    safe_state : {"ocv", "zero"}
        How it leaves the cell when it stops or trips.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chemistry: Literal["NMC811", "LFP"] = "NMC811"
    capacity_Ah: float = Field(default=0.005, gt=0)
    soc: float = Field(default=0.1, ge=0, le=1)
    ambient_C: float = Field(default=25.0, ge=-60, le=100)
    acceleration: float = Field(default=1.0, gt=0, le=1000)
    poll_s: float = Field(default=0.5, ge=0.1, le=60)
    clock_offset_s: float = 1.7
    voltage_noise_V: float = Field(default=2e-4, ge=0)
    limits: CellLimits | None = None
    safe_state: SafeState = "ocv"

    @property
    def parameters(self) -> CellParameters:
        """What the cell is made of; its resistances fall as its capacity grows."""
        known = {"NMC811": NMC811, "LFP": LFP}[self.chemistry]
        larger = self.capacity_Ah / known.capacity_Ah
        return replace(
            known,
            capacity_Ah=self.capacity_Ah,
            series_ohm=known.series_ohm / larger,
            transfer_ohm=known.transfer_ohm / larger,
            heat_J_per_K=known.heat_J_per_K * larger,
            cooling_W_per_K=known.cooling_W_per_K * larger,
        )

    @property
    def own_limits(self) -> CellLimits:
        """Limits of the instrument."""
        cell = self.parameters
        return self.limits or CellLimits(
            min_voltage_V=cell.min_V,
            max_voltage_V=cell.max_V,
            max_charge_current_A=2 * self.capacity_Ah,
            max_discharge_current_A=2 * self.capacity_Ah,
            max_charge_Ah=1.5 * self.capacity_Ah,
        )
