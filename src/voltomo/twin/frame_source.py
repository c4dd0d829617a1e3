"""What the camera exposes: the seam between its engine and phantom, replay or prepared frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.rolling import RollingShutter, RowShares
from voltomo.twin.stage_errors import StageErrors
from voltomo.twin.standing import STILL, Standing, lit_part, look
from voltomo.twin.world import World

_SAMPLES = 65


@dataclass(frozen=True)
class Exposure:
    """One exposure, as the world had it.

    Attributes
    ----------
    number : int
        Running number of the trigger in this world; seeds the noise.
    start_s, end_s : float
        World time.
    angles_deg, weights : arrays, shape (n,)
        Angles within the exposure and the share of the fluence at each; no share is left where
        no beam came.
    fluence_per_cm2 : float
        Photons through the shutter, at the sample.
    open_part : float
        Mean opening of the shutter.
    mid_angle_deg : float
        At mid-exposure.
    sample_x_mm, sample_z_mm : float
        Of the stage below the rotation, at mid-exposure.
    energy_keV : float
        NaN where the beam is not known.
    standing : Standing
        Of all else at mid-exposure.
    rows : RowShares or None
        Of a rolling shutter, whose rows have their own shares and fluences.
    lit_part : float
        Part of the field that the slits leave in the beam.
    gas_mm3 : float
        Free gas in the cell.
    """

    number: int
    start_s: float
    end_s: float
    angles_deg: NDArray[np.float64]
    weights: NDArray[np.float64]
    fluence_per_cm2: float
    open_part: float
    mid_angle_deg: float
    sample_x_mm: float
    sample_z_mm: float
    energy_keV: float
    standing: Standing = STILL
    rows: RowShares | None = None
    lit_part: float = 1.0
    gas_mm3: float = 0.0


@dataclass(frozen=True)
class Sight:
    """What an exposure depends on beside the world: errors of the stage, detector and shutter."""

    errors: StageErrors
    rows: int
    columns: int
    pixel_um: float
    row_delay_s: float = 0.0

    @property
    def rolling(self) -> RollingShutter | None:
        """The shutter, if it is a rolling one."""
        return RollingShutter(self.rows, self.row_delay_s) if self.row_delay_s else None

    @property
    def read_out_s(self) -> float:
        """How much later the last row is exposed than the first."""
        return (self.rows - 1) * self.row_delay_s


class Unrecorded(Exception):
    """The source has no frame for this exposure: the camera misses the trigger."""


class FrameSource(Protocol):
    """Makes the frames of a camera."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, columns."""
        ...

    def frame(self, exposure: Exposure) -> NDArray[np.uint16]:
        """The frame of an exposure, shape (rows, columns); the caller must not change it.

        Raises
        ------
        Unrecorded
            There is none.
        """
        ...


def _known(value: float, otherwise: float) -> float:
    return value if np.isfinite(value) else otherwise


def expose(
    world: World,
    number: int,
    start_s: float,
    end_s: float,
    sight: Sight | None = None,
) -> Exposure:
    """Read from the world what happened during an exposure that is over.

    The exposure is cut into parts; each has its share of the fluence and the angle at its middle.
    Of a rolling shutter ``start_s`` and ``end_s`` are the first row's.
    """
    rolling = None if sight is None else sight.rolling
    delay_s = 0.0 if rolling is None else rolling.read_out_s
    times = np.linspace(start_s, end_s + delay_s, _SAMPLES)
    shutter = np.nan_to_num(world.channel("shutter").at(times), nan=0.0)
    flux = np.nan_to_num(world.channel("flux").at(times), nan=0.0)
    rate = shutter * flux
    rotation = np.nan_to_num(world.channel("rotation").at(times), nan=0.0)
    rows = None
    if rolling is None:
        angles_deg, weights, fluence = _shares(rate, rotation, (end_s - start_s) / (_SAMPLES - 1))
    else:
        rows = rolling.shares(times, rate, rotation, start_s, end_s)
        angles_deg, weights, fluence = rows.angles_deg, rows.mean_weights, rows.mean_fluence
    middle = (start_s + end_s + delay_s) / 2
    mid_angle_deg = float(rotation[(_SAMPLES - 1) // 2])
    at_middle = {
        name: world.channel(name).value(middle) for name in ("sample_x", "sample_z", "energy")
    }
    standing, lit = STILL, 1.0
    if sight is not None:
        error = sight.errors.at(mid_angle_deg, middle)
        standing = look(world, middle, error, sight.errors.settings.focus_zero_mm)
        lit = lit_part(standing, sight.rows, sight.columns, standing.pixel_um or sight.pixel_um)
    return Exposure(
        number=number,
        start_s=start_s,
        end_s=end_s,
        angles_deg=angles_deg,
        weights=weights,
        fluence_per_cm2=fluence,
        open_part=float(((shutter[1:] + shutter[:-1]) / 2).mean()),
        mid_angle_deg=mid_angle_deg,
        sample_x_mm=_known(at_middle["sample_x"], 0.0),
        sample_z_mm=_known(at_middle["sample_z"], 0.0),
        energy_keV=at_middle["energy"],
        standing=standing,
        rows=rows,
        lit_part=lit,
        gas_mm3=_known(world.channel("gas").value(middle), 0.0),
    )


def _shares(
    rate: NDArray[np.float64], rotation: NDArray[np.float64], step_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Angles, their shares of the fluence, and the fluence."""
    pieces = (rate[1:] + rate[:-1]) / 2 * step_s
    turn_deg = float(np.ptp(rotation))
    # A part turns by less than about a pixel at the edge of the field.
    parts = 1 if turn_deg < 1e-3 else (2 if turn_deg < 1.0 else 4)
    shares = pieces.reshape(parts, -1).sum(axis=1)
    total = float(shares.sum())
    middles = (np.arange(parts) * 2 + 1) * (_SAMPLES - 1) // (2 * parts)
    return rotation[middles], shares / total if total > 0 else np.zeros(parts), total
