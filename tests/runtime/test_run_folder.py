"""Where processes meet: paths, addresses, and environments that lead nowhere else."""

from pathlib import Path

import pytest

from voltomo.runtime.launch import give_addresses
from voltomo.runtime.ports import lock_ports
from voltomo.runtime.run_folder import Addresses, RunFolder, write_json


def test_a_run_folder_is_private_and_found_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("VOLTOMO_RUN_FOLDER", str(tmp_path / "runs"))
    folder = RunFolder.locate().create()
    assert folder.root == tmp_path / "runs"
    assert folder.root.stat().st_mode & 0o077 == 0
    assert RunFolder.locate(tmp_path).root == tmp_path
    with pytest.raises(FileNotFoundError, match="start them with 'voltomo up'"):
        folder.addresses()
    given = Addresses(channel_access={"motion": 21000}, pv_access={"camera": 21001}, page=21038)
    folder.write_addresses(given)
    assert folder.addresses() == given
    folder.frame_ring.symlink_to("/proc/1/fd/3")
    folder.forget_services()
    assert not folder.frame_ring.is_symlink()
    with pytest.raises(FileNotFoundError, match="start them with 'voltomo up'"):
        folder.addresses()


def test_json_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert path.read_text() == '{\n "a": 1\n}'


def test_every_service_has_ports_of_its_own_on_loopback() -> None:
    block = lock_ports("test")
    addresses = give_addresses(block, ("motion", "camera"), ("camera",))
    block.release()
    ports = [
        *addresses.channel_access.values(),
        *addresses.pv_access.values(),
        addresses.page,
        addresses.ca_repeater,
    ]
    assert len(set(ports)) == len(ports)
    server = addresses.server_environment("camera")
    assert server["EPICS_CAS_SERVER_PORT"] == str(addresses.channel_access["camera"])
    assert server["EPICS_PVAS_SERVER_PORT"] == str(addresses.pv_access["camera"])
    assert "EPICS_PVAS_SERVER_PORT" not in addresses.server_environment("motion")
    for environment in (server, addresses.client_environment()):
        lists = [text for name, text in environment.items() if name.endswith("ADDR_LIST")]
        hosts = {word.split(":")[0] for text in lists for word in text.split()}
        assert hosts <= {"127.0.0.1", "NO"}
