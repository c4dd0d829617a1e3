"""The horizontal slice of any scan, made in the process that asks, from the files of frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from voltomo.live.gap_filler import fill, fill_whole
from voltomo.live.live_planes import LivePlanes
from voltomo.live.live_slice import LiveSlice
from voltomo.live.positions import Positions
from voltomo.live.run_follower import FileOpened
from voltomo.live.settings import LiveSettings
from voltomo.live.shown_part import one_row_is_enough
from voltomo.live.slice_state import SliceState
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.trigger_source import TriggerChunk


class SliceInProcess:
    """One detector row where that is enough, else whole frames, as the live worker does it.

    Parameters
    ----------
    scan_uid : str
        The run.
    spec : ScanSpec
        What it scans.
    row : int, optional
        Detector row of the slice; the middle if not given.

    Raises
    ------
    ValueError
        The scan has no slice.
    """

    def __init__(self, scan_uid: str, spec: ScanSpec, row: int | None = None) -> None:
        self._planes: LivePlanes | None = None
        if not one_row_is_enough(spec):
            settings = LiveSettings()
            self._planes = LivePlanes(scan_uid, spec, Positions(row=row), settings, ("xy",))
        self.live = LiveSlice(scan_uid, spec, row, self._planes)

    def latch(self, chunk: TriggerChunk) -> None:
        """Take latches of the trigger source."""
        self.live.latch(chunk)

    def fill(self, files: Sequence[FileOpened]) -> int:
        """Use all frames that the files have by now; how many were new."""
        triggers = self.live.spec.triggers
        used = 0
        if self._planes is not None:
            known = np.flatnonzero(~np.isnan(self.live.matcher.time_s))
            missing = known[~self._planes.used[known]]
            wanted = [int(index) for index in missing if self._planes.wants(int(index))]
            used = fill_whole(self.live, files, wanted, triggers)
        return used + fill(self.live, files, triggers)

    def finish(self) -> None:
        """Make the slice final."""
        self.live.finish()
        if self._planes is not None:
            self._planes.finish()

    def state(self) -> SliceState:
        """The slice now."""
        if self._planes is None:
            return self.live.state()
        return self._planes.slice_state()
