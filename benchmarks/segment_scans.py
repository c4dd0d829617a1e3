"""Seeded electrodes through the whole chain, with their truth: what the segmenter learns from.

The virtual beamline makes the frames: line integrals of shapes, fringes, point spread, columns that
respond differently, counted photons. The product makes the slices: flats, phase filter, gridding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.gridding import GriddingReconstructor
from voltomo.analysis.phase import Paganin
from voltomo.dose.attenuation import mu_total, refraction_delta
from voltomo.dose.materials import material
from voltomo.model.geometry import Geometry
from voltomo.twin.image_formation import add_propagated, spread
from voltomo.twin.phantom import Phantom

Floats = NDArray[np.float32]
_HC_keV_m = 1.2398419843320026e-9
_FLATS = 20
_FIELD = 0.92
"""Of a sample's field: so much holds its tube, with a little air."""


@dataclass(frozen=True)
class Conditions:
    """How a sample is scanned.

    Parameters
    ----------
    columns, rows, views : int
        Of the detector, and of the half turn.
    slices : int
        That are made and scored, with as many rows between as fit.
    pixel_um, energy_keV, distance_mm : float
        What makes contrast and fringes.
    counts : float
        Photons a pixel in the open beam.
    blur_pixels : float
        Standard deviation of the point spread.
    made_columns : int
        The sample is made to the size of so many nominal pixels.
    assumed : float
        The phase filter assumes so many times the true δ/β of NMC.
    """

    columns: int = 256
    rows: int = 64
    views: int = 360
    slices: int = 8
    pixel_um: float = 1.0
    energy_keV: float = 40.0
    distance_mm: float = 20.0
    counts: float = 2e4
    blur_pixels: float = 0.6
    made_columns: int = 256
    assumed: float = 1.0

    @property
    def delta_over_beta(self) -> float:
        """Of NMC, as the phase filter is told."""
        nmc = material("NMC811")
        wavelength_m = _HC_keV_m / self.energy_keV
        beta = mu_total(nmc, self.energy_keV) * 100 * wavelength_m / (4 * math.pi)
        return self.assumed * refraction_delta(nmc, self.energy_keV) / beta


NOMINAL = Conditions()
"""What the shipped weights are trained for, and the score is given for."""
SHIFTED = Conditions(
    columns=224, pixel_um=1.15, energy_keV=36.0, distance_mm=26.0, counts=1.4e4, blur_pixels=0.75,
    assumed=1.1,
)  # fmt: skip
"""Other pixel size, contrast and fringes than any in training."""


def sample(seed: int, conditions: Conditions) -> Phantom:
    """An electrode of 0.22 mm on the detector of these conditions."""
    made = Phantom.make(
        seed, conditions.made_columns, conditions.rows, NOMINAL.pixel_um, conditions.energy_keV,
        sample="electrode",
    )  # fmt: skip
    wide = replace(made, columns=conditions.columns, axis_column=(conditions.columns - 1) / 2)
    return wide.seen_with(conditions.pixel_um)


def intensities(phantom: Phantom, conditions: Conditions) -> Floats:
    """Frames over flats without noise, (views, rows, columns)."""
    strength = conditions.distance_mm * 1e-3 / (conditions.pixel_um * 1e-6) ** 2
    frames = np.zeros((conditions.views, conditions.rows, conditions.columns), np.float32)
    shares = np.ones(conditions.rows, np.float32)
    for view, angle_deg in enumerate(angles_deg(conditions)):
        attenuation, path = phantom.projection(float(angle_deg))
        add_propagated(frames[view], attenuation, path, strength, shares)
        frames[view] = spread(frames[view], conditions.blur_pixels)
    return frames


def angles_deg(conditions: Conditions) -> NDArray[np.float64]:
    """Of the views, over half a turn."""
    return np.arange(conditions.views) * 180.0 / conditions.views


def column_errors(columns: int, random: np.random.Generator) -> NDArray[np.float64]:
    """How far each column's response is from linear: one in fifty makes a weak ring."""
    return np.where(random.random(columns) < 0.02, random.choice((-4e-3, 4e-3), columns), 0.0)


def counted(
    frames: Floats, counts: float, errors: NDArray[np.float64], random: np.random.Generator
) -> Floats:
    """The same frames over flats from counted photons, by columns with these errors."""
    seen = frames * (1 + errors * (frames - 1))
    flats = random.poisson(counts * _FLATS, frames.shape[1:]) / (counts * _FLATS)
    ratio = random.poisson(counts * np.maximum(seen, 0)) / counts / np.maximum(flats, 1e-3)
    return np.maximum(ratio, 1e-3).astype(np.float32)


def line_integrals(transmission: Floats, conditions: Conditions) -> Floats:
    """Phase-filtered line integrals, as the product makes them."""
    phase = Paganin(
        conditions.delta_over_beta,
        conditions.distance_mm * 1e-3,
        conditions.energy_keV,
        conditions.pixel_um,
    )
    return phase.line_integrals(transmission)


def reconstructed(integrals: Floats, rows: list[int], conditions: Conditions) -> Floats:
    """Slices (rows, N, N), attenuation per pixel."""
    geometry = Geometry(
        rows=conditions.rows, columns=conditions.columns, pixel_um=conditions.pixel_um,
        step_deg=180.0 / conditions.views, projections=conditions.views,
    )  # fmt: skip
    reconstructor = GriddingReconstructor()
    reconstructor.prepare(geometry, angles_deg(conditions))
    return reconstructor.recon_slices(np.ascontiguousarray(integrals[:, rows].swapaxes(0, 1)))


def rows_of(conditions: Conditions) -> list[int]:
    """Rows of the slices: far enough from the edge for the phase filter."""
    margin = min(18, conditions.rows // 4)
    last = conditions.rows - 1 - margin
    return [round(row) for row in np.linspace(margin, last, conditions.slices)]


def labelled(seed: int, conditions: Conditions) -> tuple[Floats, NDArray[np.uint8]]:
    """Slices of the sample of a seed, and the truth at each of their pixels (0: not asked)."""
    phantom = sample(seed, conditions)
    random = np.random.default_rng((seed, 0x5E6))
    errors = column_errors(conditions.columns, random)
    frames = counted(intensities(phantom, conditions), conditions.counts, errors, random)
    rows = rows_of(conditions)
    slices = reconstructed(line_integrals(frames, conditions), rows, conditions)
    return slices, np.stack([phantom.labels(row) for row in rows])


def varied(seed: int, plain: Conditions = NOMINAL) -> Conditions:
    """Conditions of a seed of training: near the nominal ones, none like another."""
    random = np.random.default_rng((seed, 0xC0D))
    pixel_um = float(random.uniform(0.88, 1.12))
    # Room for the tube, and more or less of the air round it.
    columns = math.ceil(_FIELD * plain.made_columns / pixel_um * random.uniform(1.0, 1.12) / 8) * 8
    return replace(
        plain,
        pixel_um=pixel_um,
        energy_keV=float(random.uniform(36.5, 44.0)),
        distance_mm=float(random.uniform(14.0, 25.0)),
        counts=float(random.uniform(1.5e4, 2.6e4)),
        blur_pixels=float(random.uniform(0.5, 0.72)),
        assumed=float(random.uniform(0.92, 1.08)),
        columns=columns,
    )
