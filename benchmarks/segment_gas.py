"""Time series of small volumes of one electrode, with bubbles that come or do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.ndimage

from benchmarks.segment_scans import (
    Conditions,
    Floats,
    angles_deg,
    column_errors,
    counted,
    line_integrals,
    reconstructed,
)
from voltomo.analysis.gas import Bubble, GasSettings, GasWatch, deepest
from voltomo.dose.attenuation import mu_total
from voltomo.dose.materials import material
from voltomo.twin.grains import Grains, Kind
from voltomo.twin.image_formation import add_propagated, spread
from voltomo.twin.phantom import Phantom
from voltomo.twin.shapes import more_than_around

CONDITIONS = Conditions(columns=96, rows=36, views=120, pixel_um=1.0)
ROWS = range(6, 30)
Pose = tuple[float, float, float, float]

POSES: tuple[Pose, ...] = (
    (0.0, 0.0, 0.0, 0.0),
    (0.0, 0.0, -0.3, 0.4),
    (0.0, 0.0, 0.5, -0.6),
    (3.0, -3.0, 0.5, 0.0),
    (-4.0, 3.0, 2.0, 0.0),
    (5.5, -5.0, -3.0, 0.0),
    (-8.0, 6.0, 3.0, 0.0),
)
"""Where the sample stands on the stage (x, y) and in rows, and where the axis is, in columns: all
drift between volumes. A series begins at the first."""
_NEAR = 3.0


def liquid_per_pixel() -> float:
    """Attenuation of the electrolyte."""
    mu_per_cm = mu_total(material("electrolyte"), CONDITIONS.energy_keV)
    return mu_per_cm * CONDITIONS.pixel_um * 1e-4


class Series:
    """Volumes of one electrode.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        own = CONDITIONS
        self.phantom = Phantom.make(
            seed, own.columns, own.rows, own.pixel_um, own.energy_keV, sample="electrode"
        )
        self.random = np.random.default_rng((seed, 0x6A5))
        self._errors = column_errors(CONDITIONS.columns, self.random)
        self._still = [self._projected(self.phantom, pose) for pose in POSES]
        labels = np.stack([self.phantom.labels(row) for row in ROWS])
        # How far the nearest thing that is not liquid lies from each voxel.
        inner = np.pad(labels == Kind.PORE, ((1, 1), (0, 0), (0, 0)))
        self._room = np.array(scipy.ndimage.distance_transform_edt(inner))[1:-1]

    @staticmethod
    def _projected(phantom: Phantom, pose: Pose) -> list[tuple[Floats, Floats]]:
        x, y, rows, axis = pose
        made: list[tuple[Floats, Floats]] = []
        for angle in angles_deg(CONDITIONS):
            turn = np.radians(angle)
            columns = float(axis + x * np.cos(turn) + y * np.sin(turn))
            made.append(phantom.projection(float(angle), columns, rows))
        return made

    def place(self, radius: float) -> tuple[int, int, int]:
        """A place (z, y, x) with room for a ball, away from the volume's ends."""
        free = self._room >= radius + 0.5
        free[:4] = free[-4:] = False
        places = np.argwhere(free)
        if not len(places):
            raise ValueError(f"No pore of this electrode has room for a ball of {radius} voxels.")
        z, y, x = self.random.choice(places)
        return int(z), int(y), int(x)

    def first(self) -> Floats:
        """A scan of its own noise, at the first pose: the one that others are compared with."""
        return self._volume(0)

    def volume(self, at: tuple[int, int, int] | None = None, radius: float = 0.0) -> Floats:
        """A scan of its own noise, at a pose by chance, with a bubble if one is asked for."""
        return self._volume(int(self.random.integers(len(POSES))), at, radius)

    def _volume(
        self, number: int, at: tuple[int, int, int] | None = None, radius: float = 0.0
    ) -> Floats:
        own = CONDITIONS
        still = self._still[number]
        if at is not None and radius > 0:
            bubble = self._bubble(at, radius)
            added = self._projected(bubble, POSES[number])
            still = [(a + b, c + d) for (a, c), (b, d) in zip(still, added, strict=True)]
        strength = own.distance_mm * 1e-3 / (own.pixel_um * 1e-6) ** 2
        frames = np.zeros((own.views, own.rows, own.columns), np.float32)
        shares = np.ones(own.rows, np.float32)
        for frame, (attenuation, path) in zip(frames, still, strict=True):
            add_propagated(frame, attenuation, path, strength, shares)
            frame[:] = spread(frame, own.blur_pixels)
        integrals = line_integrals(counted(frames, own.counts, self._errors, self.random), own)
        return reconstructed(integrals, list(ROWS), own)

    def _bubble(self, at: tuple[int, int, int], radius: float) -> Phantom:
        own, middle = CONDITIONS, (CONDITIONS.columns - 1) / 2
        z, y, x = at
        height = ROWS[z] - (own.rows - 1) / 2
        attenuation, delta = more_than_around("electrolyte", "", own.energy_keV, own.pixel_um)
        grains = Grains(
            spheres=np.array([[x - middle, y - middle, height, radius]]),
            values=np.array([[-attenuation, -delta]]),
            kinds=np.array([int(Kind.GAS)], np.int64),
        )
        shapes = replace(
            self.phantom.shapes,
            cylinders=np.empty((0, 5)),
            cylinder_values=np.empty((0, 2)),
            grains=grains,
        )
        return replace(self.phantom, shapes=shapes)


def null_depths(seed: int, count: int) -> list[float]:
    """Depth of the deepest voxel in so many differences without gas."""
    series = Series(seed)
    before = series.first()
    return [deepest(before, series.volume()) for _ in range(count)]


def false_alarms(seed: int, count: int, settings: GasSettings | None = None) -> int:
    """Volumes without gas, of so many in a row, for which the watch alarms."""
    series = Series(seed)
    watch = GasWatch(liquid_per_pixel(), settings)
    watch.take(series.first())
    return sum(bool(watch.take(series.volume())) for _ in range(count))


def _hits(found: tuple[Bubble, ...], at: tuple[int, int, int], radius: float) -> bool:
    away = (np.hypot(np.hypot(b.z - at[0], b.y - at[1]), b.x - at[2]) for b in found)
    return any(distance <= radius + _NEAR for distance in away)


def detected(series: Series, radius: float, trials: int) -> float:
    """Part of the bubbles of a radius that two volumes in a row show."""
    found = 0
    for _ in range(trials):
        at = series.place(radius)
        watch = GasWatch(liquid_per_pixel())
        watch.take(series.first())
        watch.take(series.volume(at, radius))
        found += _hits(watch.take(series.volume(at, radius)), at, radius)
    return found / trials


def delay(series: Series, voxels_a_volume: float, longest: int = 12) -> int:
    """Volumes from the first that holds a bubble, which then grows, to the alarm.

    At most `longest`; the first volume itself never alarms: two in a row must show the bubble.
    """
    at = series.place(4.0)
    watch = GasWatch(liquid_per_pixel())
    watch.take(series.first())
    for number in range(1, longest):
        radius = (3 * voxels_a_volume * number / (4 * np.pi)) ** (1 / 3)
        if _hits(watch.take(series.volume(at, float(radius))), at, float(radius)):
            return number
    return longest


def size_detected(parts: list[tuple[float, float]], wanted: float = 0.9) -> float | None:
    """Voxels from which on so large a part is detected, between (voxels, part) that were tried."""
    ordered: list[tuple[float, float]] = sorted(parts)
    for number, (voxels, part) in enumerate(ordered):
        if all(later >= wanted for _, later in ordered[number:]):
            if number == 0:
                return voxels
            below, least = ordered[number - 1]
            return below + (voxels - below) * (wanted - least) / (part - least)
    return None
