"""Dose rate in each layer of a cell that turns in the beam, by constituent, as an interval.

Of a layer's constituent the lower end is its own kerma, fluorescence escaped. The upper end keeps
the fluorescence, and in a mixture lets the photo-electrons cross from grain to grain: all that
the mixture absorbs locally, shared out by stopping power. Limits act on the upper end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.attenuation import mass_energy_absorption, mu_total
from voltomo.dose.beam_frame import beam_directions, on_detector
from voltomo.dose.dose_rate import JOULE_PER_KEV
from voltomo.dose.layers import StackLayer
from voltomo.dose.materials import Material
from voltomo.dose.shapes import Shape
from voltomo.dose.spectrum import Spectrum
from voltomo.dose.stopping import stopping_ratio

__all__ = [
    "PartRate",
    "Turning",
    "absorbed_power_W",
    "layer_rates",
    "per_fluence_Gy_cm2",
    "through_cm",
]

Floats = NDArray[np.float64]

_ANGLES = 91
_GRAY_CM2 = JOULE_PER_KEV * 1000.0
"""Joule per keV and gram per kilogram."""


@dataclass(frozen=True)
class Turning:
    """How the sample turns in the beam.

    Attributes
    ----------
    range_deg : float
        Angles from 0 that a scan covers at even speed; 0 for a sample that stands still.
    start_deg, tilt_deg : float
        First angle; lean of the axis from the normal to the beam.
    beam_width_cm : float
        Across the axis; what is outside is not lit.
    """

    range_deg: float = 180.0
    start_deg: float = 0.0
    tilt_deg: float = 0.0
    beam_width_cm: float = np.inf

    @property
    def angles_deg(self) -> Floats:
        """Angles that stand for all, shape (k,): middles of equal parts."""
        if self.range_deg == 0:
            return np.array([self.start_deg])
        parts = (np.arange(_ANGLES) + 0.5) / _ANGLES
        return self.start_deg + self.range_deg * parts


@dataclass(frozen=True)
class PartRate:
    """Dose rate in one constituent of one layer, in Gy/s with the beam open.

    Attributes
    ----------
    layer : StackLayer
        Where.
    material : Material
        In what.
    mean_lower_Gy_s, mean_upper_Gy_s : float
        Mean over the layer and the angles.
    hottest_Gy_s : float
        Upper end where it is largest, mean over the angles.
    highest_Gy_s : float
        Upper end where and when it is largest.
    """

    layer: StackLayer
    material: Material
    mean_lower_Gy_s: float
    mean_upper_Gy_s: float
    hottest_Gy_s: float
    highest_Gy_s: float


def per_fluence_Gy_cm2(layer: StackLayer, energy_keV: Floats) -> tuple[Floats, Floats]:
    """Dose for one photon per cm2 in each constituent of a layer, at both ends of its interval.

    Parameters
    ----------
    layer : StackLayer
        Plain or mixed.
    energy_keV : array, shape (n,)
        Photon energies, 1 to 100 keV.

    Returns
    -------
    lower, upper : array, shape (n, parts)
    """
    lower: list[Floats] = []
    upper: list[Floats] = []
    whole = mass_energy_absorption(layer.material, energy_keV, "local")
    for part, _ in layer.parts:
        lower.append(mass_energy_absorption(part, energy_keV))
        own = mass_energy_absorption(part, energy_keV, "local")
        if len(layer.parts) > 1:
            # Half of the photon's energy stands for photo-electrons on their way.
            ratio = [stopping_ratio(part, layer.material, float(e) / 2) for e in energy_keV]
            own = np.maximum(own, whole * np.array(ratio))
        upper.append(own)
    each_keV = energy_keV[:, None] * _GRAY_CM2
    return np.stack(lower, axis=1) * each_keV, np.stack(upper, axis=1) * each_keV


def layer_rates(shape: Shape, spectrum: Spectrum, turning: Turning) -> tuple[PartRate, ...]:
    """Dose rates in all constituents of all layers, with the beam open.

    Parameters
    ----------
    shape : Shape
        The cell.
    spectrum : Spectrum
        Flux density on the cell, after windows and attenuators.
    turning : Turning
        Angles, tilt, width of the beam.

    Raises
    ------
    EnergyRangeError
        If an energy lies outside the tables.
    """
    slices = shape.slices(turning.beam_width_cm)
    mu_per_cm = np.stack([mu_total(each.material, spectrum.energy_keV) for each in shape.layers])
    doses = [per_fluence_Gy_cm2(each, spectrum.energy_keV) for each in shape.layers]
    flux = spectrum.flux_per_cm2_s[:, None]
    members = [np.flatnonzero(slices.layer == number) for number in range(len(shape.layers))]
    sums = [_Sums(flux * lower, flux * upper) for lower, upper in doses]
    angles = turning.angles_deg
    for angle, direction in zip(angles, beam_directions(angles, turning.tilt_deg), strict=True):
        # Without BLAS, whose threads would wait for each other over such small products.
        path = shape.upstream_cm(slices.points_cm, direction)
        depth = np.einsum("pbl,le->pbe", path, mu_per_cm)
        lit = _lit(slices.points_cm, float(angle), turning)
        for number, mine in enumerate(members):
            sums[number].add(depth[:, mine], lit[:, mine])
    return tuple(
        rate
        for layer, total in zip(shape.layers, sums, strict=True)
        for rate in total.rates(layer, angles.size)
    )


def absorbed_power_W(
    shape: Shape, spectrum: Spectrum, beam_cm: tuple[float, float], tilt_deg: float = 0.0
) -> float:
    """Power that the cell takes out of the beam at the angle where it takes most: an upper bound.

    Parameters
    ----------
    shape : Shape
        The cell.
    spectrum : Spectrum
        Flux density on the cell.
    beam_cm : (float, float)
        Width and height of the beam.
    tilt_deg : float
        Lean of the axis.
    """
    mu_per_cm = np.stack([mu_total(each.material, spectrum.energy_keV) for each in shape.layers])
    most = 0.0
    for path in through_cm(shape, beam_directions(np.linspace(0.0, 180.0, 37), tilt_deg)):
        taken = -np.expm1(-(path @ mu_per_cm)) * spectrum.flux_per_cm2_s * spectrum.energy_keV
        most = max(most, float(taken.sum()) * JOULE_PER_KEV)
    return most * min(beam_cm[0], shape.width_cm) * beam_cm[1]


def through_cm(shape: Shape, directions: Floats) -> Floats:
    """Path in each layer of the ray through the middle of the cell, shape (k, layers)."""
    centre = np.zeros(3)
    return np.stack(
        [
            shape.upstream_cm(centre, along) + shape.upstream_cm(centre, -along)
            for along in directions
        ]
    )


def _lit(points_cm: Floats, angle_deg: float, turning: Turning) -> Floats:
    x, y, z = points_cm[..., 0], points_cm[..., 1], points_cm[..., 2]
    across, _ = on_detector(x, y, z, angle_deg, turning.tilt_deg)
    return (np.abs(across) <= turning.beam_width_cm / 2).astype(np.float64)


class _Sums:
    """Adds up one layer's rates over the angles; energies times constituents, flux included."""

    def __init__(self, lower_Gy_s: Floats, upper_Gy_s: Floats) -> None:
        self._lower, self._upper = lower_Gy_s, upper_Gy_s
        self._mean = np.zeros(lower_Gy_s.shape[0])
        self._places: Floats | None = None
        self._highest = np.zeros(lower_Gy_s.shape[1])

    def add(self, depth: Floats, lit: Floats) -> None:
        """Take optical depths, shape (places, boundaries, energies), at one angle."""
        passed = np.exp(-depth) * lit[..., None]
        step = np.abs(np.diff(depth, axis=1))
        thin = step < 1e-4
        # Exact where the depth grows evenly across a slice, as it does in a sheet.
        exact = np.abs(np.diff(passed, axis=1)) / np.where(thin, 1.0, step)
        even = (passed[:, 1:] + passed[:, :-1]) / 2
        both = (lit[:, 1:] * lit[:, :-1] > 0)[..., None]
        self._mean += np.where(thin | ~both, even, exact).mean(axis=(0, 1))
        rate = np.einsum("pbe,em->pbm", passed, self._upper)
        self._highest = np.maximum(self._highest, rate.max(axis=(0, 1)))
        self._places = rate if self._places is None else self._places + rate

    def rates(self, layer: StackLayer, angles: int) -> list[PartRate]:
        """Of each constituent."""
        places = np.zeros((1, 1, len(layer.parts))) if self._places is None else self._places
        hottest = places.max(axis=(0, 1)) / angles
        lower, upper = (self._mean @ ends / angles for ends in (self._lower, self._upper))
        return [
            PartRate(
                layer,
                part,
                float(lower[at]),
                float(upper[at]),
                float(hottest[at]),
                float(self._highest[at]),
            )
            for at, (part, _) in enumerate(layer.parts)
        ]
