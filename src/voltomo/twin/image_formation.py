"""From line integrals to counts: fringes, point spread, flat field, columns' errors, noise."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from voltomo.twin.camera_settings import CameraSettings
from voltomo.twin.frame_source import Exposure
from voltomo.twin.phantom import Phantom

Floats = NDArray[np.float32]


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_propagated(out: Any, attenuation: Any, path_m: Any, strength: float, share: float) -> None:
    """Add ``share`` of the intensity after a short propagation to ``out``.

    Transport of intensity, the near-field limit of Fresnel propagation (pixel² ≫ wavelength ×
    distance): I(z) = I + z ∇·(I ∇∫δ dl), I = exp(−∫µ dl) (Teague, J. Opt. Soc. Am. 73, 1434, 1983).
    Written as fluxes between pixels, so that no intensity is made or lost.

    Parameters
    ----------
    out, attenuation, path_m : float32 arrays, shape (rows, columns)
        ``path_m`` is ∫δ dl in metres.
    strength : float
        Distance / pixel² in 1/m.
    """
    rows, columns = attenuation.shape
    scale = np.float32(0.5 * strength)
    part = np.float32(share)
    light = np.exp(-attenuation)
    for v in range(rows):
        for u in range(columns):
            here, depth = light[v, u], path_m[v, u]
            gain = np.float32(0.0)
            if u > 0:
                gain += (light[v, u - 1] + here) * (path_m[v, u - 1] - depth)
            if u < columns - 1:
                gain += (light[v, u + 1] + here) * (path_m[v, u + 1] - depth)
            if v > 0:
                gain += (light[v - 1, u] + here) * (path_m[v - 1, u] - depth)
            if v < rows - 1:
                gain += (light[v + 1, u] + here) * (path_m[v + 1, u] - depth)
            out[v, u] += part * max(here + scale * gain, np.float32(0.0))


@numba.njit(cache=True, nogil=True, fastmath=True)
def blurred(image: Any, side: float) -> Any:
    """Three-point separable point spread: weight ``side`` on either neighbour; edges repeat."""
    rows, columns = image.shape
    middle, wing = np.float32(1.0 - 2.0 * side), np.float32(side)
    across = np.empty_like(image)
    for v in range(rows):
        line, out = image[v], across[v]
        out[0] = (middle + wing) * line[0] + wing * line[1]
        out[columns - 1] = (middle + wing) * line[columns - 1] + wing * line[columns - 2]
        for u in range(1, columns - 1):
            out[u] = middle * line[u] + wing * (line[u - 1] + line[u + 1])
    result = np.empty_like(image)
    for v in range(rows):
        above, below = across[max(v - 1, 0)], across[min(v + 1, rows - 1)]
        line, out = across[v], result[v]
        for u in range(columns):
            out[u] = middle * line[u] + wing * (above[u] + below[u])
    return result


@numba.njit(cache=True, nogil=True, fastmath=True)
def digitised(
    intensity: Any, flat: Any, error: Any, dark: Any, noise: Any, counts: float,
    read_noise: float, full_well: int,
) -> Any:  # fmt: skip
    """Counts of the detector, uint16.

    Photon noise is taken as normal with the mean's variance, which above some 30 counts a pixel
    cannot be told from Poisson's. A column's error grows with the distance from the open beam
    (a non-linear response): flat fields do not take it away, so that it makes rings.
    """
    rows, columns = intensity.shape
    out = np.empty((rows, columns), np.uint16)
    top, scale = np.float32(full_well), np.float32(counts)
    read_square = np.float32(read_noise * read_noise)
    for v in range(rows):
        for u in range(columns):
            seen = intensity[v, u]
            mean = scale * flat[v, u] * seen * (np.float32(1.0) + error[u] * (seen - 1.0))
            spread = math.sqrt(max(mean, np.float32(0.0)) + read_square)
            value = mean + spread * noise[v, u] + dark[v, u] + np.float32(0.5)
            out[v, u] = np.uint16(min(max(value, np.float32(0.0)), top))
    return out


class PhantomCamera:
    """Frames of the phantom: a `FrameSource`.

    Parameters
    ----------
    settings : CameraSettings
    seed : int
        Of sample, flat field, detector and noise.
    nominal_flux_per_cm2_s : float
        Flux at which ``settings.counts`` holds.
    """

    def __init__(self, settings: CameraSettings, seed: int, nominal_flux_per_cm2_s: float) -> None:
        self._settings = settings
        self._seed = seed
        self._nominal_fluence = nominal_flux_per_cm2_s * settings.counts_exposure_s
        self.shape = (settings.rows, settings.columns)
        self.phantom = self._make_phantom(settings.energy_keV)
        random = np.random.default_rng((seed, 0xF1A7))
        self._stripes = _stripes(random, settings.rows)
        self._beam = _beam(random, *self.shape)
        bad = random.random(settings.columns) < settings.ring_columns
        errors = random.choice((-1.0, 1.0), settings.columns) * settings.ring_gain_error
        self._column_error = np.where(bad, errors, 0.0).astype(np.float32)
        self._dark = (settings.dark_counts + random.normal(0, 1.0, self.shape)).astype(np.float32)

    def _make_phantom(self, energy_keV: float) -> Phantom:
        own = self._settings
        return Phantom.make(
            self._seed, own.columns, own.rows, own.pixel_um, energy_keV, own.axis_column
        )

    def frame(self, exposure: Exposure) -> NDArray[np.uint16]:
        """The frame of an exposure, shape (rows, columns)."""
        own = self._settings
        random = np.random.Generator(np.random.SFC64((self._seed, exposure.number)))
        noise = random.standard_normal(self.shape, dtype=np.float32)
        counts = own.counts * exposure.fluence_per_cm2 / self._nominal_fluence
        dark = counts <= 0
        light = np.zeros(self.shape, np.float32) if dark else self.intensity(exposure)
        flat = light if dark else self._flat_field(exposure.start_s)
        return digitised(
            light, flat, self._column_error, self._dark, noise, counts, own.read_noise,
            own.full_well,
        )  # fmt: skip

    def warm_up(self) -> None:
        """Compile or load all kernels before the first trigger comes."""
        still = Exposure(
            number=0,
            start_s=0.0,
            end_s=0.02,
            angles_deg=np.array([0.0]),
            weights=np.array([1.0]),
            fluence_per_cm2=self._nominal_fluence,
            open_part=1.0,
            mid_angle_deg=0.0,
            sample_x_mm=0.0,
            sample_z_mm=0.0,
            energy_keV=float("nan"),
        )
        self.frame(still)

    def intensity(self, exposure: Exposure) -> Floats:
        """Intensity behind the sample, 1 in the open beam, averaged over the exposure."""
        own = self._settings
        if abs(exposure.energy_keV - self.phantom.energy_keV) > 0.05:
            self.phantom = self._make_phantom(exposure.energy_keV)
        columns = exposure.sample_x_mm * 1e3 / own.pixel_um
        rows = exposure.sample_z_mm * 1e3 / own.pixel_um
        if abs(columns) >= own.columns:
            return np.ones(self.shape, np.float32)
        light = np.zeros(self.shape, np.float32)
        strength = own.propagation_mm * 1e-3 / (own.pixel_um * 1e-6) ** 2
        for angle_deg, share in zip(exposure.angles_deg, exposure.weights, strict=True):
            if share > 0:
                attenuation, path = self.phantom.projection(float(angle_deg), columns, rows)
                add_propagated(light, attenuation, path, strength, float(share))
        # The three-point kernel whose variance is that of the point spread.
        return blurred(light, min(own.blur_pixels**2 / 2, 1 / 3))

    def _flat_field(self, time_s: float) -> Floats:
        """Beam profile times the optics' stripes, which wander up and down with time."""
        own = self._settings
        drift = own.flat_drift_pixels_per_minute * time_s / 60
        drift += 0.3 * math.sin(2 * math.pi * time_s / 41)
        places = (np.arange(own.rows) + drift) % len(self._stripes)
        stripes = np.interp(
            places, np.arange(len(self._stripes) + 1), np.append(self._stripes, self._stripes[0])
        )
        return self._beam * stripes.astype(np.float32)[:, None]


def _stripes(random: np.random.Generator, rows: int) -> NDArray[np.float64]:
    """A smooth periodic profile around 1: what a multilayer does to the beam."""
    length = 2 * rows
    place = np.arange(length) * 2 * np.pi / length
    profile = np.zeros(length)
    for wave in (2, 3, 5, 9, 14, 22):
        profile += np.cos(wave * place + random.uniform(0, 2 * np.pi)) / math.sqrt(wave)
    return 1 + 0.06 * profile / np.abs(profile).max()


def _beam(random: np.random.Generator, rows: int, columns: int) -> Floats:
    """The beam's broad profile and the pixels' own sensitivity."""
    v = (np.arange(rows) - rows / 2) / rows
    u = (np.arange(columns) - columns / 2) / columns
    profile = np.exp(-0.5 * (v[:, None] / 0.9) ** 2 - 0.5 * (u[None, :] / 1.1) ** 2)
    return (profile * (1 + 0.01 * random.standard_normal((rows, columns)))).astype(np.float32)
