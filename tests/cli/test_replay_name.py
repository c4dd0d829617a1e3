"""A replay bears the name of what was recorded, and never one that could not be a sample's."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.records.synthetic import SyntheticRun
from voltomo.cli.replay import recorded_name
from voltomo.records.nxtomo import export_nxtomo
from voltomo.records.scan import read_scan
from voltomo.runtime.recorded_scan import RecordedHead
from voltomo.runtime.run_folder import RunFolder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> RecordedHead:
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    run = SyntheticRun(folder).write()
    return RecordedHead.read(export_nxtomo(read_scan(folder, run.uid), folder.root / "scan.nxs"))


@pytest.mark.parametrize(
    ("sample", "file", "name"),
    [
        ("tooth", "a.h5", "tooth"),
        ("", "tooth.h5", "tooth"),
        ("<b>cell</b> 7/3", "a.h5", "b-cell-b- 7-3"),
        ("  ", "cell #4 (2nd).nxs", "cell -4 -2nd"),
        ("..", "..nxs", "recording"),
        ("電池", "a.h5", "電池"),
        ("x" * 90, "a.h5", "x" * 64),
        ("//", "--.h5", "recording"),
    ],
)
def test_name(recorded: RecordedHead, sample: str, file: str, name: str) -> None:
    assert recorded_name(replace(recorded, sample=sample, path=Path(file))) == name
