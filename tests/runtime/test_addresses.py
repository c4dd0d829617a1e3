"""Environments: of the virtual beamline, on loopback alone; of a real one, clients reach out."""

import pytest
from pydantic import ValidationError

from voltomo.runtime.addresses import Addresses, Facility

OWN = {"guard": 21000, "worker": 21001}
FACILITY = Facility(
    ca_addresses=("ioc1.beamline", "10.0.0.5:5070"),
    pva_addresses=("camera:5075",),
    pva_name_servers=("gateway:5075",),
)
REAL = Addresses(channel_access=OWN, pv_access={"worker": 21002}, facility=FACILITY)


def test_without_a_facility_nothing_leads_beyond_loopback() -> None:
    addresses = Addresses(channel_access=OWN, pv_access={"worker": 21002})
    for environment in (addresses.client_environment(), addresses.server_environment("guard")):
        assert "EPICS_CA_NAME_SERVERS" not in environment
        for name, text in environment.items():
            if name.endswith(("ADDR_LIST", "SERVERS")):
                assert {word.split(":")[0] for word in text.split()} <= {"127.0.0.1", "NO"}


@pytest.mark.parametrize("service", ["guard", "worker", "page", None])
def test_clients_ask_the_facility_besides_their_own(service: str | None) -> None:
    environment = REAL.server_environment(service) if service else REAL.client_environment()
    asked = environment["EPICS_CA_ADDR_LIST"]
    assert asked == "127.0.0.1:21000 127.0.0.1:21001 ioc1.beamline 10.0.0.5:5070"
    assert environment["EPICS_PVA_ADDR_LIST"] == "127.0.0.1:21002 camera:5075"
    assert environment["EPICS_PVA_NAME_SERVERS"] == "127.0.0.1:21002 gateway:5075"
    assert environment["EPICS_CA_AUTO_ADDR_LIST"] == "NO"
    # It would be the port of every address that is given without one.
    assert "EPICS_CA_SERVER_PORT" not in environment


def test_only_clients_reach_out_and_servers_stay_on_loopback() -> None:
    assert "ioc1" not in str(REAL.server_environment("motion"))
    for service in ("guard", "worker", "motion"):
        environment = REAL.server_environment(service)
        assert environment["EPICS_CAS_INTF_ADDR_LIST"] == "127.0.0.1"
        assert environment["EPICS_PVAS_INTF_ADDR_LIST"] == "127.0.0.1"
        assert environment["EPICS_CAS_BEACON_ADDR_LIST"] == "127.0.0.1"
    assert "ioc1" not in str(REAL.own_environment())


def test_the_network_is_asked_and_served_only_where_the_file_says_so() -> None:
    wider = FACILITY.model_copy(update={"auto_address_list": True, "serve_on": ("10.0.0.7",)})
    addresses = REAL.model_copy(update={"facility": wider})
    environment = addresses.server_environment("guard")
    assert environment["EPICS_CA_AUTO_ADDR_LIST"] == "YES"
    assert environment["EPICS_PVA_AUTO_ADDR_LIST"] == "YES"
    assert environment["EPICS_CAS_INTF_ADDR_LIST"] == "127.0.0.1 10.0.0.7"
    assert addresses.server_environment("motion")["EPICS_CAS_INTF_ADDR_LIST"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("ca_addresses", "two hosts"),
        ("ca_addresses", "host:70000"),
        ("ca_name_servers", "-host"),
        ("pva_addresses", ""),
        ("serve_on", "0.0.0.0"),  # noqa: S104
        ("serve_on", "somewhere"),
    ],
)
def test_what_is_no_address_is_refused(field: str, wrong: str) -> None:
    with pytest.raises(ValidationError):
        Facility.model_validate({field: (wrong,)})


def test_addresses_are_read_back() -> None:
    assert Addresses.model_validate_json(REAL.model_dump_json()) == REAL
