"""What the virtual beamline is told before it starts."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, Field

from voltomo.runtime.run_folder import RunFolder
from voltomo.twin.beam_answer import AnswerSettings
from voltomo.twin.camera_settings import CameraSettings
from voltomo.twin.cell_settings import CellSettings
from voltomo.twin.stage_errors import StageErrorSettings


class TwinSettings(BaseModel):
    """Section ``twin`` of the run folder's settings.

    Parameters
    ----------
    seed : int
        Of everything random.
    prefix : str
        First part of every PV's name.
    energy_keV : float
        Photon energy at the start.
    flux_per_cm2_s : float
        Photons/s/cm² at the sample with the shutter open, the attenuator out and the full ring
        current.
    monitor_counts_per_flux : float
        Monitor counts/s for one photon/s/cm².
    monitor_noise : float
        Relative scatter of the monitor's readings.
    ring_current_mA : float
        Ring current at the start.
    ring_lifetime_h : float
        Time in which it falls to 1/e.
    top_up_period_s : float or None
        The ring is filled up again this often; never if none.
    top_up_kick_um : float
        How far the beam stands aside while the ring is filled.
    beam_wander_um : float
        How far the beam wanders to and fro within some minutes.
    stale_s : float
        The shutter closes when its enable counter has not changed for so long.
    travel_s : float
        Time of the shutter's blade from end to end.
    camera : CameraSettings
        Detector, optics and sample.
    answer : AnswerSettings
        How strongly the cell answers to the beam; off if not given.
    errors : StageErrorSettings
        What stages and sample do that nobody asked them for.
    cell : CellSettings or None
        A cell on a cycler; none if not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=1, ge=0)
    prefix: str = "VT:"
    energy_keV: float = Field(default=20.0, ge=8, le=60)
    flux_per_cm2_s: float = Field(default=1e11, gt=0)
    monitor_counts_per_flux: float = Field(default=1e-5, gt=0)
    monitor_noise: float = Field(default=0.002, ge=0, le=0.1)
    ring_current_mA: float = Field(default=200.0, gt=0)
    ring_lifetime_h: float = Field(default=10.0, gt=0)
    top_up_period_s: float | None = Field(default=None, ge=5)
    top_up_kick_um: float = 0.0
    beam_wander_um: float = Field(default=0.0, ge=0)
    stale_s: float = Field(default=0.5, ge=0.1, le=5)
    travel_s: float = Field(default=0.015, gt=0, le=1)
    camera: CameraSettings = CameraSettings()
    answer: AnswerSettings = AnswerSettings()
    errors: StageErrorSettings = StageErrorSettings()
    cell: CellSettings | None = None

    @classmethod
    def load(cls, folder: RunFolder) -> TwinSettings:
        """Settings of a run; the defaults where the run folder has none."""
        if not folder.settings.exists():
            return cls()
        return cls.model_validate(json.loads(folder.settings.read_text()).get("twin", {}))
