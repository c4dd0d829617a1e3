"""What leases have cost, as events of the run that they were asked for in."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.dose.lease import Settlement

BEAM = "beam"
"""Stream with one event for every lease of a stock plan."""


class BeamRecord:
    """Reads as the settlement that was noted last.

    Parameters
    ----------
    lease : BeamLease
        Whose settlements are recorded.
    """

    name = BEAM
    parent = None

    def __init__(self, lease: Any) -> None:
        self._lease = lease
        self._due: deque[Settlement] = deque()
        self._last: Settlement | None = None
        self.interruptions = 0
        self.interrupted_s = float("-inf")

    def begin(self) -> Generator[Msg, Any, None]:
        """Forget what others had the beam for; let the engine know of this object."""
        self._lease.take_settled()
        yield Msg("null", self)

    def note(self) -> Generator[Msg, Any, None]:
        """One event for each lease that was settled since the last time."""
        self._due.extend(self._lease.take_settled())
        while self._due:
            self._last = self._due[0]
            yield from bps.create(name=BEAM)
            yield from bps.read(self)
            yield from bps.save()
            self._due.popleft()

    # what the engine calls

    def pause(self) -> None:
        """Take note: what was going on is done again from the last checkpoint."""
        self.interruptions += 1
        self.interrupted_s = time.monotonic()

    def resume(self) -> None:
        """Nothing."""

    def read(self) -> dict[str, Any]:
        """What the lease was for, what it cost, why it ended."""
        now_s = time.time()
        return {key: {"value": value, "timestamp": now_s} for key, value in self._data().items()}

    def describe(self) -> dict[str, Any]:
        """Open time in s, dose in Gy: the upper bound and the best estimate."""
        units = {"open_s": "s", "dose_Gy": "Gy", "dose_central_Gy": "Gy"}
        keys: dict[str, Any] = {}
        for key, value in self._data().items():
            dtype = "number" if isinstance(value, float) else "string"
            keys[key] = {"source": "guard", "dtype": dtype, "shape": []}
            unit = units.get(key.removeprefix("beam_"))
            if unit is not None:
                keys[key]["units"] = unit
        return keys

    def _data(self) -> dict[str, Any]:
        last = self._last
        if last is None:
            return {}
        return {
            "beam_purpose": last.purpose,
            "beam_lease": last.lease_id,
            "beam_open_s": float(last.open_s),
            "beam_dose_Gy": float(last.dose_Gy),
            "beam_dose_central_Gy": float(last.dose_central_Gy),
            "beam_reason": last.reason,
        }
