"""Bubbles that were not there before: darker blobs in the difference of two registered volumes.

A difference shows three things: noise, edges that did not fall back onto themselves, and change.
Each scale's difference is therefore divided by its noise and by what a small misplacement would
make of the edges of the earlier volume; gas is what is dark beyond both, as dark as gas would be,
large and round.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voltomo.analysis.gas_registration import NotRegistered, registered
from voltomo.analysis.typed_scipy import label_blobs, smooth_image

Volume = NDArray[np.float32]

SCALES = (1.0, 1.6, 2.4, 3.6)
"""Standard deviations of the smoothing, in voxels."""
_EDGE = 3
"""Voxels at the edges of what both volumes show that are not looked at."""


@dataclass(frozen=True)
class GasSettings:
    """When a dark blob is gas.

    Parameters
    ----------
    threshold : float
        Least depth of a blob, in standard deviations of noise and misplacement together.
    misplaced_voxels : float
        How far edges may lie from where they were after registration; beyond, nothing is sought.
    least_voxels : float
        Smaller blobs are not reported.
    least_drop : float
        Least mean drop within the blob, over the attenuation of the liquid that gas displaces.
        Where phase makes the contrast, gas looks darker than its attenuation.
    least_roundness : float
        Volume of the blob over that of the ball round it.
    chance_place, chance_width : float
        Of the Gumbel distribution of the deepest blob in a million voxels without gas.
    same_voxels : float
        Blobs of two volumes nearer than this, plus their radius, are the same one.
    """

    threshold: float = 8.5
    misplaced_voxels: float = 0.5
    least_voxels: float = 8.0
    least_drop: float = 0.4
    least_roundness: float = 0.12
    chance_place: float = 5.8
    chance_width: float = 0.47
    same_voxels: float = 2.0


@dataclass(frozen=True)
class Bubble:
    """A blob of gas.

    Attributes
    ----------
    z, y, x : float
        Its centre, in voxels of the earlier volume.
    voxels : float
        Its volume.
    drop : float
        Mean fall of the attenuation per pixel within it.
    depth : float
        In standard deviations.
    confidence : float
        1 − the probability that the deepest blob of a volume without gas is as deep.
    """

    z: float
    y: float
    x: float
    voxels: float
    drop: float
    depth: float
    confidence: float


def find_gas(
    before: Volume,
    after: Volume,
    liquid: float,
    settings: GasSettings | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> tuple[Bubble, ...]:
    """Bubbles in `after` that were not in `before`, the deepest first.

    Parameters
    ----------
    before, after : float32 (Z, Y, X)
        Volumes, or a slice as a volume of depth 1, attenuation per pixel. They may be shifted;
        what is not seen in both holds no bubble.
    liquid : float
        Attenuation per pixel that the liquid shows, above that of gas.
    settings : GasSettings, optional
    mask : bool (Z, Y, X), optional
        Where gas can be; everywhere by default.

    Raises
    ------
    voltomo.analysis.gas_registration.NotRegistered
        The volumes could not be laid upon each other for certain.
    ValueError
        If shapes differ, values are not finite, or the liquid's attenuation is not above zero.
    """
    own = settings or GasSettings()
    if not liquid > 0:
        raise ValueError(f"The liquid's attenuation must be above zero, not {liquid}.")
    moved, seen = registered(before, after, own.misplaced_voxels)
    difference = moved - before
    depth, scale_of = _depth(before, difference, seen, own.misplaced_voxels)
    if mask is not None:
        depth[~mask] = 0
    found: list[Bubble] = []
    taken = np.zeros(depth.shape, np.bool_)
    places = np.argwhere(_is_peak(depth, own.threshold))
    for place in sorted(places.tolist(), key=lambda at: -float(depth[tuple(at)])):
        at = tuple(place)
        if taken[at]:
            continue
        scale = SCALES[int(scale_of[at])]
        bubble, blob = _blob(difference, depth, at, scale, own)
        taken |= blob
        good = (
            bubble.voxels >= own.least_voxels
            and bubble.drop >= own.least_drop * liquid
            and _roundness(blob) >= own.least_roundness
        )
        if good:
            found.append(bubble)
    return tuple(found)


def deepest(before: Volume, after: Volume, settings: GasSettings | None = None) -> float:
    """Depth of the deepest dark voxel of a difference: what chance makes where there is no gas."""
    own = settings or GasSettings()
    moved, seen = registered(before, after, own.misplaced_voxels)
    depth, _ = _depth(before, moved - before, seen, own.misplaced_voxels)
    return float(depth.max())


def chance(depth: float, voxels: int, settings: GasSettings) -> float:
    """Probability that a volume of so many voxels without gas has a blob as deep."""
    place = settings.chance_place + settings.chance_width * math.log(voxels / 1e6)
    return -math.expm1(-math.exp(min(50.0, (place - depth) / settings.chance_width)))


def _depth(
    before: Volume, difference: Volume, seen: NDArray[np.bool_], misplaced: float
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """How dark the difference is, in standard deviations, at the scale where it is most so.

    Nothing where it was not seen: the middle of the rest stands in, so that it leaves no edge.
    """
    difference[~seen] = np.median(difference[seen])
    best = np.full(before.shape, -np.inf, np.float32)
    scale_of = np.zeros(before.shape, np.int8)
    for number, sigma in enumerate(SCALES):
        smooth = smooth_image(difference, sigma)
        middle = float(np.median(smooth[seen]))
        noise = 1.4826 * float(np.median(np.abs(smooth[seen] - middle)))
        slope = np.zeros(before.shape, np.float32)
        earlier = smooth_image(before, sigma)
        for axis in range(before.ndim):
            if before.shape[axis] > 2:
                slope += np.asarray(np.gradient(earlier, axis=axis), np.float32) ** 2
        spread = np.sqrt(np.float32(noise**2 + 1e-30) + np.float32(misplaced**2) * slope)
        deep = (np.float32(middle) - smooth) / spread
        better = deep > best
        best[better] = deep[better]
        scale_of[better] = number
    _forget_unseen(best, seen)
    return best, scale_of


def _forget_unseen(depth: NDArray[np.float32], seen: NDArray[np.bool_]) -> None:
    """Also what lies near the edges of the part that was seen."""
    inside = seen.copy()
    for axis, size in enumerate(depth.shape):
        if size > 2 * _EDGE + 1:
            along = np.moveaxis(inside, axis, 0)
            for _ in range(_EDGE):
                once = np.zeros_like(along)
                once[1:-1] = along[:-2] & along[1:-1] & along[2:]
                along[:] = once
    depth[~inside] = 0


def _is_peak(depth: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Voxels above the threshold with no deeper neighbour along the axes."""
    peak = depth >= threshold
    for axis, size in enumerate(depth.shape):
        if size > 1:
            along, own = np.moveaxis(depth, axis, 0), np.moveaxis(peak, axis, 0)
            own[1:] &= along[1:] >= along[:-1]
            own[:-1] &= along[:-1] >= along[1:]
    return peak


def _blob(
    difference: Volume,
    depth: NDArray[np.float32],
    at: tuple[int, ...],
    scale: float,
    settings: GasSettings,
) -> tuple[Bubble, NDArray[np.bool_]]:
    """The blob round a peak: what falls by half of what its middle does, and hangs together."""
    reach = math.ceil(6 * scale)
    box = tuple(
        slice(max(0, p - reach), min(s, p + reach + 1))
        for p, s in zip(at, depth.shape, strict=True)
    )
    part = smooth_image(difference[box], 0.6 * SCALES[0])
    inner = tuple(p - b.start for p, b in zip(at, box, strict=True))
    middle = float(smooth_image(difference[box], 0.7 * scale)[inner])
    blobs = label_blobs(part < 0.5 * middle)
    whole = np.zeros(depth.shape, np.bool_)
    own = blobs == blobs[inner] if blobs[inner] else np.zeros(part.shape, np.bool_)
    own[inner] = True
    whole[box] = own
    centre = np.argwhere(whole).mean(axis=0)
    value = float(depth[at])
    return (
        Bubble(
            float(centre[0]), float(centre[1]), float(centre[2]), float(own.sum()),
            float(-difference[whole].mean()), value, 1 - chance(value, depth.size, settings),
        ),
        whole,
    )  # fmt: skip


def _roundness(blob: NDArray[np.bool_]) -> float:
    points = np.argwhere(blob).astype(np.float64)
    away = np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).max()) + 0.5
    ball = math.pi * away**2 if blob.shape[0] == 1 else 4 / 3 * math.pi * away**3
    return len(points) / ball


class GasWatch:
    """Follows a time series of volumes, and alarms for gas that two of them in a row show.

    Parameters
    ----------
    liquid : float
        Attenuation per pixel that the liquid shows.
    settings : GasSettings, optional

    Attributes
    ----------
    silent_because : str
        Why gas could not be sought in the last volume; empty where it was.
    """

    def __init__(self, liquid: float, settings: GasSettings | None = None) -> None:
        self.silent_because = ""
        self._liquid = liquid
        self._own = settings or GasSettings()
        self._first: Volume | None = None
        self._before: tuple[Bubble, ...] = ()

    def take(self, volume: Volume) -> tuple[Bubble, ...]:
        """Take the next volume; what it shows that the one before it showed, too.

        The first volume is what all others are compared with. One that cannot be laid upon it for
        certain raises no alarm and is passed over: `silent_because` says why.
        """
        self.silent_because = ""
        if self._first is None:
            self._first = volume
            return ()
        try:
            found = find_gas(self._first, volume, self._liquid, self._own)
        except NotRegistered as error:
            self.silent_because = str(error)
            return ()
        again = tuple(bubble for bubble in found if self._known(bubble, self._before))
        self._before = found
        return again

    def _known(self, bubble: Bubble, others: Sequence[Bubble]) -> bool:
        radius = (3 * bubble.voxels / (4 * math.pi)) ** (1 / 3)
        return any(
            math.dist((bubble.z, bubble.y, bubble.x), (other.z, other.y, other.x))
            <= self._own.same_voxels + radius
            for other in others
        )
