"""From line integrals to counts: fringes, point spread, flat field, columns' errors, noise."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from voltomo.twin.camera_settings import CameraSettings
from voltomo.twin.flat_field import FlatField
from voltomo.twin.frame_source import Exposure
from voltomo.twin.phantom import Phantom
from voltomo.twin.standing import Standing

Floats = NDArray[np.float32]

_LARGEST_VARIANCE = 40.0


@numba.njit(cache=True, nogil=True, fastmath=True)
def add_propagated(out: Any, attenuation: Any, path_m: Any, strength: float, shares: Any) -> None:
    """Add a share of the intensity after a short propagation to ``out``.

    Transport of intensity, the near-field limit of Fresnel propagation (pixel² ≫ wavelength ×
    distance): I(z) = I + z ∇·(I ∇∫δ dl), I = exp(−∫µ dl) (Teague, J. Opt. Soc. Am. 73, 1434, 1983).
    Written as fluxes between pixels, so that no intensity is made or lost.

    Parameters
    ----------
    out, attenuation, path_m : float32 arrays, shape (rows, columns)
        ``path_m`` is ∫δ dl in metres.
    strength : float
        Distance / pixel² in 1/m.
    shares : float32 array, shape (rows,)
        Of the intensity, for each row.
    """
    rows, columns = attenuation.shape
    scale = np.float32(0.5 * strength)
    light = np.exp(-attenuation)
    for v in range(rows):
        part = shares[v]
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
    intensity: Any, flat: Any, error: Any, dark: Any, noise: Any, counts: Any,
    read_noise: float, full_well: int,
) -> Any:  # fmt: skip
    """Counts of the detector, uint16.

    Photon noise is taken as normal with the mean's variance, which above some 30 counts a pixel
    cannot be told from Poisson's. A column's error grows with the distance from the open beam
    (a non-linear response): flat fields do not take it away, so that it makes rings. ``counts``
    are those of the open beam, for each row.
    """
    rows, columns = intensity.shape
    out = np.empty((rows, columns), np.uint16)
    top = np.float32(full_well)
    read_square = np.float32(read_noise * read_noise)
    for v in range(rows):
        scale = counts[v]
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
        self._made = self.phantom = self._make_phantom(settings.energy_keV)
        random = np.random.default_rng((seed, 0xF1A7))
        self._field = FlatField(settings, random)
        bad = random.random(settings.columns) < settings.ring_columns
        errors = random.choice((-1.0, 1.0), settings.columns) * settings.ring_gain_error
        self._column_error = np.where(bad, errors, 0.0).astype(np.float32)
        self._dark = (settings.dark_counts + random.normal(0, 1.0, self.shape)).astype(np.float32)

    def _make_phantom(self, energy_keV: float) -> Phantom:
        own = self._settings
        return Phantom.make(
            self._seed, own.columns, own.rows, own.pixel_um, energy_keV, own.axis_column, own.sample
        )

    def frame(self, exposure: Exposure) -> NDArray[np.uint16]:
        """The frame of an exposure, shape (rows, columns)."""
        own = self._settings
        random = np.random.Generator(np.random.SFC64((self._seed, exposure.number)))
        noise = random.standard_normal(self.shape, dtype=np.float32)
        dark = exposure.fluence_per_cm2 <= 0
        light = np.zeros(self.shape, np.float32) if dark else self.intensity(exposure)
        flat = light if dark else self._field.at(exposure.start_s, exposure.standing)
        return digitised(
            light, flat, self._column_error, self._dark, noise, self._counts(exposure),
            own.read_noise, own.full_well,
        )  # fmt: skip

    def _counts(self, exposure: Exposure) -> Floats:
        """Counts of the open beam for each row."""
        fluence = (
            exposure.fluence_per_cm2 if exposure.rows is None else exposure.rows.fluence_per_cm2
        )
        counts = self._settings.counts * np.asarray(fluence) / self._nominal_fluence
        return np.broadcast_to(counts, self.shape[:1]).astype(np.float32)

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
        self.frame(replace(still, standing=Standing(roll_deg=0.1)))

    def intensity(self, exposure: Exposure) -> Floats:
        """Intensity behind the sample, 1 in the open beam, averaged over the exposure."""
        own, standing = self._settings, exposure.standing
        phantom = self._phantom(exposure.energy_keV, standing.pixel_um or own.pixel_um)
        if exposure.gas_mm3 > 0 and own.sample == "cell":
            phantom = phantom.with_gas(exposure.gas_mm3)
        pixel_um = phantom.pixel_um
        columns = (exposure.sample_x_mm + standing.error_x_mm) * 1e3 / pixel_um
        rows = (exposure.sample_z_mm + standing.error_z_mm) * 1e3 / pixel_um
        if abs(columns) >= own.columns and own.sample != "pouch":
            return np.ones(self.shape, np.float32)
        light = np.zeros(self.shape, np.float32)
        distance_mm = own.propagation_mm if standing.distance_mm is None else standing.distance_mm
        strength = distance_mm * 1e-3 / (pixel_um * 1e-6) ** 2
        weights = exposure.weights[None] if exposure.rows is None else exposure.rows.weights
        shares = np.broadcast_to(weights, (own.rows, weights.shape[1])).astype(np.float32)
        for angle_deg, share in zip(exposure.angles_deg, shares.T, strict=True):
            if share.any():
                attenuation, path = phantom.projection(
                    float(angle_deg),
                    columns,
                    rows,
                    tilt_deg=standing.tilt_deg,
                    roll_deg=standing.roll_deg,
                )
                add_propagated(light, attenuation, path, strength, np.ascontiguousarray(share))
        return spread(light, self._blur(standing.focus_mm))

    def _blur(self, focus_mm: float) -> float:
        """Standard deviation of the point spread in pixels."""
        own = self._settings
        return math.hypot(own.blur_pixels, focus_mm / own.focus_depth_mm)

    def _phantom(self, energy_keV: float, pixel_um: float) -> Phantom:
        """The sample at this energy, behind these optics; made anew where something changed."""
        if abs(energy_keV - self._made.energy_keV) > 0.05:
            self._made = self.phantom = self._make_phantom(energy_keV)
        if abs(pixel_um - self.phantom.pixel_um) > 1e-6 * pixel_um:
            self.phantom = self._made.seen_with(pixel_um)
        return self.phantom


def spread(light: Floats, deviation: float) -> Floats:
    """Blur by a point spread of this standard deviation, by three-point kernels of its variance."""
    variance = min(deviation * deviation, _LARGEST_VARIANCE)
    passes = max(1, math.ceil(variance / 0.5 - 1e-9))
    for _ in range(passes):
        light = blurred(light, variance / passes / 2)
    return light
