"""A session is opened on the running services that are meant, and once."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bluesky import Msg, RunEngine

from voltomo.profiles.beamline_file import load_beamline
from voltomo.profiles.run_identity import RunIdentity, WrongRun
from voltomo.profiles.session import open_session
from voltomo.runtime.addresses import Addresses
from voltomo.runtime.launch import end_of_log, give_addresses, launch
from voltomo.runtime.locks import FileLock, holder
from voltomo.runtime.ports import NoPorts, lock_ports
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.service import ServiceSpec

OPEN = """
import sys
from pathlib import Path
from typing import Any
{before}
from voltomo.profiles.beamline_file import load_beamline
from voltomo.profiles.session import open_session
from voltomo.runtime.locks import FileLock
from voltomo.runtime.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
held = [FileLock(Path(path), "a test").acquire() for path in sys.argv[2:]]
open_session(folder, load_beamline("virtual"), timeout_s=5)
"""


def opened(folder: Path, *held: Path, before: str = "", **environment: str) -> str:
    """The last line that a session says which cannot be opened."""
    words = [sys.executable, "-c", OPEN.format(before=before), str(folder), *map(str, held)]
    done = subprocess.run(
        words, capture_output=True, check=False, timeout=60, env=os.environ | environment
    )
    assert done.returncode == 1
    return done.stderr.decode().splitlines()[-1]


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Addresses]:
    """The guard of another run, at these addresses."""
    ports = lock_ports("a stranger's run")
    addresses = give_addresses(ports, ("guard",), ())
    folder = RunFolder(tmp_path / "stranger").create()
    folder.write_addresses(addresses)
    process = launch(ServiceSpec("guard", "voltomo.dose.guard_ioc", "guard"), folder, addresses)
    end_s = time.monotonic() + 30
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", addresses.channel_access["guard"])) == 0:
                break
        assert process.poll() is None, end_of_log(folder, "guard")
        assert time.monotonic() < end_s
        time.sleep(0.05)
    yield addresses
    process.terminate()
    process.wait(10)
    ports.release()


def test_nothing_was_started(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="start them with 'voltomo up'"):
        open_session(RunFolder(tmp_path), load_beamline("virtual"))


def test_another_session_has_the_beamline(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_addresses(Addresses(channel_access={"motion": 21000}))
    with FileLock(folder.beamline_lock, "somebody's scan"):
        assert "is held by 'somebody's scan', process" in opened(tmp_path)


def test_a_client_that_was_loaded_before_would_look_elsewhere(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_addresses(Addresses(channel_access={"motion": 21000}))
    said = opened(tmp_path, before="import p4p")
    assert "p4p was imported before the session was opened" in said
    assert said.startswith("voltomo.profiles.run_identity.ImportedTooEarly")


def test_a_run_whose_supervisor_has_died_is_over(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_addresses(Addresses(run="ours", channel_access={"guard": 21000}))
    assert f"WrongRun: the services of {tmp_path} have ended" in opened(tmp_path)


def test_another_run_at_the_same_ports_is_never_driven(tmp_path: Path, stranger: Addresses) -> None:
    ours = RunFolder(tmp_path / "ours")
    ours.root.mkdir()
    ours.write_addresses(stranger.model_copy(update={"run": "ours"}))
    said = opened(ours.root, ours.supervisor_lock)
    assert f"saw the guard of another run ({stranger.run[:8]}); nothing was moved" in said


def test_a_guard_that_does_not_answer_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    ports = lock_ports("nobody")
    folder.write_addresses(give_addresses(ports, ("guard",), ()))
    assert "to answer to VT:Guard:Run within 5 s, saw no answer" in opened(
        tmp_path, folder.supervisor_lock
    )
    ports.release()


def test_no_server_of_the_caller_is_asked(tmp_path: Path, stranger: Addresses) -> None:
    ours = RunFolder(tmp_path / "ours")
    ours.root.mkdir()
    ports = lock_ports("nobody")
    ours.write_addresses(give_addresses(ports, ("guard",), ()))
    server = f"127.0.0.1:{stranger.channel_access['guard']}"
    said = opened(ours.root, ours.supervisor_lock, EPICS_CA_NAME_SERVERS=server)
    assert "saw no answer" in said
    ports.release()


def test_a_session_that_outlives_its_run_starts_no_plan_and_keeps_its_ports(
    tmp_path: Path,
) -> None:
    folder = RunFolder(tmp_path)
    ports = lock_ports("a run")
    folder.write_addresses(give_addresses(ports, ("guard",), ()))
    supervisor = FileLock(folder.supervisor_lock, "voltomo up").acquire()
    identity = RunIdentity(folder, folder.addresses())
    engine: Any = RunEngine({})
    seen: list[Msg] = []
    engine.preprocessors.append(identity.demand_run)
    engine.msg_hook = seen.append
    with ExitStack() as resources:
        identity.keep(resources, "a session of a test")
        engine([Msg("null")])
        assert [message.command for message in seen] == ["null"]

        # Started anew in the same folder, at other ports.
        again = give_addresses(ports, ("guard",), ())
        folder.write_addresses(again)
        with pytest.raises(WrongRun, match="were started anew"):
            engine([Msg("null")])
        supervisor.release()
        ports.release()
        with pytest.raises(WrongRun, match="have ended"):
            engine([Msg("null")])
        assert len(seen) == 1
        with pytest.raises(NoPorts, match="kept by 'a session of a test', process"):
            lock_ports("another run", ports.first)
    lock_ports("another run", ports.first).release()
    assert holder(folder.supervisor_lock) is None
