"""One time point laid upon the last, so that their difference shows what changed and no shift."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.measure import SIGMAS
from voltomo.analysis.typed_scipy import (
    sample_spline,
    shift_spline,
    slope_along,
    smooth_image,
    spline_image,
)
from voltomo.analysis.typed_skimage import whole_shift

Image = NDArray[np.float32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SMOOTHING = 1.5
# Beyond this many of its own deviations, a pixel has changed and says nothing of the shift.
CHANGED = 3.0
POINTS_AT_MOST = 300_000
_ROUNDS = 25


@dataclass(frozen=True)
class Shift:
    """How far a time point lies from the one before it.

    Attributes
    ----------
    pixels : tuple of float
        By how many pixels it lies farther on, along each axis of the array.
    sigma : tuple of float
        Their standard deviations, from the mismatch that remains.
    """

    pixels: tuple[float, ...]
    sigma: tuple[float, ...]

    @property
    def distance(self) -> float:
        """Length of the shift."""
        return math.hypot(*self.pixels)

    @property
    def certain(self) -> bool:
        """Whether it is known to half a pixel along each axis, 95 times in a hundred."""
        return all(SIGMAS * one < 0.5 for one in self.sigma)


@dataclass(frozen=True)
class Difference:
    """What changed from one time point to the next.

    Attributes
    ----------
    image : float32 (N, N) or (N, N, N)
        The later one, laid upon the earlier, less the earlier; 0 where it is not seen.
    noise : float
        Standard deviation of the difference where nothing changed.
    shift : Shift
        That was taken out.
    seen : bool, same shape
        Where both show the sample.
    """

    image: Image
    noise: float
    shift: Shift
    seen: Mask

    @property
    def significance(self) -> Image:
        """The difference in units of its noise."""
        return self.image / np.float32(max(self.noise, 1e-30))


def find_shift(earlier: Image, later: Image, mask: Mask | None = None) -> Shift:
    """By how much a slice or volume has moved, to a fraction of a pixel.

    Phase correlation gives the whole pixels (scikit-image), least squares on the smoothed grey
    values the rest. What changed between the two counts less the more it changed, so that a new
    bubble does not pull.

    Parameters
    ----------
    earlier, later : float32 (N, N) or (N, N, N), or any other sides
        On the same grid.
    mask : bool, same shape, optional
        Where to look; all by default.

    Raises
    ------
    ValueError
        Shapes differ, values are not finite, or nothing shows by which they could be registered.
    """
    _demand(earlier, later, mask)
    points = _points(earlier.shape, mask)
    guess = whole_shift(_prepared(earlier, mask), _prepared(later, mask))
    limit = [side / 2 for side in earlier.shape]
    if any(abs(one) > most for one, most in zip(guess, limit, strict=True)):
        guess = tuple(0.0 for _ in guess)
    shift, sigma = _refined(earlier, later, np.asarray(guess, np.float64), points)
    return Shift(tuple(map(float, shift)), tuple(map(float, sigma)))


def difference(
    earlier: Image, later: Image, mask: Mask | None = None, shift: Shift | None = None
) -> Difference:
    """The later time point, laid upon the earlier one, less it.

    Parameters
    ----------
    earlier, later : float32, one shape
        Slices or volumes on the same grid.
    mask : bool, same shape, optional
        Where to look.
    shift : Shift, optional
        If it is known; else it is found.

    Raises
    ------
    ValueError
        As `find_shift`.
    """
    _demand(earlier, later, mask)
    found = find_shift(earlier, later, mask) if shift is None else shift
    moved, seen = laid_upon(later, found)
    if mask is not None:
        seen &= mask
    image = np.where(seen, moved - earlier, np.float32(0)).astype(np.float32)
    values = image[seen]
    if values.size == 0:
        raise ValueError(
            f"The shift of {found.distance:.1f} pixels leaves nothing that both time points show."
        )
    middle = float(np.median(values))
    # Changes are few: the middle of the values is noise, whatever became of the rest.
    noise = 1.4826 * float(np.median(np.abs(values - middle)))
    return Difference(image, noise, found, seen)


def laid_upon(later: Image, shift: Shift) -> tuple[Image, Mask]:
    """A time point moved back by its shift, and where that is not beyond its edges."""
    moved = shift_spline(later, [-one for one in shift.pixels])
    seen = np.ones(later.shape, np.bool_)
    for axis, pixels in enumerate(shift.pixels):
        place = np.arange(later.shape[axis], dtype=np.float64) + pixels
        inside: Mask = (place >= 0) & (place <= later.shape[axis] - 1)
        seen = np.logical_and(seen, _along(inside, axis, later.ndim))
    return moved, seen


def differences(series: Iterable[Image], mask: Mask | None = None) -> Iterator[Difference]:
    """Each time point of a series against the last before it.

    Parameters
    ----------
    series : iterable of float32
        Slices or volumes; two are held at a time.
    mask : bool, optional
        Where to look.

    Yields
    ------
    Difference
        One fewer than there are time points.
    """
    last: Image | None = None
    for image in series:
        if last is not None:
            yield difference(last, image, mask)
        last = image


def _demand(earlier: Image, later: Image, mask: Mask | None) -> None:
    shapes = {earlier.shape, later.shape}
    if mask is not None:
        shapes.add(mask.shape)
    if len(shapes) > 1 or earlier.ndim not in (2, 3) or min(earlier.shape) < 8:
        raise ValueError(
            f"Two slices or volumes of one shape, 8 pixels or more along each side, can be "
            f"registered; they have {', '.join(map(str, sorted(shapes)))}."
        )
    if not (np.isfinite(earlier).all() and np.isfinite(later).all()):
        raise ValueError("A time point to register has values that are not finite.")
    if np.ptp(earlier) == 0 or np.ptp(later) == 0:
        raise ValueError("A time point to register is constant: there is nothing to lay upon it.")


def _prepared(image: Image, mask: Mask | None) -> Image:
    """For phase correlation: edges of the frame and what is outside of the mask say nothing."""
    values = smooth_image(image.astype(np.float32), 1.0)
    window = np.ones(image.shape, np.float32)
    for axis, side in enumerate(image.shape):
        taper = np.hanning(side + 2)[1:-1].astype(np.float32)
        window *= _along(np.sqrt(taper), axis, image.ndim)
    if mask is not None:
        window *= mask
    mean = float((values * window).sum() / max(float(window.sum()), 1e-9))
    return ((values - np.float32(mean)) * window).astype(np.float32)


def _along(values: NDArray[Any], axis: int, axes: int) -> NDArray[Any]:
    """Values of one axis, to be broadcast over all."""
    return values.reshape([-1 if i == axis else 1 for i in range(axes)])


def _points(shape: tuple[int, ...], mask: Mask | None) -> Floats:
    """Places (axes, n) to compare at, away from the edges; not more than are needed."""
    margin = [min(4, side // 8) for side in shape]
    inside = np.zeros(shape, np.bool_)
    inside[tuple(slice(m, side - m) for m, side in zip(margin, shape, strict=True))] = True
    if mask is not None:
        inside &= mask
    place = np.flatnonzero(inside)
    if place.size < 64:
        raise ValueError("The mask leaves hardly any pixels to register by.")
    step = math.ceil(place.size / POINTS_AT_MOST)
    if step > 1:
        # Not every so many: they would lie on lines.
        place = np.random.default_rng(0).choice(place, POINTS_AT_MOST, replace=False)
    return np.stack(np.unravel_index(place, shape)).astype(np.float64)


def _refined(earlier: Image, later: Image, shift: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Robust least squares on the shift, with a free offset; its deviations too."""
    still = smooth_image(earlier.astype(np.float32), SMOOTHING).astype(np.float64)
    farther = smooth_image(later.astype(np.float32), SMOOTHING).astype(np.float64)
    spline = spline_image(farther)
    axes = earlier.ndim
    slopes = [slope_along(farther, axis) for axis in range(axes)]
    values = still[tuple(points.astype(np.int64))]
    limit = np.array(earlier.shape, np.float64)[:, None] - 1
    sigma = np.full(axes, np.inf)
    for _ in range(_ROUNDS):
        at = points + shift[:, None]
        inside = ((at >= 0) & (at <= limit)).all(axis=0)
        at = at[:, inside]
        if at.shape[1] < 64:
            raise ValueError("The time points do not overlap at the shift that fits them best.")
        residual = sample_spline(spline, at) - values[inside]
        residual -= float(np.median(residual))
        terms = np.stack(
            [*(sample_spline(one, at, order=1) for one in slopes), np.ones(at.shape[1])], 1
        )
        scale = 1.4826 * float(np.median(np.abs(residual))) + 1e-30
        weight = 1 / (1 + (residual / (CHANGED * scale)) ** 2) ** 2
        normal = (terms * weight[:, None]).T @ terms
        if not float(np.linalg.cond(normal[:axes, :axes])) < 1e8:
            raise ValueError("The time points have no edges by which they could be registered.")
        step = -np.linalg.solve(normal, (terms * weight[:, None]).T @ residual)[:axes]
        shift = shift + np.clip(step, -2, 2)
        sigma = _sigma(residual, weight, normal, axes, earlier.size / max(1, points.shape[1]))
        if float(np.abs(step).max()) < 1e-4:
            break
    return shift, sigma


def _sigma(
    residual: Floats, weight: Floats, normal: Floats, axes: int, pixels_a_point: float
) -> Floats:
    """Deviations of the shift: smoothing makes one measurement of so many neighbours."""
    together = max(1.0, (2 * math.sqrt(math.pi) * SMOOTHING) ** axes / pixels_a_point)
    variance = float((weight * residual**2).sum() / weight.sum()) * together
    covariance = np.linalg.inv(normal)[:axes, :axes] * variance
    return np.sqrt(np.maximum(np.diag(covariance), 0.0))
