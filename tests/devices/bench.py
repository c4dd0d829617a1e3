"""Processes of the twin for tests of devices; clients run in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voltomo.runtime.launch import give_addresses, launch
from voltomo.runtime.ports import lock_ports
from voltomo.runtime.run_folder import Addresses, RunFolder
from voltomo.runtime.service import ServiceSpec
from voltomo.twin.world import World

SERVICES = ("motion", "beam", "shutter", "camera", "writer")

_MODULES = {"guard": "voltomo.dose.guard_ioc"}
_SETTINGS: dict[str, Any] = {
    "twin": {"camera": {"rows": 64, "columns": 48}},
    "guard": {
        "source": "twin",
        "samples": [
            {"name": name, "material": "NMC811", "dose_limit_Gy": 2e6, "beam_limit_s": seconds}
            for name, seconds in (("cell", 600.0), ("spent cell", 1.5))
        ],
    },
}

_HEAD = """
import json, logging, sys, time
from pathlib import Path
logging.disable(logging.ERROR)
folder = Path(sys.argv[1])
from voltomo.devices import timeouts
timeouts.use_everywhere()
from voltomo.devices.beam import BeamMonitor, Energy
from voltomo.devices.beamline import BeamlineIncomplete, connect_beamline
from voltomo.devices.camera import Camera
from voltomo.devices.connections import ConnectionWatch
from voltomo.devices.shutter import Shutter
from voltomo.devices.stages import RotationStage, SampleStage
from voltomo.devices.trigger_box import TriggerBox
from voltomo.model.arming import CameraSetup, FrameBlock, TriggerTrain
from voltomo.model.scan_spec import Block

def connected(device):
    device.wait_for_connection(timeout=20)
    return device

def refusal(action):
    try:
        action()
    except Exception as error:
        return str(error)
    return ""

def answer(**found):
    sys.stdout.write("ANSWER" + json.dumps(found))
"""


class Bench:
    """A run folder and the processes that serve in it."""

    def __init__(self, folder: RunFolder, addresses: Addresses) -> None:
        self.folder = folder
        self.addresses = addresses
        self.world = World.create(folder.world, seed=5)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start a process and wait until it serves."""
        module = _MODULES.get(name, f"voltomo.twin.{name}_ioc")
        spec = ServiceSpec(name, module, "hardware")
        process = launch(spec, self.folder, self.addresses)
        self.processes[name] = process
        end_s = time.monotonic() + 60
        while True:
            try:
                port = self.addresses.channel_access[name]
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError as error:
                log = (self.folder.services / f"{name}.log").read_text()
                if process.poll() is not None or time.monotonic() > end_s:
                    raise RuntimeError(f"{name} did not start:\n{log}") from error
                time.sleep(0.05)

    def kill(self, name: str) -> None:
        """End a process at once."""
        process = self.processes.pop(name)
        process.kill()
        process.wait(timeout=5)

    def client(self, script: str, timeout_s: float = 90) -> dict[str, Any]:
        """Run a client; what it hands to ``answer``."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
        environment |= self.addresses.client_environment()
        done = subprocess.run(
            [sys.executable, "-c", _HEAD + script, str(self.folder.root)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
        if "ANSWER" not in done.stdout:
            raise RuntimeError(f"the client gave no answer:\n{done.stdout}\n{done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout.partition("ANSWER")[2])
        return found


@contextmanager
def bench(root: Path, *further: str) -> Iterator[Bench]:
    """A bench with all hardware processes, and further ones; all end with it."""
    ports = lock_ports("device tests")
    addresses = give_addresses(ports, (*SERVICES, "guard"), ("camera",))
    folder = RunFolder(root).create()
    folder.write_addresses(addresses)
    folder.settings.write_text(json.dumps(_SETTINGS))
    made = Bench(folder, addresses)
    try:
        for name in (*SERVICES, *further):
            made.start(name)
        yield made
    finally:
        for process in made.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in made.processes.values():
            process.wait(timeout=10)
        ports.release()
