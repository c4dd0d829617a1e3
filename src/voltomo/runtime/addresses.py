"""Where the services of a run listen, and the environments in which others find them."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from voltomo.model.pv_names import PvNames

__all__ = ["Addresses", "Facility"]

LOOPBACK = "127.0.0.1"
_HOST = re.compile(r"(?P<host>[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?)(:(?P<port>\d{1,5}))?")
_OUTSIDE = ("guard", "worker", "page")
"""Services that look at a facility's servers; sessions do besides."""


def _host_and_port(text: str) -> str:
    found = _HOST.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else 5064
    if found is None or not 1 <= port <= 65535:
        raise ValueError(f"{text!r} is no address: write a host or its number, or host:port")
    return text


def _interface(text: str) -> str:
    found = ipaddress.ip_address(text)
    if found.version != 4 or found.is_unspecified:
        raise ValueError(f"{text!r} is no interface: write its own number, such as 10.0.0.7")
    return text


Address = Annotated[str, AfterValidator(_host_and_port)]
Interface = Annotated[str, AfterValidator(_interface)]


class Facility(BaseModel):
    """The servers of a real beamline, which voltomo's clients ask besides its own.

    Parameters
    ----------
    ca_addresses, pva_addresses : tuple of str
        Hosts, with ports where they are not the usual ones, that are asked for PVs over Channel
        Access and PV Access.
    ca_name_servers, pva_name_servers : tuple of str
        Name servers and gateways that are asked by TCP.
    auto_address_list : bool
        Whether all of the local network is asked, too.
    serve_on : tuple of str
        Interfaces, beside loopback, on which the guard's and the worker's PVs are served. Whoever
        reaches them may stop the beam, and may ask for it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ca_addresses: tuple[Address, ...] = ()
    ca_name_servers: tuple[Address, ...] = ()
    pva_addresses: tuple[Address, ...] = ()
    pva_name_servers: tuple[Address, ...] = ()
    auto_address_list: bool = False
    serve_on: tuple[Interface, ...] = ()

    @property
    def reachable(self) -> bool:
        """Whether Channel Access can find anything there."""
        return bool(self.ca_addresses or self.ca_name_servers or self.auto_address_list)


class Addresses(BaseModel):
    """Where the services of a run listen; written by the supervisor, read by everyone.

    All on 127.0.0.1. ``channel_access`` and ``pv_access`` give a TCP port for each service's
    name; ``page`` is the page's HTTP port, ``first_port`` the beginning of the block that all of
    them are from. ``run`` tells this run from any other that comes to listen there; the guard
    serves it. ``prefix`` is that of voltomo's own PVs; ``facility`` and ``pvs`` say where the
    devices of a real beamline are found, and by which names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str = ""
    prefix: str = "VT:"
    first_port: int | None = None
    channel_access: dict[str, int] = {}
    pv_access: dict[str, int] = {}
    page: int | None = None
    ca_repeater: int = 5065
    facility: Facility | None = None
    pvs: PvNames | None = None

    @property
    def names(self) -> PvNames:
        """Names of the devices' PVs."""
        return self.pvs or PvNames(prefix=self.prefix)

    def own_environment(self) -> dict[str, str]:
        """Environment of a client of this run's services and of nothing else."""
        ca = [f"{LOOPBACK}:{port}" for port in sorted(set(self.channel_access.values()))]
        pva = [f"{LOOPBACK}:{port}" for port in sorted(set(self.pv_access.values()))]
        return {
            "EPICS_CA_AUTO_ADDR_LIST": "NO",
            "EPICS_CA_ADDR_LIST": " ".join(ca),
            "EPICS_CA_REPEATER_PORT": str(self.ca_repeater),
            "EPICS_CA_MAX_ARRAY_BYTES": "16000000",
            "EPICS_PVA_AUTO_ADDR_LIST": "NO",
            # With the port of each: a stranger on the usual port must not be asked.
            "EPICS_PVA_ADDR_LIST": " ".join(pva),
            "EPICS_PVA_NAME_SERVERS": " ".join(pva),
        }

    def client_environment(self) -> dict[str, str]:
        """Environment of a client of this run's services, and of the facility if there is one."""
        environment = self.own_environment()
        facility = self.facility
        if facility is None:
            return environment
        further = {
            "EPICS_CA_ADDR_LIST": facility.ca_addresses,
            "EPICS_CA_NAME_SERVERS": facility.ca_name_servers,
            "EPICS_PVA_ADDR_LIST": facility.pva_addresses,
            "EPICS_PVA_NAME_SERVERS": facility.pva_name_servers,
        }
        for key, addresses in further.items():
            listed = [*environment.get(key, "").split(), *addresses]
            if listed:
                environment[key] = " ".join(listed)
        # No beacon of the facility reaches this run's repeater: what was away is looked for often.
        environment["EPICS_CA_MAX_SEARCH_PERIOD"] = "60"
        if facility.auto_address_list:
            environment |= {"EPICS_CA_AUTO_ADDR_LIST": "YES", "EPICS_PVA_AUTO_ADDR_LIST": "YES"}
        return environment

    def server_environment(self, service: str) -> dict[str, str]:
        """Environment of a service: its own server ports on loopback, and the clients' part."""
        outside = self.facility is not None and service in _OUTSIDE
        environment = self.client_environment() if outside else self.own_environment()
        on = (LOOPBACK, *(self.facility.serve_on if self.facility and outside else ()))
        environment |= {
            "EPICS_CAS_INTF_ADDR_LIST": " ".join(on),
            "EPICS_CAS_BEACON_ADDR_LIST": LOOPBACK,
            "EPICS_CAS_AUTO_BEACON_ADDR_LIST": "NO",
            "EPICS_PVAS_INTF_ADDR_LIST": " ".join(on),
            "EPICS_PVAS_BEACON_ADDR_LIST": LOOPBACK,
            "EPICS_PVAS_AUTO_BEACON_ADDR_LIST": "NO",
        }
        if service in self.channel_access:
            port = str(self.channel_access[service])
            environment["EPICS_CAS_SERVER_PORT"] = port
            if not outside:
                # A client takes it for the port of all addresses that are given without one.
                environment["EPICS_CA_SERVER_PORT"] = port
        if service in self.pv_access:
            port = str(self.pv_access[service])
            environment |= {
                "EPICS_PVAS_SERVER_PORT": port,
                "EPICS_PVAS_BROADCAST_PORT": port,
            }
        return environment
