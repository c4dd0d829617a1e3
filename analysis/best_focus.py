"""Where the camera is in focus, from radiographs at a few of its places."""

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.typed_scipy import rfft_image, robust_fit
from voltomo.model.alignment import Estimate, unknown

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

# Frequencies, in cycles a pixel, in which defocus shows and noise does not rule.
LOW, HIGH = 0.03, 0.25
FEWEST_PLACES = 4
# The sharpest place must show so many times the fine structure of the least sharp one.
SMALLEST_CONTRAST = 1.15


def sharpness_of_pairs(pairs: NDArray[np.float32]) -> Floats:
    """Power of the fine structure that two radiographs of each place share, (places,).

    Noise of the two is not the same, so that their cross spectrum holds none of it on average.

    Parameters
    ----------
    pairs : float32 (places, 2, rows, columns)
        Line integrals.
    """
    return np.array([_shared_power(one, other) for one, other in pairs])


def _shared_power(one: Image, other: Image) -> float:
    rows, columns = int(one.shape[0]), int(one.shape[1])
    window = np.hanning(rows)[:, None] * np.hanning(columns)[None, :]
    spectra = [
        rfft_image(((view - view.mean()) * window).astype(np.float32)) for view in (one, other)
    ]
    up = np.fft.fftfreq(rows)[:, None]
    across = np.fft.rfftfreq(columns)[None, :]
    frequency = np.hypot(up, across)
    # Errors of columns stay where they are in focus and out of it.
    band = (frequency > LOW) & (frequency < HIGH) & (np.abs(up) > 1.5 / rows)
    cross = np.real(spectra[0] * np.conj(spectra[1]))
    # Weighted by frequency squared: what defocus takes first.
    return float((cross * frequency**2)[band].sum())


def best_focus(places: NDArray[np.float64], pairs: NDArray[np.float32]) -> Estimate:
    """Place of the focus at which radiographs are sharpest.

    The power that is left, ``(c + (f - f0)²)^-b``, is that of a spectrum which falls as a power of
    the frequency, behind a point spread whose variance grows with the square of the distance from
    the focus.

    Parameters
    ----------
    places : float64 (places,)
        Of the focus, in mm; four or more, on both sides of the sharpest.
    pairs : float32 (places, 2, rows, columns)
        Two radiographs at each.

    Returns
    -------
    Estimate
        In mm; without a value where the sharpest place lies at an end, or none is sharper.
    """
    order = np.argsort(places)
    place, power = places[order].astype(np.float64), sharpness_of_pairs(pairs[order])
    if len(place) < FEWEST_PLACES:
        return unknown(f"{len(place)} places of the focus are too few")
    if not (power > 0).all() or power.max() < SMALLEST_CONTRAST * power.min():
        return unknown("the radiographs are as sharp at every place of the focus")
    best = int(np.argmax(power))
    if best in (0, len(place) - 1):
        side = "below" if best == 0 else "above"
        return unknown(f"it lies {side} the places that were tried")
    return _fitted(place, power, best)


def _fitted(place: Floats, power: Floats, best: int) -> Estimate:
    step = float(np.median(np.diff(place)))
    scale = float(power[best])

    def shape(p: Floats) -> Floats:
        return p[3] - p[2] * np.log(np.exp(p[1]) + ((place - p[0]) / step) ** 2)

    def residual(p: Floats) -> Floats:
        return shape(p) - np.log(power / scale)

    start = np.array([float(place[best]), 0.0, 1.0, 0.0])
    low = np.array([float(place[best - 1]), -6.0, 0.1, -20.0])
    high = np.array([float(place[best + 1]), 4.0, 8.0, 20.0])
    found = robust_fit(residual, start, (low, high), np.array([step, 1.0, 1.0, 1.0]), 1.0)
    left = residual(found)
    columns: list[Floats] = []
    for number, small in enumerate((1e-4 * step, 1e-4, 1e-4, 1e-4)):
        moved = found.copy()
        moved[number] += small
        columns.append((residual(moved) - left) / small)
    jacobian = np.stack(columns, axis=1)
    # The model is not the sample's own spectrum: a hundredth of the power is not to be believed.
    variance = max(float(left @ left) / max(1, len(place) - 4), 0.02**2)
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * variance
    sigma = math.sqrt(float(covariance[0, 0]))
    if not sigma < step:
        return unknown("the radiographs do not agree on where they are sharpest")
    return Estimate(float(found[0]), max(sigma, 0.01 * step))
