"""Which processes a run has: the virtual cell only where it is asked for."""

import pytest

from voltomo.cli.services import served, services
from voltomo.cli.settings import check_settings
from voltomo.model.device_entries import CyclerEntry
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline
from voltomo.runtime.addresses import Addresses
from voltomo.runtime.yaml_file import FileRefused


def virtual(**twin) -> BeamlineFile:
    file = load_beamline("virtual")
    return BeamlineFile.model_validate(file.model_dump() | {"twin": file.twin | twin})


def names(*, cell: bool) -> list[str]:
    ports = {name: number for number, name in enumerate(served(virtual=True, cell=cell)[0], 1)}
    found = services(Addresses(channel_access=ports), virtual=True, cell=cell)
    return [spec.name for spec in found if spec.ready_port is not None]


def test_a_virtual_beamline_has_a_cell_where_its_file_asks_for_one() -> None:
    assert set(names(cell=True)) - set(names(cell=False)) == {"cell"}
    plain, with_cell = virtual(), virtual(cell={"acceleration": 10.0})
    assert (plain.virtual_cell, with_cell.virtual_cell) == (False, True)
    assert "cycler" not in plain.all_devices
    entry = with_cell.all_devices["cycler"]
    assert isinstance(entry, CyclerEntry)
    assert entry.pvs["voltage"] == f"{with_cell.prefix}Cycler:Voltage"
    assert check_settings(with_cell)["twin"]["cell"]["acceleration"] == 10


def test_its_settings_are_checked_before_anything_starts() -> None:
    with pytest.raises(FileRefused, match="acceleration"):
        check_settings(virtual(cell={"acceleration": -1.0}))


def test_no_real_beamline_starts_a_virtual_cell() -> None:
    assert "cell" not in served(virtual=False, cell=True)[0]
    own = services(Addresses(), virtual=False, cell=True)
    assert "cell" not in [spec.name for spec in own]
