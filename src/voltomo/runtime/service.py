"""A supervised process, seen from both sides: the supervisor's description, the process's frame."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

_PR_SET_PDEATHSIG = 1
PARENT_VARIABLE = "VOLTOMO_PARENT_PID"

Domain = Literal["hardware", "cell", "guard", "analysis", "page", "records"]


class Service(Protocol):
    """What the supervisor knows of a process that it keeps alive.

    IOCs, guard, worker and page alike; `voltomo.cli.kept_service.KeptService` is one. ``ready``
    may be asked at any moment and answers within a second.
    """

    @property
    def name(self) -> str:
        """Short name, unique in a run."""
        ...

    @property
    def domain(self) -> Domain:
        """What fails with it: services of one domain stand on the same hardware."""
        ...

    @property
    def ports(self) -> tuple[int, ...]:
        """TCP ports on which it listens, its own for as long as the run lasts."""
        ...

    def ready(self) -> bool:
        """Whether it runs and serves."""
        ...

    def stop(self) -> None:
        """End it, by force where it does not end by itself within seconds; it stays down."""
        ...


@dataclass(frozen=True)
class ServiceSpec:
    """How to start a service.

    Parameters
    ----------
    name : str
        Short name, unique in a run.
    module : str
        Run as ``python -m module --run-folder FOLDER``.
    domain : str
        Failure domain.
    arguments : tuple of str
        Further words of the command line.
    ready_port : int or None
        A TCP port on 127.0.0.1 that accepts once the service serves; None: it needs no proof.
    restarts : int
        How often it is started again within ten minutes before the supervisor gives up.
    silence_s : float
        A service that has given signs of life (`Heartbeat`) and gives none for so long is hung,
        and is ended and started again.
    environment : dict
        Further environment variables of the process.
    """

    name: str
    module: str
    domain: Domain
    arguments: tuple[str, ...] = ()
    ready_port: int | None = None
    restarts: int = 5
    silence_s: float = 60.0
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def command(self, run_folder: Path) -> list[str]:
        """Command line of the process."""
        return [
            sys.executable,
            "-m",
            self.module,
            "--run-folder",
            str(run_folder),
            *self.arguments,
        ]


def die_with_parent(parent_pid: int | None = None) -> None:
    """Ask the kernel to send SIGTERM to this process when its parent ends (Linux).

    Parameters
    ----------
    parent_pid : int, optional
        The expected parent, else that of $VOLTOMO_PARENT_PID, which `launch` sets; if it is gone
        already, this process ends at once.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    given = os.environ.pop(PARENT_VARIABLE, None)
    expected = int(given) if parent_pid is None and given is not None else parent_pid
    if expected is not None and os.getppid() != expected:
        raise SystemExit("the supervisor ended before this service could start")


def stop_on_signals(stop: Callable[[], None]) -> threading.Event:
    """Call ``stop`` once on SIGTERM, SIGINT or SIGHUP.

    Returns
    -------
    threading.Event
        Set when a signal came; a main loop may wait for it.
    """
    stopping = threading.Event()

    def handle(_number: int, _frame: object) -> None:
        if not stopping.is_set():
            stopping.set()
            stop()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, handle)
    return stopping
