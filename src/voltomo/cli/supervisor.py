"""Keeps the processes of a run: starts them in order, restarts what dies, leaves nothing behind."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from voltomo.cli.processes import ProcessIdentity, end
from voltomo.cli.repeater import Repeater
from voltomo.cli.services import CHANNEL_ACCESS, PV_ACCESS, services, stop_order
from voltomo.runtime.launch import give_addresses, launch
from voltomo.runtime.locks import FileLock
from voltomo.runtime.ports import PortBlock, lock_ports
from voltomo.runtime.run_folder import Addresses, RunFolder, write_json
from voltomo.runtime.service import ServiceSpec

_POLL_S = 0.05
_READY_S = 60.0
_STOP_S = 4.0
_WINDOW_S = 600.0

log = logging.getLogger(__name__)


class StartFailed(Exception):
    """A service did not come up; everything that had been started was stopped again."""


@dataclass
class _Kept:
    """A service that is kept alive."""

    spec: ServiceSpec
    process: subprocess.Popen[bytes] | None = None
    state: str = "down"
    starts: deque[float] = field(default_factory=deque[float])
    restarts: int = 0
    next_start_s: float = 0.0


class Supervisor:
    """All processes of one run folder.

    Parameters
    ----------
    folder : RunFolder
        Where they meet.
    settings : dict
        Sections of ``settings.json``, one for each kind of service.
    virtual : bool
        Whether the beamline itself is among the processes (the twin).
    first_port : int, optional
        Start of the block of ports; any free block if not given.
    prefix : str
        Prefix of all PVs.
    prepare : callable, optional
        Writes what the processes need into the run folder (the twin's world, say) before they
        start.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: dict[str, Any],
        *,
        virtual: bool = True,
        first_port: int | None = None,
        prefix: str = "VT:",
        prepare: Callable[[RunFolder], object] | None = None,
    ) -> None:
        self.folder = folder
        self._settings = settings
        self._virtual = virtual
        self._first_port = first_port
        self._prefix = prefix
        self._prepare = prepare
        self._kept: dict[str, _Kept] = {}
        self._guard = threading.RLock()
        self._stopping = threading.Event()
        self._resources = contextlib.ExitStack()
        self._watcher: threading.Thread | None = None
        self.addresses = Addresses()

    def start(self, patience_s: float = _READY_S) -> None:
        """Start everything, in order, and wait until all of it serves.

        Raises
        ------
        Held
            Another supervisor has the run folder.
        NoPorts
            The wanted ports are not to be had.
        StartFailed
            A service ended or did not answer in time; the message shows the end of its log.
        """
        self.folder.create()
        self._resources.enter_context(FileLock(self.folder.supervisor_lock, "voltomo up"))
        try:
            ports = self._take_ports()
            self.addresses = give_addresses(ports, CHANNEL_ACCESS, PV_ACCESS, self._prefix)
            repeater = Repeater(self.addresses.ca_repeater)
            self._resources.callback(repeater.stop)
            write_json(self.folder.settings, self._settings)
            if self._prepare is not None:
                self._prepare(self.folder)
            self.folder.write_addresses(self.addresses)
            identity = ProcessIdentity.of(os.getpid())
            if identity is not None:
                write_json(self.folder.root / "supervisor.json", identity.model_dump())
            for spec in services(self.addresses, virtual=self._virtual):
                self._kept[spec.name] = _Kept(spec)
                self._launch(self._kept[spec.name])
            self._wait_ready(patience_s)
        except BaseException:
            self.stop()
            raise
        self._watcher = threading.Thread(target=self._watch, name="supervisor")
        self._watcher.start()

    def stop(self) -> None:
        """Stop everything, the beam first. May be called twice."""
        self._stopping.set()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join()
        with self._guard:
            for name in stop_order(list(self._kept)):
                self._end(self._kept[name])
        self._resources.close()
        (self.folder.root / "supervisor.json").unlink(missing_ok=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def states(self) -> dict[str, str]:
        """State of every service: ready, starting, failed or down."""
        with self._guard:
            return {name: kept.state for name, kept in self._kept.items()}

    def pid(self, name: str) -> int:
        """Process number of a service that runs."""
        with self._guard:
            process = self._kept[name].process
        if process is None:
            raise ValueError(f"{name} does not run")
        return process.pid

    def wait_ready(self, name: str, patience_s: float = _READY_S) -> bool:
        """Wait until a service serves, after a restart say."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            if self.states()[name] == "ready":
                return True
            time.sleep(_POLL_S)
        return False

    def _take_ports(self) -> PortBlock:
        ports = lock_ports(f"voltomo up in {self.folder.root}", self._first_port)
        self._resources.callback(ports.release)
        return ports

    def _launch(self, kept: _Kept) -> None:
        kept.process = launch(kept.spec, self.folder, self.addresses)
        kept.starts.append(time.monotonic())
        self._set(kept, "starting")

    def _set(self, kept: _Kept, state: str) -> None:
        kept.state = state
        identity = ProcessIdentity.of(kept.process.pid) if kept.process else None
        write_json(
            self.folder.services / f"{kept.spec.name}.json",
            {
                "name": kept.spec.name,
                "domain": kept.spec.domain,
                "state": state,
                "restarts": kept.restarts,
                "port": kept.spec.ready_port,
                **(identity.model_dump() if identity else {"pid": None, "started": None}),
            },
        )

    def _wait_ready(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while any(kept.state != "ready" for kept in self._kept.values()):
            for kept in self._kept.values():
                self._check_start(kept, late=time.monotonic() > deadline)
            time.sleep(_POLL_S)

    def _check_start(self, kept: _Kept, *, late: bool) -> None:
        if kept.state == "ready":
            return
        ended = kept.process is None or kept.process.poll() is not None
        if ended or late:
            what = "ended at once" if ended else "did not answer in time"
            path = self.folder.services / f"{kept.spec.name}.log"
            raise StartFailed(
                f"the service {kept.spec.name!r} {what}; everything was stopped again; the end of "
                f"its log, {path}:\n{self.log_end(kept.spec.name)}"
            )
        if self._answers(kept.spec):
            self._set(kept, "ready")

    def log_end(self, name: str, lines: int = 12) -> str:
        """The last lines of a service's log."""
        path = self.folder.services / f"{name}.log"
        if not path.exists():
            return ""
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])

    @staticmethod
    def _answers(spec: ServiceSpec) -> bool:
        if spec.ready_port is None:
            return True
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.2)
            return probe.connect_ex(("127.0.0.1", spec.ready_port)) == 0

    def _watch(self) -> None:
        while not self._stopping.wait(_POLL_S):
            with self._guard:
                for kept in self._kept.values():
                    self._tend(kept)
        # A service gets SIGTERM when the thread that started it ends, so this one ends last.
        self._end_all()

    def _end_all(self) -> None:
        with self._guard:
            for name in stop_order(list(self._kept)):
                self._end(self._kept[name])

    def _tend(self, kept: _Kept) -> None:
        now = time.monotonic()
        if kept.process is not None and kept.process.poll() is not None:
            code, kept.process = kept.process.returncode, None
            while kept.starts and now - kept.starts[0] > _WINDOW_S:
                kept.starts.popleft()
            if len(kept.starts) > kept.spec.restarts:
                self._set(kept, "failed")
                log.error("%s ended (%s) too often; it stays down", kept.spec.name, code)
                return
            kept.next_start_s = now + 0.1 * 2 ** (len(kept.starts) - 1)
            self._set(kept, "down")
            log.warning("%s ended (%s); starting it again", kept.spec.name, code)
        elif kept.process is None and kept.state == "down" and now >= kept.next_start_s:
            kept.restarts += 1
            self._launch(kept)
        elif kept.state == "starting" and self._answers(kept.spec):
            self._set(kept, "ready")

    def _end(self, kept: _Kept) -> None:
        process, kept.process = kept.process, None
        if process is None:
            return
        identity = ProcessIdentity.of(process.pid)
        if identity is not None and process.poll() is None:
            waiter = threading.Thread(target=process.wait, daemon=True)
            waiter.start()
            if not end(identity, _STOP_S):
                log.warning("%s did not end by itself and was killed", kept.spec.name)
            waiter.join(1.0)
        process.poll()
        self._set(kept, "down")
