"""A session is opened on running services only, and once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from voltomo.profiles.beamline_file import load_beamline
from voltomo.profiles.session import open_session
from voltomo.runtime.run_folder import Addresses, RunFolder

OPEN = """
import sys
from pathlib import Path
{before}
from voltomo.profiles.beamline_file import load_beamline
from voltomo.profiles.session import open_session
from voltomo.runtime.locks import FileLock
from voltomo.runtime.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
lock = FileLock(folder.beamline_lock, "somebody's scan")
lock.acquire()
open_session(folder, load_beamline("virtual"))
"""


def opened(folder: Path, before: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", OPEN.format(before=before), str(folder)],
        capture_output=True,
        check=False,
        timeout=60,
        env=os.environ,
    )
    assert done.returncode == 1
    return done.stderr.decode().splitlines()[-1]


def test_nothing_was_started(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="start them with 'voltomo up'"):
        open_session(RunFolder(tmp_path), load_beamline("virtual"))


def test_another_session_has_the_beamline(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_addresses(Addresses(channel_access={"motion": 21000}))
    assert "is held by 'somebody's scan', process" in opened(tmp_path)


def test_a_client_that_was_loaded_before_would_look_elsewhere(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_addresses(Addresses(channel_access={"motion": 21000}))
    assert "p4p was imported before the session was opened" in opened(tmp_path, "import p4p")
