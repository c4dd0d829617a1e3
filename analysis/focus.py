"""The value of a parameter at which slices are sharpest, with its uncertainty."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.disc import disc

# Figures of merit for a value of the parameter, one for each slice.
Figures = Callable[[float], NDArray[np.float64]]


def contrast(slices: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean square of each slice about its mean, (slices,), in the disc.

    Of a wrong axis or tilt, the views of a point do not meet: its peak is spread and the mean
    square falls, while noise keeps its own. Compared with negative values, total variation and
    entropy on noisy balls, this alone had no bias at half turns, full turns and few views.
    """
    mask = disc(slices.shape[-1], 0.85)
    inside = slices[:, mask].astype(np.float64)
    return inside.var(axis=1)


def agreement(parts: NDArray[np.float32]) -> NDArray[np.float64]:
    """How well slices from parts of the turn agree, (slices,): mean correlation of all pairs.

    For a tilt, which stretches what it does not sharpen, so that `contrast` favours wrong ones.

    Parameters
    ----------
    parts : float32 (parts, slices, N, N)
        Each from the views of one part of the turn, a quarter for example.
    """
    mask = disc(parts.shape[-1], 0.85)
    values = parts[:, :, mask].astype(np.float64)
    values -= values.mean(axis=-1, keepdims=True)
    values /= np.sqrt((values**2).sum(axis=-1, keepdims=True)) + 1e-30
    count = len(values)
    both = (values.sum(axis=0) ** 2).sum(axis=-1) - (values**2).sum(axis=(0, 2))
    return both / (count * (count - 1))


def _climb(at: Figures, start: float, step: float, steps: int, rounds: int) -> tuple[float, float]:
    """Go to where the mean figure is highest, with narrowing steps; the value and the last step."""
    middle, width = start, step
    moves = 0
    for narrow in (1.0, 0.35):
        width = step * narrow
        while True:
            values = _around(middle, width, steps)
            total = np.array([at(float(value)).mean() for value in values])
            best = int(np.argmax(total))
            middle = float(values[best])
            if 0 < best < 2 * steps:
                break
            moves += 1
            if moves > rounds:
                raise ValueError(
                    f"The slices get no sharper near {start:g} (tried to {middle:g}): the "
                    "parameter cannot be found from their quality. Give it by hand."
                )
    return middle, width


def sharpest(
    figures: Figures, start: float, step: float, steps: int = 3, rounds: int = 6
) -> tuple[float, float]:
    """Find the value whose figures are highest.

    Parameters
    ----------
    figures : callable
        `contrast` or `agreement` of three slices or more, always the same ones, for a value.
    start, step : float
        Middle of the search, and how far apart values are tried first.
    steps : int
        Values on each side of the middle.
    rounds : int
        The middle moves to the best value at most so often, then the step is narrowed.

    Returns
    -------
    value : float
        Where a parabola through the mean figure peaks.
    sigma : float
        Its standard deviation, from the scatter between slices.

    Raises
    ------
    ValueError
        The figures have no peak near the start.
    """
    known: dict[float, NDArray[np.float64]] = {}

    def at(value: float) -> NDArray[np.float64]:
        key = round(value, 9)
        if key not in known:
            known[key] = figures(value)
        return known[key]

    middle, width = _climb(at, start, step, steps, rounds)
    values = _around(middle, width, steps)
    table = np.stack([at(float(value)) for value in values])
    peaks = np.array([_peak(values, column) for column in table.T])
    good = peaks[np.isfinite(peaks)]
    if len(good) < max(2, 0.6 * len(peaks)):
        raise ValueError("The quality of the slices has no clear peak. Give the value by hand.")
    value = _peak(values, table.mean(axis=1))
    if not math.isfinite(value):
        raise ValueError("The quality of the slices has no clear peak. Give the value by hand.")
    # Robust, since a slice without edges wanders; few slices know their scatter badly.
    scatter = 1.4826 * float(np.median(np.abs(good - np.median(good))))
    scatter = max(scatter, 0.5 * float(good.std()))
    return value, scatter / math.sqrt(len(good)) * (1 + 2 / len(good))


def _around(middle: float, width: float, steps: int) -> NDArray[np.float64]:
    return np.linspace(middle - steps * width, middle + steps * width, 2 * steps + 1)


def _peak(values: NDArray[np.float64], figures: NDArray[np.float64]) -> float:
    """Top of the parabola through the values, NaN if it opens upwards or lies outside."""
    middle = values[len(values) // 2]
    x = values - middle
    terms = np.stack([x * x, x, np.ones(len(x))], axis=1)
    square, slope, _ = (float(v) for v in np.linalg.lstsq(terms, figures, rcond=None)[0])
    if not square < 0:
        return math.nan
    top = -slope / (2 * square)
    return float(middle + top) if abs(top) <= values[-1] - middle else math.nan
