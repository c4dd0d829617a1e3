"""Where the services of a run listen, and the environments in which others find them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Addresses(BaseModel):
    """Where the services of a run listen; written by the supervisor, read by everyone.

    All on 127.0.0.1. ``channel_access`` and ``pv_access`` give a TCP port for each service's
    name; ``page`` is the page's HTTP port, ``first_port`` the beginning of the block that all of
    them are from. ``run`` tells this run from any other that comes to listen there; the guard
    serves it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = ""
    prefix: str = "VT:"
    first_port: int | None = None
    channel_access: dict[str, int] = {}
    pv_access: dict[str, int] = {}
    page: int | None = None
    ca_repeater: int = 5065

    def client_environment(self) -> dict[str, str]:
        """Environment of a process that talks to these services and to nothing else."""
        ca = " ".join(f"127.0.0.1:{port}" for port in sorted(set(self.channel_access.values())))
        pva = " ".join(f"127.0.0.1:{port}" for port in sorted(set(self.pv_access.values())))
        return {
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_ADDR_LIST": ca,
            "EPICS_CA_REPEATER_PORT": str(self.ca_repeater),
            "EPICS_CA_MAX_ARRAY_BYTES": "16000000",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
            # With the port of each: a stranger on the usual port must not be asked.
            "EPICS_PVA_ADDR_LIST": pva,
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
