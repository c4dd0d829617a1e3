"""One service that is kept alive: its process, its state on disk, when it is started again."""

from __future__ import annotations

import logging
import socket
import subprocess
import time
from collections import deque

from voltomo.cli.processes import ProcessIdentity, end
from voltomo.runtime.launch import launch
from voltomo.runtime.run_folder import Addresses, RunFolder, write_json
from voltomo.runtime.service import Domain, ServiceSpec

_STOP_S = 4.0
_WINDOW_S = 600.0
_FIRST_PAUSE_S = 0.1
_ANSWER_S = 0.2

log = logging.getLogger(__name__)


class KeptService:
    """A `voltomo.runtime.service.Service` and what became of it; one thread at a time.

    States are ``down``, ``starting``, ``ready`` and ``failed`` (it ended too often).

    Parameters
    ----------
    spec : ServiceSpec
        How it is started.
    folder : RunFolder
        Where its state and its log go.
    addresses : Addresses
        Where it listens.
    """

    def __init__(self, spec: ServiceSpec, folder: RunFolder, addresses: Addresses) -> None:
        self.spec = spec
        self.state = "down"
        self._folder = folder
        self._addresses = addresses
        self._process: subprocess.Popen[bytes] | None = None
        self._starts: deque[float] = deque()
        self._restarts = 0
        self._next_start_s = 0.0

    @property
    def name(self) -> str:
        """Short name, unique in a run."""
        return self.spec.name

    @property
    def domain(self) -> Domain:
        """What fails with it."""
        return self.spec.domain

    @property
    def ports(self) -> tuple[int, ...]:
        """TCP ports on which it listens."""
        served = (self._addresses.channel_access, self._addresses.pv_access)
        known = [ports[self.name] for ports in served if self.name in ports]
        known += [self.spec.ready_port] if self.spec.ready_port is not None else []
        return tuple(dict.fromkeys(known))

    def ready(self) -> bool:
        """Whether it runs and serves; asks the process, too, whose end may not be noticed yet."""
        return self.state == "ready" and self.pid is not None

    @property
    def pid(self) -> int | None:
        """Process number, None where it does not run."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if self._process is not None and running else None

    def start(self) -> None:
        """Start the process."""
        self._process = launch(self.spec, self._folder, self._addresses)
        self._starts.append(time.monotonic())
        self._set("starting")

    def look(self) -> None:
        """Take notice of its end or of its answer; start it again when its time has come."""
        now = time.monotonic()
        if self._process is not None and self._process.poll() is not None:
            self._take_end(now, self._process.returncode)
        elif self._process is None and self.state == "down" and now >= self._next_start_s:
            self._restarts += 1
            self.start()
        else:
            self.greet()

    def greet(self) -> None:
        """Call it ready if it starts and answers."""
        if self.state == "starting" and self._answers():
            self._set("ready")

    def stop(self) -> None:
        """End the process, by force if need be, and leave the service down."""
        if self._process is None:
            return
        process, self._process = self._process, None
        identity = ProcessIdentity.of(process.pid) if process.poll() is None else None
        if identity is not None and not end(identity, _STOP_S):
            log.warning("%s did not end by itself and was killed", self.spec.name)
        process.wait()
        self._set("down")

    def _take_end(self, now: float, code: int) -> None:
        self._process = None
        while self._starts and now - self._starts[0] > _WINDOW_S:
            self._starts.popleft()
        if len(self._starts) > self.spec.restarts:
            self._set("failed")
            log.error("%s ended (%s) too often; it stays down", self.spec.name, code)
            return
        self._next_start_s = now + _FIRST_PAUSE_S * 2 ** max(0, len(self._starts) - 1)
        self._set("down")
        log.warning("%s ended (%s); starting it again", self.spec.name, code)

    def _answers(self) -> bool:
        if self.spec.ready_port is None:
            return True
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(_ANSWER_S)
            return probe.connect_ex(("127.0.0.1", self.spec.ready_port)) == 0

    def _set(self, state: str) -> None:
        self.state = state
        identity = ProcessIdentity.of(self._process.pid) if self._process is not None else None
        write_json(
            self._folder.services / f"{self.spec.name}.json",
            {
                "name": self.spec.name,
                "domain": self.spec.domain,
                "state": state,
                "restarts": self._restarts,
                "port": self.spec.ready_port,
                **(identity.model_dump() if identity else {"pid": None, "started": None}),
            },
        )
