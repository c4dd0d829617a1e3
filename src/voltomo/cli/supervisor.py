"""Keeps the processes of a run: starts them in order, restarts what dies, leaves nothing behind."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

from voltomo.cli.kept_service import KeptService
from voltomo.cli.leftovers import end_leftovers
from voltomo.cli.processes import ProcessIdentity
from voltomo.cli.repeater import Repeater
from voltomo.cli.services import served, services, stop_order
from voltomo.model.pv_names import PvNames
from voltomo.model.sentence import SentenceError
from voltomo.runtime.addresses import Addresses, Facility
from voltomo.runtime.launch import end_of_log, give_addresses, log_path
from voltomo.runtime.locks import FileLock
from voltomo.runtime.ports import lock_ports
from voltomo.runtime.run_folder import RunFolder, write_json
from voltomo.runtime.service import ServiceSpec

_POLL_S = 0.05
_READY_S = 60.0

log = logging.getLogger(__name__)


class StartFailed(SentenceError):
    """A service did not come up; everything that had been started was stopped again."""


class Supervisor:
    """All processes of one run folder; started once, from a thread that outlives them.

    Parameters
    ----------
    folder : RunFolder
        Where they meet.
    settings : dict
        Sections of ``settings.json``, one for each kind of service.
    virtual : bool
        Whether the beamline itself is among the processes (the twin).
    catalogue : bool
        Whether the filler of the catalogue is among them.
    first_port : int, optional
        Start of the block of ports; any free block if not given.
    prefix : str
        Prefix of all PVs that voltomo serves.
    facility : Facility, optional
        Where the servers of a real beamline are.
    pvs : PvNames, optional
        Names of the devices' PVs, if not the virtual beamline's.
    locks : sequence of FileLock
        Taken before anything else is done, and held to the end.
    fresh : bool
        Whether what an earlier run left in the folder is removed first.
    prepare : callable, optional
        Writes what the processes need into the run folder (the twin's world, say) before they
        start.
    specs : callable, optional
        The services for given addresses, in the order of their start, if not the usual ones.
    """

    def __init__(
        self,
        folder: RunFolder,
        settings: dict[str, Any],
        *,
        virtual: bool = True,
        catalogue: bool = False,
        cell: bool = False,
        first_port: int | None = None,
        prefix: str = "VT:",
        facility: Facility | None = None,
        pvs: PvNames | None = None,
        locks: Sequence[FileLock] = (),
        fresh: bool = False,
        prepare: Callable[[RunFolder], object] | None = None,
        specs: Callable[[Addresses], Sequence[ServiceSpec]] | None = None,
    ) -> None:
        self.folder = folder
        self._settings = settings
        self._first_port = first_port
        self._locks = locks
        self._fresh = fresh
        self._prepare = prepare
        self._give = partial(
            give_addresses,
            channel_access=served(virtual=virtual, cell=cell)[0],
            pv_access=served(virtual=virtual, cell=cell)[1],
            prefix=prefix,
            facility=facility,
            pvs=pvs,
        )
        self._specs = specs or partial(services, virtual=virtual, catalogue=catalogue, cell=cell)
        self._kept: dict[str, KeptService] = {}
        self._one_at_a_time = threading.RLock()
        self._stopping = threading.Event()
        self._resources = contextlib.ExitStack()
        self._watcher: threading.Thread | None = None
        self.addresses = Addresses()

    def start(self, patience_s: float = _READY_S) -> None:
        """Start everything, in order, and wait until all of it serves.

        What an earlier supervisor left behind is ended first.

        Raises
        ------
        Held
            Another supervisor has the run folder.
        NoPorts
            The wanted ports are not to be had.
        StartFailed
            A service ended or did not answer in time (the message shows the end of its log), or
            `request_stop` came first.
        """
        self.folder.create()
        self._resources.enter_context(FileLock(self.folder.supervisor_lock, "voltomo up"))
        try:
            for lock in self._locks:
                self._resources.enter_context(lock)
            self._publish_ourselves()
            for name in end_leftovers(self.folder):
                log.warning("%s was left from an earlier run and was ended", name)
            for path in self.folder.services.glob("*.json"):
                path.unlink()
            if self._fresh:
                self._clear()
            self._take_addresses()
            write_json(self.folder.settings, self._settings)
            if self._prepare is not None:
                self._prepare(self.folder)
            self._resources.callback(self.folder.forget_services)
            self.folder.write_addresses(self.addresses)
            for spec in self._specs(self.addresses):
                self._kept[spec.name] = KeptService(spec, self.folder, self.addresses)
                self._kept[spec.name].start()
            self._wait_for_all(patience_s)
        except BaseException:
            self.stop()
            raise
        self._watcher = threading.Thread(target=self._watch, name="supervisor")
        self._watcher.start()

    def request_stop(self) -> None:
        """Make a `start` that still waits give up; for signal handlers."""
        self._stopping.set()

    def stop(self) -> None:
        """Stop everything, the beam first. May be called twice."""
        self._stopping.set()
        if self._watcher is not None and self._watcher is not threading.current_thread():
            self._watcher.join()
        self._end_all()
        self._resources.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def states(self) -> dict[str, str]:
        """State of every service: ready, starting, failed or down."""
        with self._one_at_a_time:
            return {name: kept.state for name, kept in self._kept.items()}

    def beating(self) -> set[str]:
        """Names of the services that have given signs of life since they were started."""
        with self._one_at_a_time:
            return {name for name, kept in self._kept.items() if kept.beats}

    def pid(self, name: str) -> int:
        """Process number of a service that runs.

        Raises
        ------
        ValueError
            It does not run.
        """
        with self._one_at_a_time:
            pid = self._kept[name].pid
        if pid is None:
            raise ValueError(f"{name} does not run")
        return pid

    def wait_ready(self, name: str, patience_s: float = _READY_S) -> bool:
        """Wait until a service runs and serves, after a restart say; False if it does not."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            with self._one_at_a_time:
                if self._kept[name].ready():
                    return True
            time.sleep(_POLL_S)
        return False

    def _clear(self) -> None:
        # A session of an earlier run may still export what it recorded.
        with FileLock(self.folder.beamline_lock, "voltomo, making room for a new run"):
            self.folder.clear()
            self.folder.create()
        self._publish_ourselves()

    def _publish_ourselves(self) -> None:
        path = self.folder.root / "supervisor.json"
        identity = ProcessIdentity.of(os.getpid())
        if identity is not None:
            write_json(path, identity.model_dump())
        self._resources.callback(path.unlink, missing_ok=True)

    def _take_addresses(self) -> None:
        ports = lock_ports(f"voltomo up in {self.folder.root}", self._first_port)
        self._resources.callback(ports.release)
        self.addresses = self._give(ports)
        repeater = Repeater(self.addresses.ca_repeater)
        self._resources.callback(repeater.stop)

    def _wait_for_all(self, patience_s: float) -> None:
        deadline = time.monotonic() + patience_s
        while waiting := [kept for kept in self._kept.values() if not kept.ready()]:
            if self._stopping.is_set():
                raise StartFailed(
                    "told to stop before everything was ready; everything was stopped again"
                )
            late = time.monotonic() > deadline
            for kept in waiting:
                kept.greet()
                if kept.pid is None or (late and not kept.ready()):
                    raise StartFailed(self._why_not(kept))
            time.sleep(_POLL_S)

    def _why_not(self, kept: KeptService) -> str:
        name = kept.spec.name
        what = "ended at once" if kept.pid is None else "did not answer in time"
        return (
            f"the service {name!r} {what}; everything was stopped again; the end of its log, "
            f"{log_path(self.folder, name)}:\n{end_of_log(self.folder, name)}"
        )

    def _watch(self) -> None:
        while not self._stopping.wait(_POLL_S):
            with self._one_at_a_time:
                for kept in self._kept.values():
                    try:
                        kept.look()
                    except OSError:
                        # A full disk, say: whoever watches must go on watching.
                        log.exception("%s could not be looked after", kept.spec.name)
        # A service gets SIGTERM when the thread that started it ends, so this one ends last.
        self._end_all()

    def _end_all(self) -> None:
        with self._one_at_a_time:
            for name in stop_order(list(self._kept)):
                try:
                    self._kept[name].stop()
                except OSError:
                    log.exception("the end of %s could not be written down", name)
