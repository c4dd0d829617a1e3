"""The run folder: where processes meet, and where everything that was recorded lies."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

RUN_FOLDER_VARIABLE = "VOLTOMO_RUN_FOLDER"


class Addresses(BaseModel):
    """Where the services of a run listen; written by the supervisor, read by everyone.

    All on 127.0.0.1. ``channel_access`` and ``pv_access`` give a TCP port for each service's
    name; ``page`` is the page's HTTP port. ``ca_servers`` and ``pva_servers`` are where the
    devices of a beamline answer that voltomo does not serve itself ("host" or "host:port").
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prefix: str = "VT:"
    channel_access: dict[str, int] = {}
    pv_access: dict[str, int] = {}
    page: int | None = None
    ca_repeater: int = 5065
    ca_servers: tuple[str, ...] = ()
    pva_servers: tuple[str, ...] = ()

    def client_environment(self) -> dict[str, str]:
        """Environment of a process that talks to these servers and to nothing else."""
        ca = " ".join(f"127.0.0.1:{port}" for port in sorted(set(self.channel_access.values())))
        pva = " ".join(f"127.0.0.1:{port}" for port in sorted(set(self.pv_access.values())))
        return {
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_ADDR_LIST": " ".join((ca, *self.ca_servers)).strip(),
            "EPICS_CA_REPEATER_PORT": str(self.ca_repeater),
            "EPICS_CA_MAX_ARRAY_BYTES": "16000000",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
            # With the port of each: a stranger on the usual port must not be asked.
            "EPICS_PVA_ADDR_LIST": " ".join((pva, *self.pva_servers)).strip(),
            "EPICS_PVA_NAME_SERVERS": pva,
        }

    def server_environment(self, service: str) -> dict[str, str]:
        """Environment of a service: its own server ports on loopback, and the clients' part."""
        environment = self.client_environment()
        environment |= {
            "EPICS_CAS_INTF_ADDR_LIST": "127.0.0.1",
            "EPICS_CAS_BEACON_ADDR_LIST": "127.0.0.1",
            "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
            "EPICS_PVAS_INTF_ADDR_LIST": "127.0.0.1",
            "EPICS_PVAS_BEACON_ADDR_LIST": "127.0.0.1",
            "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        }
        if service in self.channel_access:
            port = str(self.channel_access[service])
            environment |= {"EPICS_CAS_SERVER_PORT": port, "EPICS_CA_SERVER_PORT": port}
        if service in self.pv_access:
            port = str(self.pv_access[service])
            environment |= {
                "EPICS_PVAS_SERVER_PORT": port,
                "EPICS_PVAS_BROADCAST_PORT": port,
            }
        return environment


@dataclass(frozen=True)
class RunFolder:
    """Paths of a run folder; `create` makes it."""

    root: Path

    @classmethod
    def locate(cls, given: Path | None = None) -> RunFolder:
        """The folder given, else $VOLTOMO_RUN_FOLDER, else ``.voltomo`` in the current folder."""
        return cls((given or Path(os.environ.get(RUN_FOLDER_VARIABLE, ".voltomo"))).resolve())

    def create(self) -> RunFolder:
        """Make the folder and its parts, readable by this user alone."""
        for folder in (self.root, self.frames, self.services, self.exports):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    @property
    def frames(self) -> Path:
        """Files of frames: the truth."""
        return self.root / "frames"

    @property
    def services(self) -> Path:
        """One JSON state and one text log for each service."""
        return self.root / "services"

    @property
    def exports(self) -> Path:
        """Projections: NeXus files, reports."""
        return self.root / "exports"

    @property
    def world(self) -> Path:
        """The twin's shared world."""
        return self.root / "world.bin"

    @property
    def frame_ring(self) -> Path:
        """Ring of frames between camera and writer."""
        return self.root / "frames.ring"

    @property
    def run_log(self) -> Path:
        """Documents, decisions, notes: written by the RunEngine's process."""
        return self.root / "run.log"

    @property
    def exposure_log(self) -> Path:
        """Every lease and every opening of the beam: written by the guard alone."""
        return self.root / "exposure.log"

    @property
    def beamline_lock(self) -> Path:
        """Held by the one process that runs a RunEngine."""
        return self.root / "beamline.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the one supervisor."""
        return self.root / "supervisor.lock"

    @property
    def settings(self) -> Path:
        """What the services were started with (twin, guard, samples)."""
        return self.root / "settings.json"

    @property
    def beamline_file(self) -> Path:
        """The beamline file that the services were started from, as JSON."""
        return self.root / "beamline.json"

    def write_addresses(self, addresses: Addresses) -> None:
        """Publish where the services listen."""
        write_json(self.root / "addresses.json", addresses.model_dump())

    def addresses(self) -> Addresses:
        """Where the services listen.

        Raises
        ------
        FileNotFoundError
            Nothing was started here.
        """
        path = self.root / "addresses.json"
        if not path.exists():
            raise FileNotFoundError(
                f"no services have been started in {self.root}; start them with 'voltomo up'"
            )
        return Addresses.model_validate_json(path.read_text())


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file in one step, so that a reader never sees half of it."""
    part = path.with_suffix(path.suffix + f".{os.getpid()}.part")
    part.write_text(json.dumps(value, indent=1))
    part.replace(path)
