"""Cheap figures that say whether a slice or a row is worth believing."""

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.disc import disc
from voltomo.analysis.normalise import SMALLEST_TRANSMISSION, mean_transmission

__all__ = ["mean_transmission", "noise_sigma", "row_fault", "snr"]

# Part of the noise that the double difference sees: interpolation between columns has taken
# some of the highest frequencies. Simulated, 50 to 800 views, 256 to 640 columns: .67 to .69.
SEEN_FRACTION = 0.68

# Where nine columns in ten are darker and many are clipped, there was no beam.
NO_BEAM_TRANSMISSION = 0.01


def noise_sigma(image: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> float:
    """Standard deviation of the noise in a slice, without a second measurement.

    The slice is differenced twice along rows and columns, which removes all that is flat or
    sloped; the median of what is left does not see edges (after Immerkaer, Computer Vision
    and Image Understanding 64, 1996, 300, with the median in place of the mean).

    Parameters
    ----------
    image : float32 (N, N)
        The slice.
    mask : bool (N, N), optional
        Pixels to use; the disc of 0.9 of the radius by default.

    Returns
    -------
    float
        In the unit of the slice. Right within 5 % for slices of `SliceReconstructor` whose
        detector noise is independent from pixel to pixel, whatever the number of views;
        too low where an optics' blur correlates neighbouring pixels.
    """
    mask = _checked_mask(image, mask)
    rows = image[:-2] - 2 * image[1:-1] + image[2:]
    both = rows[:, :-2] - 2 * rows[:, 1:-1] + rows[:, 2:]
    values = np.abs(both[mask[1:-1, 1:-1]])
    if values.size == 0:
        raise ValueError("The mask leaves no inner pixels to estimate the noise from.")
    # One pixel in some is enough for a median and keeps it below a millisecond or two.
    median = float(np.median(values[:: max(1, values.size // 100_000)]))
    return 1.4826 * median / 6 / SEEN_FRACTION


def snr(image: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> float:
    """Signal to noise: mean attenuation in the mask over `noise_sigma` in the mask.

    Parameters
    ----------
    image : float32 (N, N)
        The slice.
    mask : bool (N, N), optional
        Pixels of the sample; the disc of 0.9 of the radius by default.

    Returns
    -------
    float
        Infinite for a slice without noise, 0 for an empty one.
    """
    mask = _checked_mask(image, mask)
    sigma = noise_sigma(image, mask)
    mean = float(image[mask].mean(dtype=np.float64))
    if sigma == 0:
        return float(np.copysign(np.inf, mean)) if mean else 0.0
    return mean / sigma


def row_fault(row: NDArray[np.float32]) -> str | None:
    """Say why a row of line integrals should not be back-projected, or None if it may.

    Parameters
    ----------
    row : float32 (columns,)
        Line integrals.
    """
    if not np.isfinite(row).all():
        return "The row has values that are not finite: check flats and darks."
    lowest, highest = float(row.min()), float(row.max())
    if lowest == highest:
        return f"All values of the row are {lowest:g}: a blocked beam or a frozen camera."
    darkest = -np.log(SMALLEST_TRANSMISSION)
    clipped = np.count_nonzero(row >= 0.999 * darkest) / row.size
    if clipped > 0.5:
        return f"{clipped:.0%} of the row are as dark as without beam: shutter or beam."
    # About half of a frame without beam lies above its mean dark, by noise alone.
    if clipped > 0.25 and float(np.quantile(row, 0.1)) > -np.log(NO_BEAM_TRANSMISSION):
        return f"Hardly a column is brighter than {NO_BEAM_TRANSMISSION:.0%}: shutter or beam."
    return None


def _checked_mask(image: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    if image.ndim != 2 or image.shape[0] != image.shape[1]:
        raise ValueError(f"A slice is square, (N, N); this one has shape {image.shape}.")
    mask = disc(image.shape[0]) if mask is None else mask
    if mask.shape != image.shape:
        raise ValueError(f"The mask {mask.shape} must have the shape of the slice {image.shape}.")
    if not mask.any():
        raise ValueError("The mask selects no pixel of the slice.")
    return mask
