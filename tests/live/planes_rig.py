"""An engine with planes in a thread, watched from outside."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from engine_rig import PATIENCE_S

from voltomo.live.engine import Engine, Progress
from voltomo.live.live_planes import PlaneState
from voltomo.live.settings import LiveSettings


class Seen:
    """An engine with planes in a thread, and what it published."""

    def __init__(self, folder: Path, **settings) -> None:
        self.planes: dict[str, PlaneState] = {}
        self.progress: list[Progress] = []
        self.slices: list = []
        self.engine = Engine(
            LiveSettings.model_validate({"publish_s": 0.02, "planes_every_s": 0.02} | settings),
            folder / "run.log",
            lambda _, state: self.slices.append(state),
            self.progress.append,
            lambda _, state: self.planes.update({state.name: state}),
            folder,
        )
        self._thread = threading.Thread(target=self.engine.run)

    def __enter__(self) -> Seen:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.stop()
        self._thread.join()

    def until(self, condition) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, self.progress[-1:]
            time.sleep(0.01)

    def state(self) -> str:
        return self.progress[-1].state if self.progress else "Idle"
