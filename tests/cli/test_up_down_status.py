"""``voltomo up`` as a process: however it ends, nothing is left behind; ``down`` finds what is."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from toys import HERE, USUAL, events
from typer.testing import CliRunner

from voltomo.cli.main import app
from voltomo.cli.processes import ProcessIdentity
from voltomo.profiles.beamline_file import load_beamline
from voltomo.runtime.locks import FileLock
from voltomo.runtime.run_folder import RunFolder, write_json

PATIENCE_S = 20.0


def until(condition, patience_s: float = PATIENCE_S) -> bool:
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def start(folder: Path, *words: str, **options: Any) -> subprocess.Popen[Any]:
    return subprocess.Popen(
        [sys.executable, "-m", "toys", str(folder), *words],
        env=os.environ | {"PYTHONPATH": HERE},
        **options,
    )


def is_up(folder: Path) -> bool:
    files = list((folder / "services").glob("*.json"))
    states = [json.loads(path.read_text())["state"] for path in files]
    return len(states) == len(USUAL) and set(states) == {"ready"}


def nothing_runs(folder: Path) -> bool:
    return all(ProcessIdentity.of(pid) is None for _, _, pid in events(folder))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_in_order(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert until(lambda: is_up(tmp_path))
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert [name for what, name, _ in events(tmp_path) if what == "end"][:2] == ["guard", "shutter"]
    assert nothing_runs(tmp_path)
    assert said.decode().endswith("stopping, the beam first\neverything has ended\n")


def test_a_signal_while_it_starts_ends_everything(tmp_path: Path) -> None:
    process = start(tmp_path, "page=deaf", stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert until(lambda: "page" in [name for _, name, _ in events(tmp_path)])
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert b"told to stop before everything was ready" in said
    assert nothing_runs(tmp_path)


def test_a_closed_terminal_ends_everything(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = start(
        tmp_path, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=_take_terminal,
    )  # fmt: skip
    os.close(theirs)
    assert until(lambda: is_up(tmp_path))
    os.close(ours)
    process.wait(PATIENCE_S)
    assert nothing_runs(tmp_path)
    assert [name for what, name, _ in events(tmp_path) if what == "end"][:2] == ["guard", "shutter"]


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.mark.kill
def test_services_end_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    process = start(tmp_path, stdout=subprocess.DEVNULL)
    assert until(lambda: is_up(tmp_path))
    process.kill()
    process.wait()
    assert until(lambda: nothing_runs(tmp_path))
    assert sum(what == "end" for what, _, _ in events(tmp_path)) == len(USUAL)


@pytest.mark.kill
def test_down_ends_supervisor_or_what_it_left(tmp_path: Path) -> None:
    runner = CliRunner()
    process = start(tmp_path, "motion=stubborn", stdout=subprocess.DEVNULL)
    assert until(lambda: is_up(tmp_path))
    process.kill()
    process.wait()
    stubborn = next(pid for _, name, pid in events(tmp_path) if name == "motion")
    assert ProcessIdentity.of(stubborn) is not None, "it does not listen to the kernel's SIGTERM"
    said = runner.invoke(app, ["down", "--run-folder", str(tmp_path)])
    assert said.exit_code == 0
    assert "motion" in said.output
    assert nothing_runs(tmp_path)
    said = runner.invoke(app, ["down", "--run-folder", str(tmp_path)])
    assert "nothing runs" in said.output


def test_down_lets_a_supervisor_end_its_services(tmp_path: Path) -> None:
    process = start(tmp_path, stdout=subprocess.DEVNULL)
    assert until(lambda: is_up(tmp_path))
    said = CliRunner().invoke(app, ["down", "--run-folder", str(tmp_path)])
    assert said.output == "ended: supervisor\n"
    assert process.wait(PATIENCE_S) == 0
    assert nothing_runs(tmp_path)


def test_down_spares_whoever_has_the_number_now(tmp_path: Path) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        identity = ProcessIdentity.of(bystander.pid)
        assert identity is not None
        (tmp_path / "services").mkdir()
        state = {"name": "motion", "pid": identity.pid, "started": identity.started - 1}
        (tmp_path / "services" / "motion.json").write_text(json.dumps(state))
        said = CliRunner().invoke(app, ["down", "--run-folder", str(tmp_path)])
        assert "nothing runs" in said.output
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_status_tells_what_runs(tmp_path: Path) -> None:
    runner = CliRunner()
    said = runner.invoke(app, ["status", "--run-folder", str(tmp_path)])
    assert said.exit_code == 1
    assert "nothing was started" in said.output
    process = start(tmp_path, stdout=subprocess.DEVNULL)
    try:
        assert until(lambda: is_up(tmp_path))
        said = runner.invoke(app, ["status", "--run-folder", str(tmp_path)])
        assert said.exit_code == 0
        assert said.output.count(" ready ") == len(USUAL)
        assert "supervisor runs" in said.output
        assert "page http://127.0.0.1:" in said.output
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
    said = runner.invoke(app, ["status", "--run-folder", str(tmp_path)])
    assert said.exit_code == 1
    assert said.output.count("not running") == len(USUAL)
    assert "supervisor does not run" in said.output


def test_the_shell_opens_what_was_meant_or_nothing(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run").create()
    up = load_beamline("virtual")
    write_json(folder.beamline_file, up.model_dump(mode="json"))
    meant = tmp_path / "beamline.yml"
    values = up.model_dump(mode="json", exclude_defaults=True) | {"name": "another"}
    meant.write_text(yaml.safe_dump(values))
    words = [sys.executable, "-m", "voltomo.cli.main", "shell", "--run-folder", str(folder.root)]
    with FileLock(folder.supervisor_lock, "voltomo up"):
        done = subprocess.run(
            [*words, "--beamline", str(meant)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(f"'virtual' is up in {folder.root}, and not '{meant}'")
    assert len(done.stderr.splitlines()) == 1
