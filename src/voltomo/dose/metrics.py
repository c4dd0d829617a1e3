"""What is reported of a sample's dose, besides its sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.dose.dose_map import DoseMap

__all__ = ["MapMetrics", "dose_efficiency", "image_weighted_dose_Gy", "map_metrics"]

Floats = NDArray[np.float64]

EXPOSED = 0.01
"""What received less than this part of the highest dose counts as not exposed."""


@dataclass(frozen=True)
class MapMetrics:
    """Figures of one class of material, of best estimates unless said otherwise.

    Attributes
    ----------
    dose_max_Gy : float
        Upper bound at the hottest voxel: what limits act on.
    hottest_mm : (float, float, float) or None
        Where that is in the sample's frame; None where all of it is alike.
    dose_mean_exposed_Gy, dose_p95_Gy : float
        Mean and 95th percentile over the exposed volume.
    exposed_mm3 : float
        Volume with at least 1 % of the highest dose.
    dose_contrast : float
        Highest over mean dose of the exposed volume: 1 for an even dose.
    dose_mean_sample_Gy, exposed_fraction : float or None
        Over the whole sample; None where its volume is not known.
    absorbed_energy_J : float or None
        Dose times mass; None where the density is not known.
    """

    dose_max_Gy: float
    hottest_mm: tuple[float, float, float] | None
    dose_mean_exposed_Gy: float
    dose_p95_Gy: float
    exposed_mm3: float
    dose_contrast: float
    dose_mean_sample_Gy: float | None
    exposed_fraction: float | None
    absorbed_energy_J: float | None


def map_metrics(
    made: DoseMap,
    name: str,
    sample_mm3: float | None = None,
    density_g_cm3: float | None = None,
) -> MapMetrics:
    """Figures of a class of material in a map.

    Parameters
    ----------
    made : DoseMap
        The map.
    name : str
        The class.
    sample_mm3 : float or None
        Volume of the sample, if it is known.
    density_g_cm3 : float or None
        Density of the class, if it is known.
    """
    channel = 2 * made.classes.index(name)
    highest_Gy, where = made.hottest_Gy(name)
    cells = made.grid.cells()
    dose, volume = cells.values[channel + 1], cells.volume_mm3
    everywhere_Gy = float(made.grid.everywhere[channel + 1])
    top_Gy = float(dose.max(initial=everywhere_Gy))
    exposed = dose >= EXPOSED * top_Gy if top_Gy > 0 else np.zeros(dose.shape, dtype=bool)
    exposed_mm3 = float(volume[exposed].sum())
    mean_Gy = everywhere_Gy
    if exposed_mm3 > 0:
        mean_Gy = float(dose[exposed] @ volume[exposed]) / exposed_mm3
    p95_Gy = _percentile(dose[exposed], volume[exposed], 0.95) if exposed_mm3 > 0 else everywhere_Gy
    total_Gy_mm3 = float(dose @ volume)
    mean_sample_Gy = fraction = energy_J = None
    if sample_mm3 is not None and sample_mm3 > 0:
        # Where nothing was added, what counts everywhere is all there is.
        rest_mm3 = max(sample_mm3 - float(volume.sum()), 0.0)
        inside = min(sample_mm3 / max(float(volume.sum()), 1e-300), 1.0)
        mean_sample_Gy = (total_Gy_mm3 * inside + everywhere_Gy * rest_mm3) / sample_mm3
        fraction = min(exposed_mm3 / sample_mm3, 1.0)
    if density_g_cm3 is not None:
        # Gy mm3 g/cm3 is a microjoule.
        energy_J = total_Gy_mm3 * density_g_cm3 * 1e-6
    return MapMetrics(
        highest_Gy,
        where,
        mean_Gy,
        p95_Gy,
        exposed_mm3,
        top_Gy / mean_Gy if mean_Gy > 0 else 1.0,
        mean_sample_Gy,
        fraction,
        energy_J,
    )


def _percentile(dose: Floats, volume: Floats, part: float) -> float:
    order = np.argsort(dose)
    below = np.cumsum(volume[order])
    return float(dose[order][np.searchsorted(below, part * below[-1])])


def image_weighted_dose_Gy(dose_before_Gy: Floats, weights: Floats) -> float | None:
    """Dose that had been received when the images were taken, on average.

    What diffraction-weighted dose is to a crystal: a series whose light comes late in its dose
    shows a damaged sample.

    Parameters
    ----------
    dose_before_Gy : array, shape (n,)
        What the sample had received before each frame, and half of what it got in it.
    weights : array, shape (n,)
        Detected counts of each frame, or what is in proportion to them.

    Returns
    -------
    float or None
        None where no frame has any weight.
    """
    total = float(weights.sum())
    return float(dose_before_Gy @ weights) / total if total > 0 else None


def dose_efficiency(signal: float, dose_Gy: float) -> float | None:
    """Detected counts, or squared signal to noise, for each gray; None where there was no dose."""
    return signal / dose_Gy if dose_Gy > 0 else None
