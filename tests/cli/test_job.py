"""A folder of results that is in use is left alone; one that is not is cleared for a new run."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from toys import USUAL, toy_specs

from voltomo.cli.demo import run_demo
from voltomo.cli.errors import Refused
from voltomo.cli.job import Job, run_job
from voltomo.cli.replay import run_replay
from voltomo.cli.supervisor import Supervisor
from voltomo.profiles.beamline_file import load_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.locks import FileLock, Held
from voltomo.runtime.run_folder import RunFolder

SCAN = ScanFile(sample="demo cell", projections=8, exposure_s=0.02, period_s=0.04)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    """What an earlier job has left."""
    made = RunFolder(tmp_path / "run-twin").create()
    (made.frames / "sweep_0.h5").write_text("frames")
    made.run_log.write_text("documents")
    return made


def test_a_job_in_a_folder_that_is_in_use_touches_nothing(folder: RunFolder) -> None:
    job = Job("twin", load_beamline("virtual"), SCAN, folder.root.parent)
    with (
        FileLock(folder.supervisor_lock, "the first demo"),
        pytest.raises(Held, match=r"supervisor\.lock is held by 'the first demo', process"),
    ):
        run_job(job)
    assert (folder.frames / "sweep_0.h5").read_text() == "frames"
    assert folder.run_log.read_text() == "documents"


def fresh(folder: RunFolder) -> Supervisor:
    return Supervisor(folder, {"live": {}}, fresh=True, specs=toy_specs(USUAL))


def test_what_a_session_still_exports_is_not_cleared_away(folder: RunFolder) -> None:
    with (
        FileLock(folder.beamline_lock, "a session that exports"),
        pytest.raises(Held, match="'a session that exports'"),
    ):
        fresh(folder).start()
    assert folder.run_log.read_text() == "documents"


def test_a_folder_that_nobody_uses_is_cleared_under_its_lock(folder: RunFolder) -> None:
    inode = folder.supervisor_lock
    with FileLock(inode, "earlier"):
        before = inode.stat().st_ino
    with fresh(folder) as supervisor:
        assert set(supervisor.states().values()) == {"ready"}
        assert list(folder.frames.iterdir()) == []
        assert not folder.run_log.exists()
        assert (folder.root / "supervisor.json").exists()
        assert inode.stat().st_ino == before, "a lock that is removed excludes nobody"


@pytest.mark.parametrize("command", ["demo", "replay"])
def test_a_second_command_in_the_same_place_is_refused(tmp_path: Path, command: str) -> None:
    (tmp_path / "summary.json").write_text("{}")
    with FileLock(tmp_path / ".lock", "voltomo demo"), pytest.raises(Held, match="'voltomo demo'"):
        if command == "demo":
            run_demo(tmp_path, 1)
        else:
            run_replay(recording(tmp_path / "scan.h5"), 16.0, tmp_path, 25.0)
    assert not list(tmp_path.glob("run-*"))


def test_a_recording_in_the_folder_that_is_cleared_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "run-replay" / "exports" / "scan.h5"
    path.parent.mkdir(parents=True)
    recording(path)
    with pytest.raises(Refused, match="which a replay clears before it begins"):
        run_replay(path, 16.0, tmp_path, 25.0)
    assert path.exists()


def recording(path: Path) -> Path:
    """A small DataExchange file."""
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        for name, count, level in (("data", 6, 900), ("data_white", 3, 1000), ("data_dark", 2, 10)):
            file[f"exchange/{name}"] = random.poisson(level, (count, 8, 32)).astype(np.uint16)
        file["exchange/theta"] = np.linspace(0, 180, 6, endpoint=False)
    return path
