"""The filler: tails the run log and keeps the catalogue equal to it, in a process of its own.

Nobody waits for it. What it has not done it does later: at its start it asks the catalogue which
runs are whole, and reads the log from its beginning.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from voltomo.records.catalogue_settings import CatalogueSettings
from voltomo.records.catalogue_state import CatalogueState, read_state
from voltomo.records.ended_runs import EndedRun, EndedRuns
from voltomo.runtime.heartbeat import Heartbeat
from voltomo.runtime.locks import FileLock, Held
from voltomo.runtime.log_reader import LogDamaged
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.service import die_with_parent, stop_on_signals

if TYPE_CHECKING:
    from voltomo.records.filling import Filling

_PATIENCE_S = (2.0, 60.0)
_NICENESS = 10
"""A scan, a live slice, a page come first."""

log = logging.getLogger(__name__)


def settings_in(folder: RunFolder) -> CatalogueSettings:
    """Settings that the services of a run folder were started with; the usual ones without."""
    try:
        given = json.loads(folder.settings.read_text()).get("catalogue", {})
    except (OSError, ValueError):
        given = {}
    return CatalogueSettings.model_validate(given)


class Filler:
    """Follows the log of a run folder and fills its catalogue.

    Parameters
    ----------
    folder : RunFolder
        Whose log.
    settings : CatalogueSettings
        Which catalogue.

    Attributes
    ----------
    waiting : list of EndedRun
        Runs that have ended and are not known to be in the catalogue.
    """

    def __init__(self, folder: RunFolder, settings: CatalogueSettings) -> None:
        self.waiting: list[EndedRun] = []
        self._folder = folder
        self._settings = settings
        self._ended = EndedRuns(folder.run_log)
        self._size = -1
        self._open = ExitStack()
        self._filling: Filling | None = None
        before = read_state(folder)
        # Of earlier fillers too, and of catalogues that were open before there was trouble.
        self._aside = {} if before is None else dict(before.set_aside)
        self._patience_s = _PATIENCE_S[0]
        self._not_before_s = 0.0

    def follow(self) -> None:
        """Take notice of runs that have ended; where the log has not grown, it is not read.

        Raises
        ------
        LogDamaged
            A line of the log does not fit its checksum.
        """
        path = self._folder.run_log
        size = path.stat().st_size if path.exists() else 0
        if size != self._size:
            self._size = size
            self.waiting += self._ended.poll()

    def fill(self, go_on: Callable[[], bool] = lambda: True) -> CatalogueState | None:
        """Catalogue what waits; what cannot be done at present goes on waiting.

        Parameters
        ----------
        go_on : callable
            Asked before each run.

        Returns
        -------
        CatalogueState or None
            What came of it; None where nothing was to be done, or not yet.
        """
        if not self.waiting or time.monotonic() < self._not_before_s:
            return None
        trouble, left = "", list[EndedRun]()
        try:
            filling = self._opened()
            for number, run in enumerate(self.waiting):
                if not go_on():
                    left += self.waiting[number:]
                    break
                trouble = self._catalogue(filling, run) or trouble
                left += [run] if run.uid not in filling.done | set(filling.aside) else []
        except LogDamaged:
            raise
        except Exception as error:
            log.exception("the catalogue could not be opened")
            left = self.waiting
            trouble = f"the catalogue cannot be opened ({type(error).__name__}: {error})"
        self.waiting = left
        state = self._written(trouble)
        if trouble:
            self._try_later()
        return state

    def _catalogue(self, filling: Filling, run: EndedRun) -> str:
        """One run; why it must wait, if it must."""
        from voltomo.records.filling import CatalogueTrouble

        try:
            filling.fill(run)
        except CatalogueTrouble as error:
            log.warning("%s", error)
            return str(error)
        self._patience_s = _PATIENCE_S[0]
        return ""

    def _opened(self) -> Filling:
        if self._filling is None:
            # Takes seconds, and hundreds of megabytes: not before there is something to do.
            from voltomo.records.filling import open_filling

            self._filling = self._open.enter_context(open_filling(self._folder, self._settings))
        return self._filling

    def _try_later(self) -> None:
        """Open it anew, after a while, which grows."""
        self._not_before_s = time.monotonic() + self._patience_s
        self._patience_s = min(2 * self._patience_s, _PATIENCE_S[1])
        self._filling = None
        try:
            self._open.close()
        except Exception:
            log.exception("the catalogue could not be closed in order")

    def _written(self, trouble: str) -> CatalogueState:
        before = read_state(self._folder) or CatalogueState()
        filling = self._filling
        if filling is not None:
            aside = self._aside | filling.aside
            self._aside = {uid: why for uid, why in aside.items() if uid not in filling.done}
        state = CatalogueState(
            runs=before.runs if filling is None else tuple(sorted(filling.done)),
            set_aside=dict(self._aside),
            trouble=trouble,
            waiting=tuple(run.uid for run in self.waiting),
            followed=self._ended.position,
        )
        try:
            state.write(self._folder)
        except OSError:
            log.exception("what was done could not be written down")
        return state

    def close(self) -> None:
        """Close the catalogue."""
        self._open.close()


def run_filler(
    filler: Filler, poll_s: float, stopping: threading.Event, beat: Callable[[], object]
) -> None:
    """Follow and fill until told to stop; a log that is damaged is followed no further."""

    def go_on() -> bool:
        beat()
        return not stopping.is_set()

    following = True
    while go_on():
        try:
            if following:
                filler.follow()
                filler.fill(go_on)
        except LogDamaged:
            log.exception("the run log is followed no further")
            following = False
        stopping.wait(poll_s)
    filler.close()


def _lock(
    folder: RunFolder, stopping: threading.Event, beat: Callable[[], object]
) -> AbstractContextManager[object]:
    """The right to fill; whoever has it, a command say, is waited for."""
    held = ExitStack()
    while not stopping.is_set():
        with suppress(Held):
            held.enter_context(FileLock(folder.catalogue_lock, "the filler of voltomo up"))
            break
        beat()
        stopping.wait(1.0)
    return held


def main() -> None:
    """Fill until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run-folder", type=Path, required=True)
    parser.add_argument("--niceness", type=int, default=_NICENESS)
    given = parser.parse_args()
    folder = RunFolder(given.run_folder)
    die_with_parent()
    stopping = stop_on_signals(lambda: None)
    os.nice(given.niceness)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # It would name every request.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    settings = settings_in(folder)
    if read_state(folder) is None:
        CatalogueState().write(folder)
    heartbeat = Heartbeat.of_process()
    with _lock(folder, stopping, heartbeat.beat):
        run_filler(Filler(folder, settings), settings.poll_s, stopping, heartbeat.beat)


if __name__ == "__main__":
    main()
