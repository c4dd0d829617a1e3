"""A guard that cannot start says why in a sentence, and gives no beam."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from voltomo.dose.exposure_log import open_exposure_log
from voltomo.runtime.addresses import Addresses
from voltomo.runtime.append_log import AppendLog
from voltomo.runtime.run_folder import RunFolder


def said_by(folder: RunFolder) -> str:
    """What the guard says before it ends; it must fail."""
    done = subprocess.run(
        [sys.executable, "-m", "voltomo.dose.guard_ioc", "--run-folder", str(folder.root)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "the guard cannot start, and there is no beam without it" in done.stderr
    return done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run").create()
    made.write_addresses(Addresses())
    return made


def test_a_log_that_another_guard_has_is_left_alone_and_that_one_named(folder: RunFolder) -> None:
    opened = open_exposure_log(folder.exposure_log, "the guard of another run")
    said = said_by(folder)
    assert "is held by 'the guard of another run', process" in said
    opened.close()


def test_a_log_that_another_guard_writes_is_left_alone(folder: RunFolder) -> None:
    with AppendLog(folder.exposure_log):
        assert "is written by another process" in said_by(folder)


def test_a_log_that_cannot_be_opened_is_named(folder: RunFolder) -> None:
    folder.exposure_log.mkdir()
    assert "exposure.log" in said_by(folder)


def test_a_guard_of_no_run_is_refused(tmp_path: Path) -> None:
    assert "no services run in" in said_by(RunFolder(tmp_path / "run").create())


def test_impossible_settings_are_named(folder: RunFolder) -> None:
    folder.settings.write_text(json.dumps({"guard": {"energy_keV": 20000}}))
    assert "energy_keV" in said_by(folder)
