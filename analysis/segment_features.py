"""What the segmenter sees of a slice: grey values on the scale of its own phases, at many scales.

Features are numbers of pixels' surroundings; none of them knows a place or a direction.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel
from voltomo.analysis.quality import noise_sigma
from voltomo.analysis.typed_scipy import close_image, open_image, smooth_image

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIGMAS = (0.8, 1.6, 3.2, 6.4, 12.8)
"""Of Gaussian smoothing, in pixels; gradient and curvature are taken at all but the last."""
CLOSINGS = (2, 4, 8)
"""Half widths of squares that close dark slits, in pixels."""
NAMES = (
    "grey value",
    *(f"smoothed over {sigma:g}" for sigma in SIGMAS),
    *(f"gradient at {sigma:g}" for sigma in SIGMAS[:-1]),
    *(f"greatest curvature at {sigma:g}" for sigma in SIGMAS[:-1]),
    *(f"least curvature at {sigma:g}" for sigma in SIGMAS[:-1]),
    *(f"closed over {width}" for width in CLOSINGS),
    "depth of slits",
    "height of specks",
    "roughness",
)
MARGIN = 16
"""Features within so many pixels of the slice's edge know what lies beyond it only in part."""
_BINS = 512
_LEAST_BRIGHT = 0.01
_GREATEST = 6.0


@dataclass(frozen=True)
class Anchors:
    """The two phases that a slice is measured by.

    Attributes
    ----------
    low, high : float
        Attenuation per pixel of what is dark and what is bright: of electrolyte and of active
        material, where the slice shows an electrode.
    noise : float
        Standard deviation of the noise, attenuation per pixel.
    bright_part : float
        Part of the pixels that lie nearer to `high`.
    """

    low: float
    high: float
    noise: float
    bright_part: float

    @property
    def contrast_to_noise(self) -> float:
        """Distance of the phases in standard deviations of the noise."""
        return (self.high - self.low) / self.noise if self.noise > 0 else float("inf")


def find_anchors(image: Image, mask: Mask) -> Anchors:
    """The two phases of a slice, by the threshold that parts them best (Otsu).

    N. Otsu, IEEE Transactions on Systems, Man, and Cybernetics 9, 62 (1979). A bright phase of
    less than a hundredth of the pixels is taken for metal and left out.

    Parameters
    ----------
    image : float32 (N, N)
        Attenuation per pixel.
    mask : bool (N, N)
        Pixels that count.

    Raises
    ------
    ValueError
        If the slice has one value only: nothing to part.
    """
    values = smooth_image(image, 1.0)[mask]
    bright = values > _otsu(values)
    for _ in range(3):
        if float(bright.mean()) >= _LEAST_BRIGHT:
            break
        values = values[~bright]
        bright = values > _otsu(values)
    part = float(bright.mean())
    low, high = float(np.median(values[~bright])), float(np.median(values[bright]))
    if not high > low:
        raise ValueError(
            "The slice shows a single grey value: phases cannot be told apart. Nothing was "
            "segmented: wait for more views, or show another height."
        )
    return Anchors(low, high, noise_sigma(image, mask), part)


def _otsu(values: NDArray[np.float32]) -> float:
    lowest, highest = float(values.min()), float(values.max())
    if not highest > lowest:
        raise ValueError(
            f"All pixels of the slice are {lowest:g}: phases cannot be told apart. Nothing was "
            f"segmented: wait for more views, or show another height."
        )
    width = (highest - lowest) / _BINS
    places = ((values - np.float32(lowest)) * np.float32(1 / width)).astype(np.int64)
    counts = np.bincount(np.minimum(places, _BINS - 1), minlength=_BINS).astype(np.float64)
    middles = lowest + (np.arange(_BINS) + 0.5) * width
    below = np.cumsum(counts)
    first = np.cumsum(counts * middles)
    above = below[-1] - below
    valid = (below > 0) & (above > 0)
    between = np.zeros(_BINS)
    between[valid] = (first[-1] * below[valid] / below[-1] - first[valid]) ** 2 / (
        below[valid] * above[valid]
    )
    return lowest + (int(between.argmax()) + 1) * width


@kernel
def _differences(
    smooth: NDArray[np.float32], scale: float, gradient: NDArray[np.float32],
    greatest: NDArray[np.float32], least: NDArray[np.float32],
) -> None:  # fmt: skip
    """Gradient and eigenvalues of the second derivatives, times σ and σ²; zero at the edge."""
    rows, columns = smooth.shape
    first, second = np.float32(0.5 * scale), np.float32(scale * scale)
    for row in range(1, rows - 1):
        above, here, below = smooth[row - 1], smooth[row], smooth[row + 1]
        slope, more, less = gradient[row], greatest[row], least[row]
        for column in range(1, columns - 1):
            across = (here[column + 1] - here[column - 1]) * first
            along = (below[column] - above[column]) * first
            slope[column] = np.sqrt(across * across + along * along)
            xx = (here[column + 1] - 2 * here[column] + here[column - 1]) * second
            yy = (below[column] - 2 * here[column] + above[column]) * second
            xy = below[column + 1] - below[column - 1] - above[column + 1] + above[column - 1]
            xy *= np.float32(0.25) * second
            half, away = (xx + yy) * np.float32(0.5), (xx - yy) * np.float32(0.5)
            root = np.sqrt(away * away + xy * xy)
            more[column] = half + root
            less[column] = half - root


def features(image: Image, anchors: Anchors) -> Image:
    """All features of a slice.

    Parameters
    ----------
    image : float32 (N, N)
        Attenuation per pixel.
    anchors : Anchors
        From `find_anchors`: grey values become 0 at the low and 1 at the high phase.

    Returns
    -------
    float32 (features, N, N)
        In the order of `NAMES`.
    """
    grey = (image - np.float32(anchors.low)) * np.float32(1 / (anchors.high - anchors.low))
    np.clip(grey, -_GREATEST, _GREATEST, out=grey)
    out = np.zeros((len(NAMES), *image.shape), np.float32)
    scales = len(SIGMAS)
    out[0] = grey
    for number, sigma in enumerate(SIGMAS):
        out[1 + number] = smooth_image(grey, sigma)
    place = 1 + scales
    for number, sigma in enumerate(SIGMAS[:-1]):
        _differences(
            out[1 + number], sigma, out[place + number], out[place + scales - 1 + number],
            out[place + 2 * (scales - 1) + number],
        )  # fmt: skip
    place += 3 * (scales - 1)
    fine = out[1]
    for number, width in enumerate(CLOSINGS):
        out[place + number] = close_image(fine, 2 * width + 1)
    place += len(CLOSINGS)
    out[place] = out[place - 2] - fine
    out[place + 1] = fine - open_image(fine, 2 * CLOSINGS[1] + 1)
    square = smooth_image(fine * fine, SIGMAS[2]) - out[3] * out[3]
    out[place + 2] = np.sqrt(np.maximum(square, 0))
    return out
