"""Starting a service: its ports, its environment, its log file, its own process group."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from voltomo.model.pv_names import PvNames
from voltomo.runtime.addresses import Addresses, Facility
from voltomo.runtime.ports import PortBlock
from voltomo.runtime.run_folder import RUN_FOLDER_VARIABLE, RunFolder
from voltomo.runtime.service import PARENT_VARIABLE, ServiceSpec

START_OF_LOG = "--- started"
"""A line of a service's log that begins so stands before what one process of it said."""

_PAGE_OFFSET = 38
_REPEATER_OFFSET = 39


def give_addresses(
    ports: PortBlock,
    channel_access: Sequence[str],
    pv_access: Sequence[str],
    prefix: str = "VT:",
    *,
    facility: Facility | None = None,
    pvs: PvNames | None = None,
) -> Addresses:
    """Ports of a locked block, given to the services of a new run in order."""
    offsets = iter(range(_PAGE_OFFSET))
    return Addresses(
        run=uuid4().hex,
        prefix=prefix,
        first_port=ports.first,
        channel_access={name: ports.port(next(offsets)) for name in channel_access},
        pv_access={name: ports.port(next(offsets)) for name in pv_access},
        page=ports.port(_PAGE_OFFSET),
        ca_repeater=ports.port(_REPEATER_OFFSET),
        facility=facility,
        pvs=pvs,
    )


def log_path(folder: RunFolder, name: str) -> Path:
    """Where a service's output goes."""
    return folder.services / f"{name}.log"


def end_of_log(folder: RunFolder, name: str, lines: int = 12) -> str:
    """The last lines that the last process of a service has written."""
    path = log_path(folder, name)
    if not path.exists():
        return ""
    said = path.read_text(errors="replace").splitlines()
    starts = [place for place, line in enumerate(said) if line.startswith(START_OF_LOG)]
    return "\n".join(said[starts[-1] + 1 if starts else 0 :][-lines:])


def launch(spec: ServiceSpec, folder: RunFolder, addresses: Addresses) -> subprocess.Popen[bytes]:
    """Start a service as a process of its own group; its output goes to the run folder.

    The process inherits no EPICS settings of the caller: it can reach and be reached by the
    services of this run alone, and reach what the addresses name of a facility.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
    environment |= addresses.server_environment(spec.name)
    environment |= {RUN_FOLDER_VARIABLE: str(folder.root), "PYTHONUNBUFFERED": "1"}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    environment |= {PARENT_VARIABLE: str(os.getpid())}
    environment |= spec.environment
    with log_path(folder, spec.name).open("ab") as log:
        utc = datetime.now(UTC).isoformat(timespec="seconds")
        log.write(f"{START_OF_LOG} {utc}\n".encode())
        log.flush()
        return subprocess.Popen(
            spec.command(folder.root),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
