"""The guard's process with the twin's motion, beam and shutter, and clients in processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.twin.conftest import SERVICES, Bench
from voltomo.cli.repeater import Repeater
from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.ledger import Account, LedgerProjection
from voltomo.dose.materials import material
from voltomo.runtime.append_log import Entry, read_log
from voltomo.runtime.launch import give_addresses
from voltomo.runtime.ports import lock_ports
from voltomo.runtime.run_folder import Addresses
from voltomo.twin.truth import fluence, open_intervals

GUARD = "voltomo.dose.guard_ioc"
MATERIAL = "NMC811"
SAMPLES = [
    {"name": "cell", "material": MATERIAL, "dose_limit_Gy": 2e6, "beam_limit_s": 600.0},
    {"name": "short-lived", "material": MATERIAL, "dose_limit_Gy": 2e6, "beam_limit_s": 4.0},
    # Three seconds at the twin's flux.
    {"name": "delicate", "material": MATERIAL, "dose_limit_Gy": 15.0, "beam_limit_s": 600.0},
]
SETTINGS = {"guard": {"samples": SAMPLES, "sample_out_beyond_mm": 4.0}}


class Remote:
    """A client process, from outside."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.dose.guard_client"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def begin(self, order: str, *arguments: Any, **words: Any) -> None:
        """Give an order without waiting for its end."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([order, arguments, words]) + "\n")
        self.process.stdin.flush()

    def end(self) -> Any:
        """What the order has come to."""
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())

    def do(self, order: str, *arguments: Any, **words: Any) -> Any:
        """Give an order and wait for what it comes to."""
        self.begin(order, *arguments, **words)
        return self.end()

    def get(self, name: str) -> Any:
        """Value of a PV."""
        return self.do("get", name)

    def put(self, name: str, value: Any, *, wait: bool = False) -> None:
        """Put a value."""
        self.do("put", name, value, wait)

    def ask(self, op: str, **words: Any) -> dict[str, Any]:
        """The guard's reply to a command."""
        return self.do("ask", op, **words)

    def request(self, sample: str = "cell", seconds: float = 20.0, **more: Any) -> dict[str, Any]:
        """The guard's reply to a request."""
        wanted = {"sample": sample, "seconds": seconds, "gate": "lease", "purpose": "sweep_0"}
        return self.ask("request", request=wanted | more)

    def take(self, sample: str = "cell", seconds: float = 20.0, **more: Any) -> str:
        """Get a lease and hold it; its identity."""
        answer = self.request(sample, seconds, **more)
        assert answer["ok"], answer
        self.do("hold", answer["lease_id"])
        return answer["lease_id"]

    def give_back(self, lease_id: str) -> dict[str, Any]:
        """Renew no more and settle; the settlement."""
        self.do("let_go")
        answer = self.ask("settle", lease_id=lease_id)
        assert answer["ok"], answer
        return answer["settlement"]

    def try_beam(self) -> bool:
        """Whether a short lease is given; it is settled at once."""
        answer = self.request(seconds=0.1)
        return answer["ok"] and self.ask("settle", lease_id=answer["lease_id"])["ok"]

    def kill(self) -> None:
        """End the process at once."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        self.process.wait(timeout=5)


class GuardBench(Bench):
    """Services of a run folder with a guard, its log, and what was true."""

    def __init__(self, root: Path, addresses: Addresses) -> None:
        super().__init__(root, addresses)
        self._remotes: list[Remote] = []

    def start_guard(self, module: str = GUARD) -> None:
        """Start the guard and wait until it has read the shutter."""
        self.start("guard", module)

    def remote(self) -> Remote:
        """A client process, connected to a guard that runs."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("EPICS_")}
        made = Remote(environment | self.addresses.client_environment())
        self._remotes.append(made)
        self.wait(lambda: made.get("Guard:Heartbeat") > 10, 10)
        return made

    def dismiss(self) -> None:
        """End all clients."""
        while self._remotes:
            self._remotes.pop().kill()

    def signal(self, name: str, number: signal.Signals) -> float:
        """Send a signal to a service; the world's time then."""
        self.processes[name].send_signal(number)
        return self.world.now_s()

    # ---- what is true

    @property
    def open_part(self) -> float:
        """Of the shutter, now."""
        return float(self.world.channel("shutter").at(self.world.now_s()))

    def wait_open(self) -> None:
        """Wait until the blade has opened."""
        self.wait(lambda: self.open_part == 1, 3)

    def wait_closed(self, since_s: float, within_s: float) -> None:
        """Wait until the blade is closed; it must have been by then."""
        self.wait(lambda: self.open_part == 0 or self.world.now_s() > since_s + 5, 6)
        closed_s = self.intervals(since_s)[-1][1]
        assert closed_s - since_s <= within_s, f"closed after {closed_s - since_s:.3f} s"

    def intervals(self, since_s: float) -> list[tuple[float, float]]:
        """Spans of world time in which beam passed."""
        return open_intervals(self.world, since_s, self.world.now_s())

    def truth_Gy(self, since_s: float = 0.0) -> float:
        """Dose of a thin layer in the beam since then."""
        per_fluence = dose_per_fluence_Gy_cm2(material(MATERIAL), 20.0)
        return fluence(self.world, since_s, self.world.now_s()) * per_fluence

    # ---- what is logged

    def entries(self, *kinds: str) -> list[Entry]:
        """Entries of the exposure log, of these kinds where some are named."""
        found = read_log(self.folder.exposure_log)
        return [entry for entry in found if not kinds or entry.kind in kinds]

    def of_lease(self, lease_id: str) -> list[Entry]:
        """Entries that name a lease."""
        return [entry for entry in self.entries() if entry.data.get("lease_id") == lease_id]

    def account(self, sample: str = "cell") -> Account:
        """A sample's account, as anyone would fold it; open reservations count."""
        accounts = LedgerProjection().fold(self.entries())
        return accounts.get(sample, Account())

    def assert_logged(self) -> None:
        """The log is never below what was true."""
        logged = sum(self.account(str(sample["name"])).dose_Gy for sample in SAMPLES)
        assert logged >= self.truth_Gy()


@contextmanager
def guard_bench(root: Path, settings: dict[str, Any] | None = None) -> Iterator[GuardBench]:
    """A bench whose services all end with it; the guard is not started yet."""
    GuardSettings.model_validate(SETTINGS["guard"])
    ports = lock_ports("guard tests")
    made = GuardBench(root, give_addresses(ports, (*SERVICES, "guard"), ()))
    made.folder.settings.write_text(json.dumps(settings or SETTINGS))
    repeater = Repeater(made.addresses.ca_repeater)
    try:
        for name in SERVICES:
            made.start(name)
        yield made
    finally:
        made.dismiss()
        for name in list(made.processes):
            made.processes[name].send_signal(signal.SIGCONT)
            made.kill(name)
        repeater.stop()
        ports.release()
