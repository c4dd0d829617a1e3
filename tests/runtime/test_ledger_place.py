"""The exposure log lies with the beamline, and no dose that is known is ever forgotten."""

from pathlib import Path

import pytest

from voltomo.runtime.append_log import AppendLog, read_log
from voltomo.runtime.ledger_place import LedgerRefused, place_exposure_log
from voltomo.runtime.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run").create()


def test_two_run_folders_share_a_ledger(folder: RunFolder, tmp_path: Path) -> None:
    ledger = tmp_path / "beamline" / "ledger"
    other = RunFolder(tmp_path / "other").create()
    for each in (folder, other, folder):
        place_exposure_log(each, ledger)
        assert each.exposure_log == ledger / "exposure.log"
    with AppendLog(folder.exposure_log) as log:
        log.append("exposure", {})
    assert [entry.kind for entry in read_log(other.exposure_log)] == ["exposure"]
    folder.clear()
    assert len(read_log(other.exposure_log)) == 1


def test_without_a_ledger_it_lies_in_the_run_folder(folder: RunFolder) -> None:
    place_exposure_log(folder, None)
    assert folder.exposure_log == folder.root / "exposure.log"


def test_doses_of_the_run_folder_are_not_forgotten(folder: RunFolder, tmp_path: Path) -> None:
    with AppendLog(folder.exposure_log) as log:
        log.append("exposure", {})
    with pytest.raises(LedgerRefused, match="has an exposure log of its own"):
        place_exposure_log(folder, tmp_path / "ledger")
    assert len(read_log(folder.exposure_log)) == 1


def test_doses_of_a_ledger_are_not_forgotten(folder: RunFolder, tmp_path: Path) -> None:
    place_exposure_log(folder, tmp_path / "ledger")
    for elsewhere in (None, tmp_path / "new"):
        with pytest.raises(LedgerRefused, match=f"are kept in {tmp_path}/ledger/exposure.log"):
            place_exposure_log(folder, elsewhere)
