"""What stages and sample do that nobody asked for: run-out, wobble, drift, wrong zeros."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

_HARMONICS = (1, 2, 3, 5, 8)


class StageErrorSettings(BaseModel):
    """Section ``twin.errors``: all zero, unless something is to go wrong.

    Parameters
    ----------
    runout_um : float
        How far the axis moves sideways within a turn, at most; the same in every turn.
    lift_um : float
        How far it moves up and down.
    wobble_deg : float
        By how much the axis leans towards a direction that turns with the stage.
    drift_x_um_per_h, drift_z_um_per_h : float
        How fast the sample creeps.
    tilt_zero_deg : float
        Lean of the axis towards the source when the tilt stage says 0 (pitch).
    roll_zero_deg : float
        Lean of the axis in the detector's plane when the camera's roll says 0.
    focus_zero_mm : float
        Place of the camera's focus at which the image is sharp.
    axis_zero_mm : float
        How far the axis stands from the camera's ``axis_column`` when sample_x says 0.
    mount_x_um, mount_y_um : float
        How far the sample is mounted from the axis; it turns with the stage.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    runout_um: float = Field(default=0.0, ge=0)
    lift_um: float = Field(default=0.0, ge=0)
    wobble_deg: float = Field(default=0.0, ge=0, le=5)
    drift_x_um_per_h: float = 0.0
    drift_z_um_per_h: float = 0.0
    tilt_zero_deg: float = Field(default=0.0, ge=-10, le=10)
    roll_zero_deg: float = Field(default=0.0, ge=-10, le=10)
    focus_zero_mm: float = 0.0
    axis_zero_mm: float = 0.0
    mount_x_um: float = 0.0
    mount_y_um: float = 0.0


@dataclass(frozen=True)
class StageError:
    """Displacement of axis and sample over the detector (mm), further lean of the axis (deg).

    ``mount_across_mm`` and ``mount_along_mm`` are where the sample's own middle is, across the
    beam and along it, at the angle of the stage.
    """

    x_mm: float = 0.0
    z_mm: float = 0.0
    tilt_deg: float = 0.0
    roll_deg: float = 0.0
    mount_across_mm: float = 0.0
    mount_along_mm: float = 0.0


class StageErrors:
    """The errors of one stage: the same from the same seed.

    Parameters
    ----------
    settings : StageErrorSettings
    seed : int
    """

    def __init__(self, settings: StageErrorSettings, seed: int) -> None:
        self.settings = settings
        random = np.random.default_rng((seed, 0x0BB1E))
        self._runout = _Waves(random)
        self._lift = _Waves(random)
        self._direction = float(random.uniform(0, 360))

    def at(self, angle_deg: float, time_s: float) -> StageError:
        """Error at a stage angle and a world time."""
        own, hours = self.settings, time_s / 3600
        towards, turn = math.radians(angle_deg + self._direction), math.radians(angle_deg)
        cos, sin = math.cos(turn), math.sin(turn)
        runout_um = own.runout_um * self._runout.at(angle_deg)
        return StageError(
            own.axis_zero_mm + 1e-3 * (runout_um + own.drift_x_um_per_h * hours),
            1e-3 * (own.lift_um * self._lift.at(angle_deg) + own.drift_z_um_per_h * hours),
            own.tilt_zero_deg + own.wobble_deg * math.cos(towards),
            own.roll_zero_deg + own.wobble_deg * math.sin(towards),
            1e-3 * (own.mount_x_um * cos + own.mount_y_um * sin),
            1e-3 * (own.mount_y_um * cos - own.mount_x_um * sin),
        )


class _Waves:
    """A smooth function of the angle with a period of a turn and a largest magnitude of 1."""

    def __init__(self, random: np.random.Generator) -> None:
        self._waves = np.array(_HARMONICS)
        self._sizes = random.normal(0, 1, self._waves.size) / self._waves
        self._phases = random.uniform(0, 2 * np.pi, self._waves.size)
        turn = np.linspace(0, 2 * np.pi, 721)[:, None] * self._waves
        self._sizes /= np.abs(np.cos(turn + self._phases) @ self._sizes).max()

    def at(self, angle_deg: float) -> float:
        """Value at an angle."""
        turn = math.radians(angle_deg) * self._waves + self._phases
        return float(np.cos(turn) @ self._sizes)
