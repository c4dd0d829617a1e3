"""A guard with its hardware for benchmarks: processes, one client, and what was true."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voltomo.cli.repeater import Repeater
from voltomo.dose.guard_settings import GuardSettings
from voltomo.runtime.append_log import Entry, LogReader
from voltomo.runtime.launch import give_addresses, launch
from voltomo.runtime.ports import lock_ports
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.service import ServiceSpec
from voltomo.twin.truth import open_intervals
from voltomo.twin.world import World

SERVICES = {
    "motion": "voltomo.twin.motion_ioc",
    "beam": "voltomo.twin.beam_ioc",
    "shutter": "voltomo.twin.shutter_ioc",
    "changer": "benchmarks.changer",
    "guard": "voltomo.dose.guard_ioc",
}
_POLL_s = 0.002
_PATIENCE_s = 10.0
_RENEW_EVERY_s = 0.1


class Overdue(Exception):
    """Something did not come about in time; a benchmark that waits for it has failed."""


class GuardLine:
    """Services of a run folder, and a client in this process.

    Parameters
    ----------
    root : Path
        The run folder.
    settings : dict
        Section ``guard`` of its settings.
    """

    def __init__(self, root: Path, settings: dict[str, Any]) -> None:
        self.settings = GuardSettings.model_validate(settings)
        self._ports = lock_ports("guard benchmark")
        self.addresses = give_addresses(self._ports, tuple(SERVICES), ())
        self.folder = RunFolder(root).create()
        self.folder.write_addresses(self.addresses)
        self.folder.settings.write_text(json.dumps({"guard": settings}))
        self.world = World.create(self.folder.world, seed=3)
        # Before libca is loaded: it reads its environment once.
        os.environ.update(self.addresses.client_environment())
        self._repeater = Repeater(self.addresses.ca_repeater)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._pvs: dict[str, Any] = {}
        self._log = LogReader(self.folder.exposure_log)
        self._held: str | None = None
        self._end = threading.Event()
        self._one_at_a_time = threading.Lock()
        self.renewed_s = 0.0
        self.closed_read_s = 0.0

    def start(self) -> None:
        """Start everything and wait until the guard has read its devices."""
        for name, module in SERVICES.items():
            spec = ServiceSpec(name, module, "hardware")
            self.processes[name] = launch(spec, self.folder, self.addresses)
            self._wait_for_port(name)
        self.pv("Shutter:State_RBV").add_callback(self._state_read)
        threading.Thread(target=self._renew, daemon=True).start()
        self.wait(lambda: self.get("Guard:Heartbeat") > 20, 30)

    def stop(self) -> None:
        """End everything."""
        self._end.set()
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(timeout=5)
        self._repeater.stop()
        self._ports.release()

    def _wait_for_port(self, name: str) -> None:
        def answers() -> bool:
            try:
                port = self.addresses.channel_access[name]
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                return False
            return True

        self.wait(answers, 30)

    # ---- the client

    def pv(self, name: str) -> Any:
        """A PV that is connected."""
        import epics

        if name not in self._pvs:
            self._pvs[name] = epics.PV(f"{self.settings.prefix}{name}", form="time")
        found = self._pvs[name]
        if not found.wait_for_connection(timeout=_PATIENCE_s):
            raise Overdue(f"{name} is not connected")
        return found

    def get(self, name: str, *, text: bool = False) -> Any:
        """Value of a PV, fetched."""
        return self.pv(name).get(use_monitor=False, as_string=text, timeout=_PATIENCE_s)

    def put(self, name: str, value: Any) -> float:
        """Put and wait for it; world time just before."""
        before_s = self.world.now_s()
        self.pv(name).put(value, wait=True, timeout=_PATIENCE_s)
        return before_s

    def ask(self, op: str, **words: Any) -> dict[str, Any]:
        """A command and the guard's reply."""
        import epics.ca

        epics.ca.use_initial_context()
        identity = uuid.uuid4().hex
        with self._one_at_a_time:
            self.put("Guard:Command", json.dumps({"id": identity, "op": op, **words}))
            replies = json.loads(self.get("Guard:Reply", text=True))["replies"]
        return next((r for r in reversed(replies) if r["id"] == identity), {"ok": False})

    def take(self, sample: str = "bench", seconds: float = 30.0, **more: Any) -> str:
        """Get a lease, hold it, and wait until the blade has opened."""
        wanted = {"sample": sample, "seconds": seconds, "gate": "lease", "purpose": "bench"}
        answer = self.ask("request", request=wanted | more)
        if not answer["ok"]:
            raise Overdue(f"no lease: {answer.get('error')}")
        self._held, self.renewed_s = answer["lease_id"], self.world.now_s()
        self.wait(lambda: self.open_part == 1, 5)
        return answer["lease_id"]

    def give_back(self, lease_id: str) -> None:
        """Renew no more, settle, and wait until the guard is idle or latched."""
        self._held = None
        self.ask("settle", lease_id=lease_id)

    def let_go(self) -> float:
        """Renew no more; world time of the last renewal."""
        with self._one_at_a_time:
            self._held = None
        return self.renewed_s

    def _renew(self) -> None:
        while not self._end.wait(_RENEW_EVERY_s):
            held = self._held
            if held is not None:
                before_s = self.world.now_s()
                if self.ask("renew", lease_id=held)["ok"]:
                    self.renewed_s = before_s

    def _state_read(self, value: Any = None, **_: Any) -> None:
        if value == 0:
            self.closed_read_s = self.world.now_s()

    # ---- what is true, and what is logged

    @property
    def open_part(self) -> float:
        """Of the shutter, now."""
        return float(self.world.channel("shutter").at(self.world.now_s()))

    def closed_after(self, since_s: float) -> float:
        """World time at which the last opening since then ended; waits for it."""
        self.wait(lambda: self.open_part == 0)
        return open_intervals(self.world, since_s, self.world.now_s())[-1][1]

    def logged(self, kind: str, since_s: float, cause: str = "") -> Entry:
        """The first entry of a kind and cause since a moment; waits for it."""
        found: list[Entry] = []
        seen: list[Entry] = []

        def there() -> bool:
            seen.extend(self._log.poll())
            found.extend(
                entry
                for entry in seen
                if entry.kind == kind
                and self.world.from_utc_s(entry.utc_s) >= since_s - 0.05
                and (not cause or entry.data.get("cause") == cause)
            )
            return bool(found)

        self.wait(there)
        return found[0]

    def logged_s(self, kind: str, since_s: float, cause: str = "") -> float:
        """World time of that entry."""
        return self.world.from_utc_s(self.logged(kind, since_s, cause).utc_s)

    def wait(self, condition: Callable[[], object], seconds: float = _PATIENCE_s) -> None:
        """Wait until something holds.

        Raises
        ------
        Overdue
            It does not within the time.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise Overdue(f"not within {seconds} s")
            time.sleep(_POLL_s)


@contextmanager
def guard_line(root: Path, settings: dict[str, Any]) -> Iterator[GuardLine]:
    """A line that runs, and that leaves nothing behind."""
    made = GuardLine(root, settings)
    try:
        made.start()
        yield made
    finally:
        made.stop()
