"""Exporting by the command: copies where there is room, links where they are asked for."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.records.synthetic import SyntheticRun, contents
from voltomo.cli.main import app
from voltomo.model.names import run_name
from voltomo.runtime.run_folder import RunFolder


@pytest.fixture
def run(tmp_path: Path) -> SyntheticRun:
    return SyntheticRun(RunFolder(tmp_path / "run")).write()


def export(run: SyntheticRun, *options: str) -> str:
    words = ["export", "last", "--run-folder", str(run.folder.root), *options]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return done.output


def path_of(run: SyntheticRun) -> Path:
    return run.folder.exports / f"{run_name(run.uid)}.nxs"


def test_links_and_copies_hold_the_same(run: SyntheticRun) -> None:
    export(run)
    copied, size = contents(path_of(run)), path_of(run).stat().st_size
    export(run, "--link")
    linked = contents(path_of(run))
    assert path_of(run).stat().st_size < size
    assert set(linked) == set(copied)
    assert all(np.array_equal(linked[name], copied[name]) for name in copied if "data" in name)
    with h5py.File(path_of(run)) as file:
        data = file["entry/data/data"]
        assert isinstance(data, h5py.Dataset)
        assert data.is_virtual


def test_rebuilding_keeps_links(run: SyntheticRun) -> None:
    export(run, "--link")
    before = path_of(run).stat().st_size
    done = CliRunner().invoke(app, ["rebuild", "--run-folder", str(run.folder.root)])
    assert done.exit_code == 0, done.output
    assert path_of(run).stat().st_size == before


def test_a_run_is_found_by_the_name_of_its_files(run: SyntheticRun) -> None:
    words = ["export", run_name(run.uid), "--run-folder", str(run.folder.root)]
    assert CliRunner().invoke(app, words).exit_code == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_without_room_nothing_is_written_but_the_report(run: SyntheticRun, tmp_path: Path) -> None:
    """A disk of its own, too small for the frames."""
    small = tmp_path / "small"
    small.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=800k", "tmpfs", str(small)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        run.folder.exports.rmdir()
        run.folder.exports.symlink_to(small)
        words = [sys.executable, "-m", "voltomo.cli.main", "export"]
        done = subprocess.run(
            [*words, "--run-folder", str(run.folder.root)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "GB of room" in done.stderr
        assert "voltomo export --link" in done.stderr
        assert "Traceback" not in done.stderr
        assert [path.suffix for path in small.iterdir()] == [".html"]
        export(run, "--link")
        assert path_of(run).exists()
    finally:
        subprocess.run(["umount", str(small)], check=True)
