"""An engine in a thread, watched from outside."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from synthetic_scan import SyntheticScan

from voltomo.live.engine import Engine, Progress
from voltomo.live.settings import LiveSettings
from voltomo.live.slice_state import SliceState

PATIENCE_S = 20.0


def assert_same(image: np.ndarray, whole: np.ndarray) -> None:
    """Sums may have been taken in another order."""
    np.testing.assert_allclose(image, whole, atol=1e-7)


class Watched:
    """An engine in a thread, and what it published."""

    def __init__(self, log: Path, settings: LiveSettings) -> None:
        self.slices: list[tuple[str, SliceState]] = []
        self.published_s: list[float] = []
        self.progress: list[Progress] = []
        self.engine = Engine(
            settings,
            log,
            self._take,
            self.progress.append,
        )
        self._thread = threading.Thread(target=self.engine.run)
        self._thread.start()

    def _take(self, uid: str, state: SliceState) -> None:
        self.slices.append((uid, state))
        self.published_s.append(time.monotonic())

    def until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self._thread.is_alive()
            assert time.monotonic() < deadline, self.progress[-1:]
            time.sleep(0.01)

    def state(self) -> str:
        return self.progress[-1].state if self.progress else "Idle"

    def done(self) -> SliceState:
        self.until(lambda: self.state() == "Done")
        return self.slices[-1][1]

    def stop(self) -> None:
        self.engine.stop()
        self._thread.join()


@contextmanager
def watched(log: Path, **settings) -> Iterator[Watched]:
    made = Watched(log, LiveSettings.model_validate({"publish_s": 0.02} | settings))
    try:
        yield made
    finally:
        made.stop()


def stream(scan: SyntheticScan, live: Watched, indices: range, lost: set[int]) -> None:
    for index in indices:
        if index not in lost:
            live.engine.offer(scan.streamed(index))
    live.engine.latch(scan.chunk(max(0, indices[-1] - 100), indices[-1] + 1))


def streamed(live: Watched) -> int:
    return live.progress[-1].frames_streamed if live.progress else 0
