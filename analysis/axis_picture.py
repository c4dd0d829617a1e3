"""A picture by which a person sees whether the axis is right."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.axis_search import AxisFound, opposite_pairs
from voltomo.analysis.batch import fbp

Image = NDArray[np.float32]

TILE = 160
# Columns off the axis that was found; the middle slice must be the sharpest.
OFF = (-2.0, -1.0, 0.0, 1.0, 2.0)


def axis_picture(
    projections: Image, angles_deg: ArrayLike, found: AxisFound, row: int | None = None
) -> NDArray[np.uint8]:
    """Slices at five positions of the axis, above how well opposite projections match.

    Parameters
    ----------
    projections : float32 (views, rows, columns)
        As given to `voltomo.analysis.axis_search.find_axis`.
    angles_deg : array_like (views,)
        Their angles.
    found : AxisFound
        What it found.
    row : int, optional
        Row of the slices; the middle one by default.

    Returns
    -------
    uint8 (height, width)
        Grey. Upper strip: slices with the axis 2 and 1 columns to the left, as found, 1 and 2 to
        the right. Lower strip, where views have opposites: a projection less its mirrored
        opposite; even grey is a match, a relief is an axis that is off.
    """
    angles = np.asarray(angles_deg, np.float64)
    rows, columns = int(projections.shape[1]), int(projections.shape[2])
    sinogram = np.ascontiguousarray(projections[:, rows // 2 if row is None else row])
    size = min(columns, 2 * TILE)
    slices = [
        fbp(sinogram, angles, min(max(found.axis_column + off, 0.0), columns - 1.0), size)
        for off in OFF
    ]
    low, high = np.percentile(slices[len(OFF) // 2], (0.5, 99.5))
    tiles = [_grey(_fitted(one, TILE, TILE), float(low), float(high)) for one in slices]
    picture = np.concatenate(tiles, axis=1)
    pairs = opposite_pairs(angles, 1)
    if not pairs:
        return picture
    view, near, next_, part = pairs[0]
    first = projections[view]
    opposite = projections[near] + np.float32(part) * (projections[next_] - projections[near])
    at = 2 * found.axis_column - np.arange(columns)
    place = np.clip(at, 0, columns - 1)
    left = np.minimum(place.astype(np.int64), columns - 2)
    share = (place - left).astype(np.float32)
    mirrored = opposite[:, left] * (1 - share) + opposite[:, left + 1] * share
    seen = (at >= 0) & (at <= columns - 1)
    difference = np.where(seen, first - mirrored, 0).astype(np.float32)
    reach = 0.1 * float(np.quantile(first, 0.99)) or 1.0
    height = min(rows, TILE)
    below = _grey(_fitted(difference, height, picture.shape[1]), -reach, reach)
    return np.concatenate([picture, below])


def _fitted(image: Image, height: int, width: int) -> Image:
    """The image at another size, by the nearest pixel."""
    row = np.arange(height) * image.shape[0] // height
    column = np.arange(width) * image.shape[1] // width
    return image[row][:, column]


def _grey(image: Image, low: float, high: float) -> NDArray[np.uint8]:
    span = high - low if high > low else 1.0
    return np.clip((image - low) / span * 255, 0, 255).astype(np.uint8)
