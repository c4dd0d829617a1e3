"""Time: one clock for durations, one for labels, and a map for every device's own clock."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


class Clock(Protocol):
    """A source of time: what a process dates and measures by.

    The virtual beamline has one of its own, `voltomo.twin.world.World`.
    """

    def now_s(self) -> float:
        """Seconds that never step back; for durations and deadlines."""
        ...

    def utc_s(self) -> float:
        """Seconds since 1970-01-01 UTC; for labels."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_s(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()

    def utc_s(self) -> float:
        """Wall-clock seconds since 1970-01-01 UTC."""
        return time.time()


@dataclass(frozen=True)
class ClockMap:
    """A device's clock against the reference clock.

    reference = device + offset + skew · (device − origin)

    Parameters
    ----------
    offset_s : float
        Reference minus device time at the origin.
    skew : float
        Relative rate error; 1e-5 is 10 ppm.
    origin_s : float
        Device time about which skew and uncertainties are independent.
    sigma_s : float
        Standard uncertainty of the offset at the origin.
    sigma_skew : float
        Standard uncertainty of the skew.
    jitter_s : float
        Scatter of single stamps about the map.
    """

    offset_s: float
    skew: float = 0.0
    origin_s: float = 0.0
    sigma_s: float = 0.0
    sigma_skew: float = 0.0
    jitter_s: float = 0.0

    def to_reference(self, device_time_s: ArrayLike) -> NDArray[np.float64]:
        """Times of the reference clock for times of the device."""
        device = np.asarray(device_time_s, dtype=np.float64)
        return device + self.offset_s + self.skew * (device - self.origin_s)

    def uncertainty_s(self, device_time_s: ArrayLike) -> NDArray[np.float64]:
        """Standard uncertainty of ``to_reference`` at these device times."""
        away = np.asarray(device_time_s, dtype=np.float64) - self.origin_s
        return np.hypot(self.sigma_s, self.sigma_skew * away)

    @classmethod
    def fit(cls, device_time_s: ArrayLike, reference_time_s: ArrayLike) -> ClockMap:
        """Least-squares map through pairs of stamps of the same events.

        Parameters
        ----------
        device_time_s, reference_time_s : array, shape (n,)
            The same n events on both clocks, n ≥ 2.

        Raises
        ------
        ValueError
            Fewer than two pairs, or lengths that differ.
        """
        device = np.asarray(device_time_s, dtype=np.float64)
        reference = np.asarray(reference_time_s, dtype=np.float64)
        if device.shape != reference.shape or device.ndim != 1 or device.size < 2:
            raise ValueError(
                f"a clock map needs at least two pairs of stamps; got {device.size} and "
                f"{reference.size}"
            )
        origin = float(device.mean())
        x = device - origin
        difference = reference - device
        offset = float(difference.mean())
        spread = float(x @ x)
        skew = float(x @ (difference - offset)) / spread if spread > 0 else 0.0
        residual = difference - offset - skew * x
        degrees = max(device.size - 2, 1)
        jitter = float(np.sqrt(residual @ residual / degrees))
        sigma_skew = jitter / np.sqrt(spread) if spread > 0 else np.inf
        return cls(
            offset,
            skew,
            origin,
            jitter / np.sqrt(device.size),
            float(sigma_skew),
            jitter,
        )
