"""How beam, slits, stage and detector stood during an exposure: what an image depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.stage_errors import StageError
from voltomo.twin.world import World

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Dust:
    """A speck in the optics: where, and which part of the light it takes."""

    column: int
    row: int
    part: float


@dataclass(frozen=True)
class Standing:
    """All that stands still during an exposure; what is not known is as the settings say.

    Attributes
    ----------
    tilt_deg, roll_deg : float
        True lean of the axis, errors included.
    error_x_mm, error_z_mm : float
        Displacement of axis and sample that nobody asked for.
    slits_mm : tuple of 4 floats
        Left, right, bottom, top blade at the sample, from the middle of the field.
    beam_um : tuple of 2 floats
        Where the beam is, across and up.
    pixel_um, distance_mm : float or None
        Pixel size by the lens, distance from sample to detector.
    focus_mm : float
        How far the camera stands from where the image is sharp.
    dust : tuple of Dust
    """

    tilt_deg: float = 0.0
    roll_deg: float = 0.0
    error_x_mm: float = 0.0
    error_z_mm: float = 0.0
    slits_mm: tuple[float, float, float, float] = (-math.inf, math.inf, -math.inf, math.inf)
    beam_um: tuple[float, float] = (0.0, 0.0)
    pixel_um: float | None = None
    distance_mm: float | None = None
    focus_mm: float = 0.0
    dust: tuple[Dust, ...] = ()


STILL = Standing()
"""Everything as the settings say, and nothing in the way."""


def look(world: World, time_s: float, error: StageError, focus_zero_mm: float) -> Standing:
    """Read from the world how everything stood at a time near now."""

    def at(name: str, otherwise: float) -> float:
        value = world.channel(name).value(time_s)
        return value if math.isfinite(value) else otherwise

    slips = (f.value for f in world.faults("sample_slipped") if f.at_s <= time_s)
    pixel_um, distance_mm = at("pixel", math.nan), at("distance", math.nan)
    tilt_deg = at("tilt", 0.0) + error.tilt_deg
    # What stands nearer to the camera than the axis goes up when the axis leans.
    lifted_mm = error.mount_along_mm * math.sin(math.radians(tilt_deg))
    return Standing(
        tilt_deg=tilt_deg,
        roll_deg=at("camera_roll", 0.0) + error.roll_deg,
        error_x_mm=error.x_mm + error.mount_across_mm + sum(slips),
        error_z_mm=error.z_mm + lifted_mm,
        slits_mm=(
            at("slit_left", -math.inf),
            at("slit_right", math.inf),
            at("slit_bottom", -math.inf),
            at("slit_top", math.inf),
        ),
        beam_um=(at("beam_x", 0.0), at("beam_y", 0.0)),
        pixel_um=pixel_um if pixel_um > 0 else None,
        distance_mm=distance_mm if math.isfinite(distance_mm) else None,
        focus_mm=at("focus", 0.0) - focus_zero_mm,
        dust=tuple(
            Dust(fault.first, fault.last, fault.value)
            for fault in world.faults("dust")
            if fault.at_s <= time_s
        ),
    )


def aperture(standing: Standing, rows: int, columns: int, pixel_um: float) -> Floats:
    """Which part of each pixel the slits leave in the beam, shape (rows, columns)."""
    left, right, bottom, top = (place * 1e3 / pixel_um for place in standing.slits_mm)
    across = _open_part(np.arange(columns) - (columns - 1) / 2, left, right)
    up = _open_part(np.arange(rows) - (rows - 1) / 2, bottom, top)
    return up[:, None] * across[None, :]


def lit_part(standing: Standing, rows: int, columns: int, pixel_um: float) -> float:
    """Part of the field that the slits leave in the beam."""
    if not any(map(math.isfinite, standing.slits_mm)):
        return 1.0
    return float(aperture(standing, rows, columns, pixel_um).mean(dtype=np.float64))


def _open_part(pixels: NDArray[Any], low: float, high: float) -> Floats:
    inside = np.minimum(pixels + 0.5, high) - np.maximum(pixels - 0.5, low)
    return np.clip(inside, 0.0, 1.0).astype(np.float32)
