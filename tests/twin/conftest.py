"""Single services of the twin, each test file with its own run folder and ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from voltomo.runtime.launch import give_addresses, launch
from voltomo.runtime.ports import lock_ports
from voltomo.runtime.run_folder import Addresses, RunFolder
from voltomo.runtime.service import ServiceSpec
from voltomo.twin.world import World

SERVICES = ("motion", "beam", "shutter")


class Bench:
    """A run folder with its world, and services that are started one by one."""

    def __init__(self, root: Path, addresses: Addresses) -> None:
        self.folder = RunFolder(root).create()
        self.addresses = addresses
        self.folder.write_addresses(addresses)
        self.world = World.create(self.folder.world, seed=3)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, module: str = "") -> subprocess.Popen[bytes]:
        """Start a service, the twin's of this name or a module, and wait until it serves."""
        spec = ServiceSpec(name, module or f"voltomo.twin.{name}_ioc", "hardware")
        self.processes[name] = launch(spec, self.folder, self.addresses)
        return self.wait_for_port(name)

    def wait_for_port(self, name: str) -> subprocess.Popen[bytes]:
        """Wait until a service that was started serves."""
        process = self.processes[name]
        deadline = time.monotonic() + 30
        while True:
            try:
                port = self.addresses.channel_access[name]
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return process
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"{name} did not start:\n{self.log(name)}")
                time.sleep(0.05)

    def log(self, name: str) -> str:
        """What a service has said."""
        return (self.folder.services / f"{name}.log").read_text()

    def end(self, name: str) -> int:
        """Ask a service to end; its exit code."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=5)

    def kill(self, name: str) -> None:
        """End a service at once."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(timeout=5)

    def client(self, script: str, *words: str, timeout_s: float = 60) -> str:
        """Run a client of its own process; libca reads its environment once."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
        environment |= self.addresses.client_environment()
        done = subprocess.run(
            [sys.executable, "-c", script, str(self.folder.root), *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def wait(self, condition: Callable[[], object], seconds: float) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {seconds} s")
            time.sleep(0.002)


@contextmanager
def a_bench(root: Path) -> Iterator[Bench]:
    """A bench whose services all end with it."""
    ports = lock_ports("tests")
    bench = Bench(root, give_addresses(ports, SERVICES, ()))
    try:
        yield bench
    finally:
        for name in list(bench.processes):
            bench.kill(name)
        ports.release()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A bench of one test's own."""
    with a_bench(tmp_path / "run") as made:
        yield made


@pytest.fixture(scope="module")
def shared_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A bench of a test file."""
    with a_bench(tmp_path_factory.mktemp("run")) as made:
        yield made
