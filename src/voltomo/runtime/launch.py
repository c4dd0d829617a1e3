"""Starting a service: its ports, its environment, its log file, its own process group."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from voltomo.runtime.ports import PortBlock
from voltomo.runtime.run_folder import RUN_FOLDER_VARIABLE, Addresses, RunFolder
from voltomo.runtime.service import ServiceSpec

_PAGE_OFFSET = 38
_REPEATER_OFFSET = 39


def give_addresses(
    ports: PortBlock,
    channel_access: Sequence[str],
    pv_access: Sequence[str],
    prefix: str = "VT:",
) -> Addresses:
    """Ports of a locked block, given to services in order."""
    offsets = iter(range(_PAGE_OFFSET))
    return Addresses(
        prefix=prefix,
        channel_access={name: ports.port(next(offsets)) for name in channel_access},
        pv_access={name: ports.port(next(offsets)) for name in pv_access},
        page=ports.port(_PAGE_OFFSET),
        ca_repeater=ports.port(_REPEATER_OFFSET),
    )


def launch(spec: ServiceSpec, folder: RunFolder, addresses: Addresses) -> subprocess.Popen[bytes]:
    """Start a service as a process of its own group; its output goes to the run folder.

    The process inherits no EPICS settings of the caller: it can reach and be reached by the
    services of this run alone.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
    environment |= addresses.server_environment(spec.name)
    environment |= {RUN_FOLDER_VARIABLE: str(folder.root), "PYTHONUNBUFFERED": "1"}
    environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    environment |= spec.environment
    with (folder.services / f"{spec.name}.log").open("ab") as log:
        return subprocess.Popen(
            spec.command(folder.root),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,
        )
