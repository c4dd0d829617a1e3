"""The open beam on the detector: profile, stripes, slits, dust, pixels."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.camera_settings import CameraSettings
from voltomo.twin.standing import Dust, Standing, aperture

Floats = NDArray[np.float32]

_SPECK_PIXELS = 2.5


class FlatField:
    """Beam profile times the optics' stripes, which wander up and down with time.

    Parameters
    ----------
    settings : CameraSettings
    random : Generator
        Gives stripes and the pixels' own sensitivity.
    """

    def __init__(self, settings: CameraSettings, random: np.random.Generator) -> None:
        self._settings = settings
        self._stripes = _stripes(random, settings.rows)
        shape = (settings.rows, settings.columns)
        self._pixels = 1 + 0.01 * random.standard_normal(shape)
        self._beam_um = (0.0, 0.0)
        self._beam = self._profile(self._beam_um)
        self._slits: tuple[tuple[float, ...], float] = ((), 0.0)
        self._open = np.ones(shape, np.float32)

    def at(self, time_s: float, standing: Standing) -> Floats:
        """Relative intensity of the open beam, shape (rows, columns)."""
        own = self._settings
        drift = own.flat_drift_pixels_per_minute * time_s / 60
        drift += 0.3 * math.sin(2 * math.pi * time_s / 41)
        places = (np.arange(own.rows) + drift) % len(self._stripes)
        stripes = np.interp(
            places, np.arange(len(self._stripes) + 1), np.append(self._stripes, self._stripes[0])
        )
        if standing.beam_um != self._beam_um:
            self._beam_um = standing.beam_um
            self._beam = self._profile(self._beam_um)
        flat = self._beam * stripes.astype(np.float32)[:, None]
        if any(map(math.isfinite, standing.slits_mm)):
            flat *= self._aperture(standing)
        for speck in standing.dust:
            flat *= _shadow(speck, *flat.shape)
        return flat

    def _aperture(self, standing: Standing) -> Floats:
        """What the slits leave; made anew where they or the lens have moved."""
        own = self._settings
        pixel_um = standing.pixel_um or own.pixel_um
        if self._slits != (standing.slits_mm, pixel_um):
            self._slits = (standing.slits_mm, pixel_um)
            self._open = aperture(standing, own.rows, own.columns, pixel_um)
        return self._open

    def _profile(self, beam_um: tuple[float, float]) -> Floats:
        """The beam's broad profile, with the beam at this place, and the pixels' sensitivity."""
        own = self._settings
        across, up = (place / own.pixel_um for place in beam_um)
        v = (np.arange(own.rows) - own.rows / 2 - up) / own.rows
        u = (np.arange(own.columns) - own.columns / 2 - across) / own.columns
        profile = np.exp(-0.5 * (v[:, None] / 0.9) ** 2 - 0.5 * (u[None, :] / 1.1) ** 2)
        return (profile * self._pixels).astype(np.float32)


def _shadow(speck: Dust, rows: int, columns: int) -> Floats:
    away = (np.arange(rows)[:, None] - speck.row) ** 2 + (
        np.arange(columns)[None, :] - speck.column
    ) ** 2
    return (1 - speck.part * np.exp(-0.5 * away / _SPECK_PIXELS**2)).astype(np.float32)


def _stripes(random: np.random.Generator, rows: int) -> NDArray[np.float64]:
    """A smooth periodic profile around 1: what a multilayer does to the beam."""
    length = 2 * rows
    place = np.arange(length) * 2 * np.pi / length
    profile = np.zeros(length)
    for wave in (2, 3, 5, 9, 14, 22):
        profile += np.cos(wave * place + random.uniform(0, 2 * np.pi)) / math.sqrt(wave)
    return 1 + 0.06 * profile / np.abs(profile).max()
