"""Locks name their holder and go with it; blocks of ports are whole, free and one's own."""

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from voltomo.runtime.locks import FileLock, Held, holder
from voltomo.runtime.ports import NoPorts, lock_folder, lock_ports

HOLD = """
import sys
import tempfile
from pathlib import Path
from voltomo.runtime.locks import FileLock
lock = FileLock(Path(sys.argv[1]), "a long scan").acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lock_names_its_holder_and_goes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "beamline.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Held) as refusal:
            FileLock(path, "another scan").acquire()
        assert f"'a long scan', process {holder.pid} of " in str(refusal.value)
        assert "nothing was started" in str(refusal.value)
        holder.kill()
    with FileLock(path, "another scan"):
        assert "another scan" in path.read_text()
    assert path.read_text() == ""


def test_a_holder_that_has_not_said_its_name_yet(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with FileLock(path, "first"):
        path.write_text("")
        with pytest.raises(Held, match="has not said its name"):
            FileLock(path, "second").acquire()


def test_whether_a_lock_is_held_is_asked_without_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "supervisor.lock"
    assert holder(path) is None
    assert not path.exists()
    with FileLock(path, "voltomo up"):
        assert f"'voltomo up', process {os.getpid()}" in (holder(path) or "")
    assert holder(path) is None
    with FileLock(path, "one", shared=True), FileLock(path, "two", shared=True):
        assert "'two'" in (holder(path) or "")
        with pytest.raises(Held):
            FileLock(path, "alone").acquire()


def test_a_link_in_the_place_of_a_lock_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("data")
    (tmp_path / "a.lock").symlink_to(precious)
    with pytest.raises(OSError, match=r"a\.lock"):
        FileLock(tmp_path / "a.lock", "mine").acquire()
    assert precious.read_text() == "data"


def test_locks_of_ports_lie_in_a_folder_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, temporary = tmp_path / "runtime", tmp_path / "tmp"
    temporary.mkdir()
    runtime.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert lock_folder() == runtime / "voltomo"

    runtime.chmod(0o777)
    usual = temporary / f"voltomo-ports-{os.getuid()}"
    assert lock_folder() == usual
    assert usual.stat().st_mode & 0o077 == 0

    usual.chmod(0o755)
    with pytest.raises(NoPorts, match="nobody else may use, and is not"):
        lock_ports("mine")
    usual.rmdir()
    usual.symlink_to(runtime)
    with pytest.raises(NoPorts, match="nobody else may use, and is not"):
        lock_ports("mine")
    assert list(runtime.iterdir()) == [runtime / "voltomo"]


def test_two_blocks_do_not_share_a_port() -> None:
    first, second = lock_ports("first"), lock_ports("second")
    try:
        assert abs(first.first - second.first) >= first.size
        with pytest.raises(NoPorts, match=f"'first', process {os.getpid()}"):
            lock_ports("third", first.first)
    finally:
        first.release()
        second.release()
    again = lock_ports("third", first.first)
    assert again.port(0) == first.first
    again.release()


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_of_a_stranger_is_named(kind: socket.SocketKind) -> None:
    block = lock_ports("looking")
    block.release()
    with socket.socket(socket.AF_INET, kind) as stranger:
        stranger.bind(("127.0.0.1", block.port(7)))
        if kind == socket.SOCK_STREAM:
            stranger.listen()
        with pytest.raises(NoPorts, match=f"port {block.port(7)} is taken by another program"):
            lock_ports("mine", block.first)


@pytest.mark.parametrize("first", [0, 80, 65530, -1])
def test_impossible_blocks_are_refused(first: int) -> None:
    with pytest.raises(NoPorts, match="must begin between"):
        lock_ports("mine", first)


def test_a_block_has_its_own_ports_only() -> None:
    block = lock_ports("mine")
    with pytest.raises(ValueError, match="holds 40 ports"):
        block.port(40)
    block.release()
