"""From counts to line integrals."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.compiled import kernel

# Below this a pixel tells no more than "dark": one count in a hundred thousand.
SMALLEST_TRANSMISSION = 1e-5


@kernel
def transmit(
    frame: NDArray[np.float32],
    flat: NDArray[np.float32],
    dark: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Write the transmission of flat arrays into `out`; see `transmission`."""
    smallest = np.float32(SMALLEST_TRANSMISSION)
    for i in range(frame.size):
        beam = flat[i] - dark[i]
        value = (frame[i] - dark[i]) / beam if beam > 0 else np.float32(1)
        out[i] = max(value, smallest)


@kernel
def _insert(ordered: NDArray[np.float32], held: int, value: float) -> None:
    """Put a value into its place among the first ones, which are in order."""
    at = held
    while at > 0 and ordered[at - 1] > value:
        ordered[at] = ordered[at - 1]
        at -= 1
    ordered[at] = value


@kernel
def _robust_mean(values: NDArray[np.float32], threshold: float, out: NDArray[np.float32]) -> None:
    """Write means of columns without outliers; the rule is that of `mean_field`."""
    count = values.shape[0]
    ordered, away = np.empty(count, np.float32), np.empty(count, np.float32)
    half = count // 2
    for pixel in range(values.shape[1]):
        for k in range(count):
            _insert(ordered, k, values[k, pixel])
        median = ordered[half]
        if count % 2 == 0:
            median = np.float32(0.5) * (ordered[half - 1] + median)
        for k in range(count):
            _insert(away, k, abs(ordered[k] - median))
        deviation = away[half]
        if count % 2 == 0:
            deviation = np.float32(0.5) * (away[half - 1] + deviation)
        limit = threshold * max(1.4826 * deviation, np.sqrt(max(abs(median), 1.0)))
        total, kept = 0.0, 0
        for k in range(count):
            if abs(ordered[k] - median) <= limit:
                total += ordered[k]
                kept += 1
        out[pixel] = np.float32(total / kept)


def transmission(
    frame: NDArray[Any],
    flat: NDArray[Any],
    dark: NDArray[Any],
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return (frame - dark) / (flat - dark), not below `SMALLEST_TRANSMISSION`.

    Parameters
    ----------
    frame, flat, dark : uint16 or float, one shape
        Counts: a frame or some of its rows, and the same rows of the mean flat and dark.
    out : float32, contiguous, optional
        Where to write.

    Returns
    -------
    float32
        1 where the flat is not above the dark (`dead_pixels`): such a pixel knows nothing.

    Raises
    ------
    ValueError
        If shapes differ or counts are not finite.
    """
    if not frame.shape == flat.shape == dark.shape:
        raise ValueError(
            f"Frame, flat and dark must have one shape; they have {frame.shape}, {flat.shape} "
            f"and {dark.shape}. Nothing was normalised: check the region that is read."
        )
    if out is None:
        out = np.empty(frame.shape, np.float32)
    elif out.shape != frame.shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(
            f"The result needs a contiguous float32 array of shape {frame.shape}, not "
            f"{out.dtype} of {out.shape}."
        )
    counts = [_float32(frame, "frame"), _float32(flat, "flat"), _float32(dark, "dark")]
    transmit(counts[0], counts[1], counts[2], out.reshape(-1))
    return out


def line_integrals(
    frame: NDArray[Any],
    flat: NDArray[Any],
    dark: NDArray[Any],
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Return -log of `transmission`, with the same parameters and errors.

    Clipped pixels give -log(`SMALLEST_TRANSMISSION`) = 11.5; dead pixels give 0.
    """
    result = transmission(frame, flat, dark, out)
    np.log(result, out=result)
    return np.negative(result, out=result)


def mean_transmission(frame: NDArray[Any], flat: NDArray[Any], dark: NDArray[Any]) -> float:
    """Mean of `transmission` over all pixels whose flat is above the dark.

    Raises
    ------
    ValueError
        If no pixel of the flat is above the dark, or as `transmission` does.
    """
    alive = ~dead_pixels(flat, dark)
    if not alive.any():
        raise ValueError(
            "No pixel of the flat is brighter than the dark, so there is no transmission: "
            "was the shutter closed during the flats?"
        )
    return float(transmission(frame, flat, dark)[alive].mean(dtype=np.float64))


def dead_pixels(flat: NDArray[Any], dark: NDArray[Any]) -> NDArray[np.bool_]:
    """Mask of the pixels whose mean flat is not above their mean dark."""
    return np.asarray(flat, np.float32) <= np.asarray(dark, np.float32)


def mean_field(frames: NDArray[Any], threshold: float = 5.0) -> NDArray[np.float32]:
    """Mean of flats or darks, pixel by pixel, without zingers.

    Parameters
    ----------
    frames : uint16 or float (frames, ...)
        Flats or darks.
    threshold : float
        From three frames on, values farther than this many standard deviations from the
        pixel's median are left out. The deviation is the larger of the pixel's own (from
        the median absolute deviation) and the Poisson deviation of its median.

    Returns
    -------
    float32 (...)
        The mean field.

    Raises
    ------
    ValueError
        If there are no frames or values are not finite.
    """
    if frames.ndim < 2 or len(frames) == 0:
        raise ValueError(f"A mean field needs (frames, ...) with 1 or more; got {frames.shape}.")
    values = frames.astype(np.float32)
    if not np.isfinite(values).all():
        raise ValueError(f"The {len(values)} flats or darks have values that are not finite.")
    if len(values) < 3:
        return values.mean(axis=0, dtype=np.float64).astype(np.float32)
    mean = np.empty(values[0].size, np.float32)
    _robust_mean(values.reshape(len(values), -1), threshold, mean)
    return mean.reshape(values.shape[1:])


def _float32(counts: NDArray[Any], name: str) -> NDArray[np.float32]:
    if counts.dtype.kind not in "uif":
        raise ValueError(f"Counts of the {name} must be numbers, not {counts.dtype}.")
    values = np.ascontiguousarray(counts, np.float32).reshape(-1)
    if counts.dtype.kind == "f" and not np.isfinite(values).all():
        bad = int(values.size - np.isfinite(values).sum())
        raise ValueError(
            f"The {name} has {bad} of {values.size} values that are not finite. Nothing was "
            f"normalised: leave this frame out."
        )
    return values
