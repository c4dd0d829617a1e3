"""A bench with camera and writer, whose edges, stages, beam and shutter the test itself plays."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.twin.conftest import Bench
from voltomo.runtime.launch import give_addresses
from voltomo.runtime.ports import lock_ports
from voltomo.twin.world import Segment

PLAYED = ("rotation", "sample_x", "flux", "shutter")


class CameraBench(Bench):
    """Plays what motion, beam and shutter would do."""

    def __init__(self, *words: Any) -> None:
        super().__init__(*words)
        self._ending = threading.Event()
        self._beats = threading.Thread(target=self._beat, daemon=True)
        self._beats.start()
        self.stand(rotation=0.0, sample_x=0.0, flux=1e11, shutter=1.0)

    def _beat(self) -> None:
        while not self._ending.wait(0.02):
            for name in PLAYED:
                self.world.channel(name).beat()

    def stand(self, **values: float) -> None:
        """Let channels of the world stand at these values."""
        now_s = self.world.now_s()
        for name, value in values.items():
            self.world.channel(name).put([Segment(now_s, now_s, value)])

    def edge(self, index: int, time_s: float) -> None:
        """Publish an edge when it happens."""
        self.wait(lambda: self.world.now_s() >= time_s, 10)
        self.world.edges.append(index=index, time_s=time_s, angle_deg=0.0, latched_deg=0.0)

    def end_all(self) -> None:
        """End the services and the playing."""
        for name in list(self.processes):
            self.kill(name)
        self._ending.set()
        self._beats.join()


@contextmanager
def a_camera_bench(root: Path, **camera: Any) -> Iterator[CameraBench]:
    """Camera and writer of a run folder of their own."""
    ports = lock_ports("tests")
    bench = CameraBench(root, give_addresses(ports, ("camera", "writer"), ("camera",)))
    bench.folder.settings.write_text(json.dumps({"twin": {"camera": camera}}))
    try:
        for name in ("camera", "writer"):
            bench.start(name)
        yield bench
    finally:
        bench.end_all()
        ports.release()
