"""A coarse volume of the scan that runs, made beside it and written for whoever asked."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voltomo.analysis.binned_volume import BinnedVolumePlan, binned_volume
from voltomo.analysis.planes import PlaneReconstructor
from voltomo.live.live_planes import LivePlanes
from voltomo.model.names import run_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Kept:
    """Views as they were when a volume was asked for, and what tells whether they still are."""

    planes: LivePlanes
    reconstructor: PlaneReconstructor
    scale: float
    take: tuple[int, int]


def _take(planes: LivePlanes) -> tuple[int, int]:
    """Changes whenever views that are kept are overwritten by others."""
    return planes.begun, max(0, planes.views - planes.reconstructor.buffer.views)


class VolumeRequests:
    """Makes one volume at a time, in a thread of its own.

    Parameters
    ----------
    exports : Path or None
        Where volumes are written; none can be had without.
    most_MB : float
        Bound of the memory of one.
    """

    def __init__(self, exports: Path | None, most_MB: float) -> None:
        self._exports = exports
        self._most_MB = most_MB
        self._thread: threading.Thread | None = None
        self._said = "{}"

    @property
    def said(self) -> str:
        """State of the last request, as JSON: "working", "ready" with ``path``, or "refused"."""
        return self._said

    def make(self, planes: LivePlanes | None, size: int) -> None:
        """Begin to make a volume of the views so far; a refusal is said, not raised."""
        if self._thread is not None and self._thread.is_alive():
            self._refuse("one is being made; ask again when it is ready")
            return
        if planes is None or planes.views == 0 or self._exports is None:
            self._refuse("there are no views of a scan to make it of yet")
            return
        geometry = planes.reconstructor.geometry
        try:
            plan = BinnedVolumePlan.of(geometry, size, planes.binning)
        except ValueError as error:
            self._refuse(str(error))
            return
        promised_MB = plan.promise_bytes / 1e6
        if promised_MB > self._most_MB:
            self._refuse(
                f"it would take {promised_MB:.0f} MB of the {self._most_MB:.0f} MB that volume_MB "
                "allows; ask for a smaller one"
            )
            return
        facts: dict[str, Any] = {
            "scan_uid": planes.scan_uid,
            "views": planes.views,
            "last_trigger": planes.last_trigger,
            "complete": planes.complete,
            "shape": [plan.levels, plan.size, plan.size],
            "voxel_um": plan.step * planes.spec.geometry.pixel_um,
            "voxel_pixels": plan.step,
            "promised_MB": round(promised_MB, 3),
        }
        self._say({"state": "working", **facts})
        path = self._exports / f"{run_name(planes.scan_uid)}.live-volume.npz"
        # The daemon may end with the process: what is written is replaced in one step.
        kept = _Kept(planes, planes.reconstructor, planes.scale, _take(planes))
        self._thread = threading.Thread(
            target=self._run, args=(kept, plan, facts, path), name="volume", daemon=True
        )
        self._thread.start()

    def _run(self, kept: _Kept, plan: BinnedVolumePlan, facts: dict[str, Any], path: Path) -> None:
        before_s = time.monotonic()
        try:
            views = kept.reconstructor
            volume = binned_volume(views.geometry, plan, views.buffer, kept.scale)
            if _take(kept.planes) != kept.take:
                self._refuse(
                    "another sweep began meanwhile, whose views took the place of those that it "
                    "was made of; ask again"
                )
                return
            part = path.with_suffix(".part.npz")
            np.savez(part, volume=volume, **facts)
            part.replace(path)
        except Exception as error:
            # Whoever asked waits for an answer.
            log.exception("a volume could not be made")
            self._refuse(f"it could not be made: {error}")
            return
        seconds = round(time.monotonic() - before_s, 3)
        self._say({"state": "ready", "path": str(path), "seconds": seconds, **facts})

    def _refuse(self, why: str) -> None:
        log.warning("no volume: %s", why)
        self._say({"state": "refused", "reason": why})

    def _say(self, what: dict[str, Any]) -> None:
        self._said = json.dumps(what)
