"""From dose to noise in a slice and back.

The photons that make a voxel significant are those of the whole scan, however they are split over
projections (fractionation theorem: Hegerl and Hoppe 1976; McEwen et al. 1995,
doi 10.1016/0304-3991(95)00082-8). So dose is planned per volume, and then shared out.

Noise of filtered back-projection with the ramp filter and M projections over half a turn of N
detected photons a pixel: sigma = pi / (voxel sqrt(12 M N)), times a factor of the method.
"""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ROSE",
    "SHEARED_ROWS_NOISE",
    "Detector",
    "dose_for_contrast_Gy",
    "noise_per_cm",
    "photons_for_contrast",
    "projections_for_sampling",
    "smallest_voxel_um",
]

ROSE = 5.0
"""Signal to noise at which a detail is seen (Rose's criterion)."""

SHEARED_ROWS_NOISE = 0.685
"""Noise of voltomo's own slices (sheared rows) over that of the formula; a test measures it."""

_READ_NOISE_SHARE = 10.0
"""Counts below this times the squared read noise: splitting further costs dose."""


def noise_per_cm(voxel_um: float, photons: float, factor: float = 1.0) -> float:
    """Standard deviation of attenuation in a voxel of a slice.

    Parameters
    ----------
    voxel_um : float
        Side of the voxel, and width of a detector pixel at the sample.
    photons : float
        Detected photons a pixel, summed over all projections of half a turn.
    factor : float
        Of the method of reconstruction: 1 for plain nearest-neighbour back-projection.

    Returns
    -------
    float
        In 1/cm; infinite without photons.
    """
    if photons <= 0:
        return math.inf
    return factor * math.pi / (voxel_um * 1e-4 * math.sqrt(12 * photons))


def photons_for_contrast(
    voxel_um: float, contrast_per_cm: float, snr: float = ROSE, factor: float = 1.0
) -> float:
    """Detected photons a pixel, over all projections, for a contrast between two voxels.

    Parameters
    ----------
    voxel_um : float
        Side of the voxel.
    contrast_per_cm : float
        Difference in attenuation; its sign does not matter.
    snr : float
        Contrast over noise that is wanted.
    factor : float
        Of the method; see `noise_per_cm`.

    Returns
    -------
    float
        Infinite where there is no contrast.
    """
    if contrast_per_cm == 0:
        return math.inf
    noise = abs(contrast_per_cm) / snr
    return (factor * math.pi / (voxel_um * 1e-4 * noise)) ** 2 / 12


def dose_for_contrast_Gy(
    voxel_um: float,
    contrast_per_cm: float,
    dose_per_photon_Gy_cm2: float,
    snr: float = ROSE,
    factor: float = 1.0,
) -> float:
    """Dose that a contrast costs: as 1 / (voxel^4 contrast^2).

    Parameters
    ----------
    voxel_um, contrast_per_cm, snr, factor : float
        See `photons_for_contrast`.
    dose_per_photon_Gy_cm2 : float
        Dose of what must be spared, for one *detected* photon per cm2: dose for one photon on
        the sample, over transmission and quantum efficiency.
    """
    area_cm2 = (voxel_um * 1e-4) ** 2
    photons = photons_for_contrast(voxel_um, contrast_per_cm, snr, factor)
    return photons / area_cm2 * dose_per_photon_Gy_cm2


def smallest_voxel_um(
    dose_Gy: float,
    contrast_per_cm: float,
    dose_per_photon_Gy_cm2: float,
    snr: float = ROSE,
    factor: float = 1.0,
) -> float:
    """Smallest voxel in which a contrast is seen at a dose; infinite where it never is."""
    if dose_Gy <= 0 or contrast_per_cm == 0:
        return math.inf
    at_one_um_Gy = dose_for_contrast_Gy(1.0, contrast_per_cm, dose_per_photon_Gy_cm2, snr, factor)
    return (at_one_um_Gy / dose_Gy) ** 0.25


def projections_for_sampling(columns_across: float) -> int:
    """Projections over half a turn that sample an object of so many columns: pi / 2 times."""
    return max(2, math.ceil(math.pi / 2 * columns_across))


class Detector(BaseModel):
    """The camera as a counter of photons.

    Parameters
    ----------
    dqe : float
        Detective quantum efficiency: part of the photons that count.
    counts_per_photon : float
        Counts that a detected photon gives.
    read_noise_counts : float
        Scatter of a dark frame.
    full_well_counts : float
        Highest value of a pixel.
    shortest_s, longest_s : float
        Exposures that it can do.
    dead_s : float
        From the end of an exposure to the start of the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    dqe: float = Field(default=0.5, gt=0, le=1)
    counts_per_photon: float = Field(default=1.0, gt=0)
    read_noise_counts: float = Field(default=0.0, ge=0)
    full_well_counts: float = Field(default=65535.0, gt=0)
    shortest_s: float = Field(default=1e-3, gt=0)
    longest_s: float = Field(default=10.0, gt=0)
    dead_s: float = Field(default=2e-3, ge=0)

    def worth(self, photons: float) -> float:
        """Photons that a frame of so many detected ones is worth, read noise taken off.

        N^2 / (N + r^2), with the read noise r in photons.
        """
        if photons <= 0:
            return 0.0
        return photons**2 / (photons + (self.read_noise_counts / self.counts_per_photon) ** 2)

    @property
    def fewest_photons(self) -> float:
        """Photons a pixel and frame below which read noise makes more projections a waste."""
        return max(_READ_NOISE_SHARE * (self.read_noise_counts / self.counts_per_photon) ** 2, 1.0)

    @property
    def most_photons(self) -> float:
        """Detected photons a pixel and frame at nine tenths of the full well."""
        return 0.9 * self.full_well_counts / self.counts_per_photon
