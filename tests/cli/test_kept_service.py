"""A kept service is what the supervisor's word for it says."""

import time
from pathlib import Path

import pytest

from tests.cli.toys import toy_specs
from voltomo.cli.kept_service import KeptService
from voltomo.runtime.launch import give_addresses
from voltomo.runtime.ports import lock_ports
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.service import Service


def until_ready(service: Service, kept: KeptService, patience_s: float = 20.0) -> bool:
    """Asks the word alone; `kept` is looked after meanwhile, as the supervisor does."""
    deadline = time.monotonic() + patience_s
    while not service.ready() and time.monotonic() < deadline:
        kept.look()
        time.sleep(0.02)
    return service.ready()


@pytest.mark.parametrize("manner", ["good", "stubborn"])
def test_it_is_ready_when_it_serves_and_down_when_it_was_stopped(
    tmp_path: Path, manner: str
) -> None:
    folder = RunFolder(tmp_path).create()
    ports = lock_ports("test of a service", None)
    try:
        addresses = give_addresses(ports, ("motion", "camera"), ("camera",))
        (spec,) = toy_specs({"camera": manner})(addresses)
        kept = KeptService(spec, folder, addresses)
        service: Service = kept
        assert (service.name, service.domain) == ("camera", "hardware")
        assert service.ports == (addresses.channel_access["camera"], addresses.pv_access["camera"])
        assert not service.ready()
        kept.start()
        assert until_ready(service, kept)
        service.stop()
        assert not service.ready()
        assert kept.pid is None
        service.stop()
    finally:
        ports.release()
