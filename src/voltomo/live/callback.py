"""``RE.subscribe(LiveReconstruction(...))``: tells the worker, or reconstructs in this process."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voltomo.live.run_follower import FileOpened, RunFollower, opened_file
from voltomo.model.scan_spec import ScanSpec

if TYPE_CHECKING:
    from voltomo.live.slice_in_process import SliceInProcess
    from voltomo.live.slice_state import SliceState

log = logging.getLogger(__name__)


class LiveReconstruction:
    """Hands start and scan spec to the live worker without blocking.

    Without a worker (in a notebook, say) it runs the same core in this process: whenever
    documents say that frames were written, it reads them from the file.

    Parameters
    ----------
    tell : callable, optional
        Puts a text to the worker's ``Command`` PV and returns at once. None reconstructs here.
    row : int, optional
        Detector row of the slice; the middle if not given.
    on_slice : callable, optional
        Without a worker: called with every new state of the slice.
    """

    def __init__(
        self,
        tell: Callable[[str], object] | None = None,
        *,
        row: int | None = None,
        on_slice: Callable[[SliceState], None] | None = None,
    ) -> None:
        self._tell = tell
        self._row = row
        self._on_slice = on_slice
        self._files: list[FileOpened] = []
        self._triggers: set[str] = set()
        self.live: SliceInProcess | None = None

    def __call__(self, name: str, doc: dict[str, Any]) -> None:
        """Take one document; whatever goes wrong, a view must not stop a scan."""
        try:
            if name == "start":
                self.live = None
                if "scan_spec" in doc:
                    self._start(doc)
            elif self.live is not None:
                self._follow(self.live, name, doc)
        except Exception:
            log.warning("the live slice does not follow this scan further", exc_info=True)
            self.live = None

    def _start(self, doc: dict[str, Any]) -> None:
        if self._tell is not None:
            order = {"op": "start", "uid": doc["uid"], "scan_spec": doc["scan_spec"]}
            # Should this fail, the worker finds the scan in the run log.
            self._tell(json.dumps(order))
            return
        # Compiled numerics take more than a second to load: a session with a worker needs none.
        from voltomo.live.slice_in_process import SliceInProcess

        spec = ScanSpec.model_validate(doc["scan_spec"])
        self.live = SliceInProcess(str(doc["uid"]), spec, self._row)
        self._files, self._triggers = [], set()

    def _follow(self, live: SliceInProcess, name: str, doc: dict[str, Any]) -> None:
        if name == "descriptor" and doc["name"] == "triggers":
            self._triggers.add(doc["uid"])
        elif name == "stream_resource":
            self._files += opened_file(doc)
        elif name == "event_page" and doc["descriptor"] in self._triggers:
            for chunk in RunFollower.latches(doc["data"]):
                live.latch(chunk)
        elif name in ("stream_datum", "stop"):
            used = live.fill(self._files)
            if name == "stop":
                live.finish()
            if (used or name == "stop") and self._on_slice is not None:
                self._on_slice(live.state())
