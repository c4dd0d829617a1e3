"""How warm the beam makes each sample while it is on: what the guard warns of and trips on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, model_validator

from voltomo.dose.heating import HOLD_K, WARN_K, Plate

__all__ = ["HeatPath", "HeatWatch"]


class HeatPath(BaseModel):
    """How heat leaves the part of a sample that is in the beam.

    Parameters
    ----------
    conductance_W_K : float
        In the plane of the cell: conductivity times thickness, of all layers side by side.
    areal_heat_J_per_m2_K : float
        Heat capacity of all layers for each square metre.
    beam_radius_mm : float
        Of a disc as large as the beam.
    rim_mm : float
        Distance from the beam's middle at which the temperature is held.
    power_per_flux_W_cm2_s : float
        Power that the cell takes out of the beam, for one photon/(cm2 s).
    warn_K, hold_K : float
        Rise that is warned of, and rise at which the beam is taken away.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    conductance_W_K: float = Field(gt=0)
    areal_heat_J_per_m2_K: float = Field(gt=0)
    beam_radius_mm: float = Field(gt=0)
    rim_mm: float = Field(gt=0)
    power_per_flux_W_cm2_s: float = Field(gt=0)
    warn_K: float = Field(default=WARN_K, gt=0)
    hold_K: float = Field(default=HOLD_K, gt=0)

    @model_validator(mode="after")
    def _is_a_plate(self) -> HeatPath:
        self.plate()
        if self.warn_K > self.hold_K:
            raise ValueError("warn_K must not lie above hold_K")
        return self

    def plate(self) -> Plate:
        """The sheet with its two nodes."""
        return Plate(
            self.conductance_W_K,
            self.areal_heat_J_per_m2_K,
            self.beam_radius_mm * 1e-3,
            self.rim_mm * 1e-3,
        )


class HeatWatch:
    """Rise of one sample's temperature in the beam, as a bound, step by step.

    Parameters
    ----------
    sample : str
        Whose.
    path : HeatPath
        How heat leaves it.
    """

    def __init__(self, sample: str, path: HeatPath) -> None:
        self.path = path
        self._sample = sample
        self._plate = path.plate()
        self._rises_K = (0.0, 0.0)
        self._at_s: float | None = None

    @property
    def rise_K(self) -> float:
        """In the middle of the beam, now."""
        return self._rises_K[0]

    def start_warm(self, flux_per_cm2_s: float) -> None:
        """Begin as warm as the sample may be after beam that nobody watched."""
        steady_K = self._plate.steady_K(self._power_W(flux_per_cm2_s))
        warm_K = min(steady_K, self.path.hold_K)
        self._rises_K = (warm_K, warm_K)

    def step(self, flux_per_cm2_s: float, now_s: float) -> None:
        """Time goes on with so much flux on the sample, 0 with the shutter closed."""
        before_s, self._at_s = self._at_s, now_s
        if before_s is not None and now_s > before_s:
            power_W = self._power_W(flux_per_cm2_s)
            self._rises_K = self._plate.step(self._rises_K, power_W, now_s - before_s)

    def after(self, flux_per_cm2_s: float, seconds: float) -> float:
        """Rise that it would have after so long at this flux."""
        return self._plate.step(self._rises_K, self._power_W(flux_per_cm2_s), seconds)[0]

    def trip(self, flux_per_cm2_s: float, early_s: float) -> str:
        """Why the beam must go off now, so long before it gets too warm; empty while it may not."""
        if self.after(flux_per_cm2_s, early_s) < self.path.hold_K:
            return ""
        return (
            f"the beam warms '{self._sample}' by {self.rise_K:.2f} K, and at most "
            f"{self.path.hold_K:g} K are allowed: attenuate the beam, or let it cool"
        )

    def refusal(self, flux_per_cm2_s: float, seconds: float) -> str:
        """Why so much beam is not given, and what would fit; empty where it fits."""
        rise_K = self.after(flux_per_cm2_s, seconds)
        if rise_K < self.path.hold_K:
            return ""
        own_K = self.after(0.0, seconds)
        part = max((self.path.hold_K - own_K) / (rise_K - own_K), 0.0)
        return (
            f"{seconds:.4g} s of beam would warm '{self._sample}' by {rise_K:.3g} K, and at most "
            f"{self.path.hold_K:g} K are allowed: attenuate the beam to {100 * part:.2g} %, or "
            "take less at a time"
        )

    @property
    def warning(self) -> str:
        """What to say of a sample that is warm; empty while it is not."""
        if self.rise_K < self.path.warn_K:
            return ""
        return f"the beam warms '{self._sample}' by {self.rise_K:.2f} K"

    def _power_W(self, flux_per_cm2_s: float) -> float:
        return flux_per_cm2_s * self.path.power_per_flux_W_cm2_s
