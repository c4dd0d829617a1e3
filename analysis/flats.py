"""Flats that drift: interpolated in time, or fitted to each frame as few eigenflats."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voltomo.analysis.normalise import mean_field
from voltomo.analysis.typed_scipy import smooth_image

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

# Fitting needs the pattern, not every pixel: frames are averaged down to about this size.
FIT_SIZE = 128
FIT_SMOOTHING = 1.0
# An eigenflat is kept if it is this much stronger than the noise of the flats alone makes one.
ABOVE_NOISE = 1.3


@dataclass(frozen=True)
class FlatsInTime:
    """Mean flats with their places in the scan.

    Attributes
    ----------
    places : float64 (groups,)
        Where each group of flats lies, in whatever counts frames (their numbers, or seconds).
    means : float32 (groups, rows, columns)
        Mean of each group, without zingers.
    """

    places: Floats
    means: Image

    @classmethod
    def of(cls, flats: NDArray[Any], places: ArrayLike | None = None) -> "FlatsInTime":
        """Groups of flats that were taken in a row; one group where places are not known.

        Parameters
        ----------
        flats : uint16 or float (flats, rows, columns)
            All flats.
        places : array_like (flats,), optional
            Ascending; flats whose places follow on each other by the smallest step found are one
            group.
        """
        if places is None or len(flats) < 2:
            return cls(np.zeros(1), mean_field(flats)[None])
        at = np.asarray(places, np.float64)
        if at.shape != (len(flats),) or (np.diff(at) <= 0).any():
            raise ValueError(
                f"Flats need one ascending place each; there are {at.size} places for "
                f"{len(flats)} flats, or they do not ascend."
            )
        step = np.diff(at)
        ends = [0, *(np.flatnonzero(step > 1.5 * step.min()) + 1).tolist(), len(at)]
        groups = [slice(a, b) for a, b in itertools.pairwise(ends)]
        means = np.stack([mean_field(flats[group]) for group in groups])
        return cls(np.array([at[group].mean() for group in groups]), means)

    def at(self, place: float) -> Image:
        """The flat at a place of the scan, by a straight line in time; constant beyond the ends."""
        after = int(np.searchsorted(self.places, place))
        if after == 0 or after == len(self.places):
            return self.means[min(after, len(self.places) - 1)]
        before = after - 1
        part = (place - self.places[before]) / (self.places[after] - self.places[before])
        low, high = self.means[before], self.means[after]
        return (low + np.float32(part) * (high - low)).astype(np.float32)

    def brightness(self, dark: NDArray[Any]) -> Floats:
        """Mean logarithm of each group's counts above the dark, (groups,)."""
        return np.array([float(_log(mean, dark).mean(dtype=np.float64)) for mean in self.means])

    @property
    def mean(self) -> Image:
        """The mean of all groups."""
        return self.means.mean(axis=0, dtype=np.float64).astype(np.float32)


@dataclass(frozen=True)
class EigenFlats:
    """Flats as a mean and the few patterns in which they differ.

    Principal components of the logarithms of the flats; their share in each frame is found from
    the frame itself, by the least absolute gradient of what remains. The sample has few edges
    and the pattern of the beam is everywhere (after Van Nieuwenhove et al., Optics Express 23,
    2015, 27975, who minimise the total variation of the ratio instead; on logarithms the same
    idea is a linear fit). Overall brightness is left to the monitor or to time.

    Attributes
    ----------
    middle : float32 (rows, columns)
        Mean logarithm of the flats above the dark, its own mean taken off.
    patterns : float32 (patterns, rows, columns)
        Eigenflats, with mean zero and standard deviation one.
    """

    middle: Image
    patterns: Image

    @classmethod
    def of(cls, flats: NDArray[Any], dark: NDArray[Any], at_most: int = 3) -> "EigenFlats":
        """Decompose flats.

        Parameters
        ----------
        flats : uint16 or float (flats, rows, columns)
            Four or more, spread over the drift that is to be followed.
        dark : float (rows, columns)
            The mean dark.
        at_most : int
            Patterns that are kept, fewer where the rest is noise.

        Raises
        ------
        ValueError
            If there are too few flats, or shapes differ.
        """
        if len(flats) < 4 or flats.shape[1:] != dark.shape:
            raise ValueError(
                f"Eigenflats need four or more flats in the shape of the dark; there are "
                f"{flats.shape} and {dark.shape}. Use interpolated flats."
            )
        logs = np.stack([_log(flat, dark) for flat in flats])
        logs -= logs.mean(axis=(1, 2), keepdims=True)
        middle = logs.mean(axis=0)
        logs -= middle
        rows = logs.reshape(len(logs), -1)
        # Flats are few and pixels many: the small matrix of their products has it all.
        power, mixing = np.linalg.eigh((rows @ rows.T).astype(np.float64))
        strongest = np.argsort(power)[::-1][:at_most]
        noise = _noise_power(logs)
        kept = [int(i) for i in strongest if power[i] > ABOVE_NOISE * noise]
        patterns = (mixing[:, kept].T.astype(np.float32) @ rows).reshape(-1, *middle.shape)
        spread = patterns.std(axis=(1, 2), keepdims=True)
        return cls(middle, patterns / spread)

    def shares(self, frame: NDArray[Any], dark: NDArray[Any]) -> Floats:
        """How much of each pattern a frame holds, (patterns,).

        Parameters
        ----------
        frame, dark : (rows, columns)
            A projection, and the mean dark.
        """
        if not len(self.patterns):
            return np.zeros(0)
        slope = _slopes(_log(frame, dark) - self.middle)
        base = np.stack([_slopes(pattern) for pattern in self.patterns], axis=1)
        found = np.linalg.lstsq(base, slope, rcond=None)[0]
        for _ in range(12):
            off = np.abs(slope - base @ found)
            weight = 1 / np.sqrt(off + 0.1 * float(np.median(off)) + 1e-9)
            found = np.linalg.lstsq(base * weight[:, None], slope * weight, rcond=None)[0]
        return np.asarray(found, np.float64)

    def flat(self, shares: ArrayLike, dark: NDArray[Any], brightness: float) -> Image:
        """The flat, dark included, of these shares and this mean logarithm (`FlatsInTime`)."""
        weights = np.asarray(shares, np.float32)
        log = np.tensordot(weights, self.patterns, axes=1) + np.float32(brightness)
        return (np.exp(self.middle + log) + dark).astype(np.float32)


def flats_that_differ(
    flats: NDArray[Any], dark: NDArray[Any], by: float = 0.15, area: float = 0.01
) -> list[int]:
    """Numbers of flats of which a part is darker than in most: something stood in the beam.

    Parameters
    ----------
    flats : (flats, rows, columns)
        All flats.
    dark : (rows, columns)
        The mean dark.
    by, area : float
        Darker by this part, in this part of the area.
    """
    small = np.stack([_binned(np.asarray(flat, np.float32) - dark, 64) for flat in flats])
    level = np.median(small, axis=0)
    lit = level > 0.05 * float(np.quantile(level, 0.95))
    darker = [(one[lit] < (1 - by) * level[lit]).mean() for one in small]
    return [number for number, part in enumerate(darker) if part > area]


def brighter_than_flats(transmissions: NDArray[np.float32], by: float = 0.1) -> float:
    """Part of the area of projections where they are brighter than the flats.

    Parameters
    ----------
    transmissions : float32 (views, rows, columns)
        Some projections, spread over the turn.
    by : float
        Brighter by this part.

    Returns
    -------
    float
        More than about .01 says that the sample stood in the flats, or that the beam changed.
    """
    return float(np.mean([(_binned(one, 64) > 1 + by).mean() for one in transmissions]))


def _log(frame: NDArray[Any], dark: NDArray[Any]) -> Image:
    beam = np.asarray(frame, np.float32) - np.asarray(dark, np.float32)
    return np.log(np.maximum(beam, 1.0))


def _noise_power(logs: Image) -> float:
    """Power that noise of single pixels gives to each component."""
    apart = logs[1:] - logs[:-1]
    fine = apart[:, :, 2:] - 2 * apart[:, :, 1:-1] + apart[:, :, :-2]
    sigma = 1.4826 * float(np.median(np.abs(fine))) / np.sqrt(6 * 2)
    return sigma**2 * logs[0].size


def _slopes(image: Image) -> Floats:
    # Noise in the patterns would lower the shares that are found.
    small = smooth_image(_binned(image, FIT_SIZE), FIT_SMOOTHING)
    parts = [np.diff(small, axis=axis).ravel() for axis in (0, 1)]
    return np.concatenate(parts).astype(np.float64)


def _binned(image: NDArray[Any], size: int) -> Image:
    """Means over blocks, so that neither side is much longer than `size`."""
    by: Sequence[int] = [max(1, length // size) for length in image.shape]
    rows, columns = image.shape[0] // by[0], image.shape[1] // by[1]
    whole = image[: rows * by[0], : columns * by[1]].reshape(rows, by[0], columns, by[1])
    return whole.mean(axis=(1, 3), dtype=np.float32)
