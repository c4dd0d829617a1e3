"""The guard's core without processes: shutter, monitor, disk and clock go by hand."""

from __future__ import annotations

from typing import Any, cast

from voltomo.dose.guard_core import GuardCore
from voltomo.dose.guard_log import GuardLog
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_words import Answer, Log, SetGate, ShutterState, WayOut
from voltomo.dose.lease import LeaseRequest
from voltomo.dose.ledger import Ledger
from voltomo.model.sample import Sample
from voltomo.runtime.append_log import AppendLog

GY_PER_PHOTON = 1e-10
FLUX = 1e11
RATE_GY_S = FLUX * GY_PER_PHOTON
COUNTS = FLUX / 1e5
MONITOR_S = 0.05
LONG_AGO_S = -1e9


class Disk:
    """An exposure log in memory that can be full."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Any]] = []
        self.last_s: float | None = None
        self.full = False
        self.fold = Ledger()

    def append(self, kind: str, data: Any, *, utc_s: float) -> int:
        """As `AppendLog.append`."""
        if self.full:
            raise OSError("disk full")
        self.entries.append((kind, data))
        self.fold.add(kind, data)
        self.last_s = utc_s
        return len(self.entries)

    def ledger(self) -> Ledger:
        """Its fold, as anyone would make it."""
        ledger = Ledger()
        for kind, data in self.entries:
            ledger.add(kind, data)
        return ledger


class Rig:
    """A core with a shutter that obeys its enable, driven in steps of time."""

    log: GuardLog

    def __init__(self, limit_Gy: float = 1e5, limit_s: float = 1e4, **more: Any) -> None:
        limits = {"dose_limit_Gy": limit_Gy, "beam_limit_s": limit_s}
        cell = Sample(name="cell", material="NMC811", **limits, **more.pop("of_sample", {}))
        self.settings = GuardSettings(samples=(cell,), **more)
        self.disk = Disk()
        self.answers: dict[str, dict[str, Any]] = {}
        self.now_s = 1e9
        self.open_part = 0.0
        self.truth_Gy = 0.0
        self.stuck = self.manual = False
        self.gate = True
        self.ways_out = 0
        self.monitor_lives = True
        self.flux = FLUX
        self.renewed_s = LONG_AGO_S
        self._read_s = LONG_AGO_S
        self._noise = 1.0
        self._commands = 0
        self._fresh_s = LONG_AGO_S
        self._changes = [(ShutterState.CLOSED, self.now_s)]
        self.guard: GuardCore | None = None
        self.start_guard()

    @property
    def core(self) -> GuardCore:
        """The guard that runs."""
        assert self.guard is not None
        return self.guard

    def start_guard(self) -> None:
        """A new process: folds the log, reads everything anew."""
        self.guard = GuardCore(self.settings, lambda *_: GY_PER_PHOTON, self.disk.ledger())
        self.log = GuardLog(cast("AppendLog", self.disk))
        self.guard.start(self.now_s, self.disk.last_s)
        self.guard.stale_time(self.settings.stale_s, self.now_s)
        self.guard.travel_time(self.settings.travel_s, self.now_s)
        self.guard.trigger_count(0, self.now_s)
        self._changes = self._changes[-1:]
        self._hear()

    def kill_guard(self) -> None:
        """No word more from it."""
        self.guard = None

    def act(self) -> None:
        """What the shell does after every event."""
        for action in self.core.take():
            if isinstance(action, Log):
                error = self.log.write(action, self.now_s)
                if error:
                    self.core.log_failed(error, self.now_s)
            elif isinstance(action, Answer):
                self.answers[action.data["id"]] = action.data
            elif isinstance(action, SetGate):
                # Enabled before the reservation was in the log, it would be too late.
                assert not self.core.enable
                self.core.gate_set(action.lease_id, True, self.now_s)
                self.act()
            elif isinstance(action, WayOut):
                self.ways_out += 1
                self.core.way_out({"filters": True})

    def _move(self) -> None:
        """The blade moves at once, after the stale time of a silent guard."""
        alive = self.now_s - self._fresh_s <= self.settings.stale_s
        if not self.stuck:
            self.open_part = 1.0 if (alive and self.gate) or self.manual else 0.0
        state = ShutterState.OPEN if self.open_part else ShutterState.CLOSED
        if state is not self._changes[-1][0]:
            self._changes.append((state, self.now_s))

    def _hear(self) -> None:
        """Tell the guard what the shutter did, with the moment at which it did."""
        if self.guard is None:
            return
        for state, at_s in self._changes:
            self.guard.shutter(state, at_s, self.now_s)
            self.act()
        self._changes = self._changes[-1:]

    def step(self, seconds: float = 0.02) -> None:
        """Let time go on."""
        if self.guard is not None:
            self._fresh_s = self.now_s if self.guard.enable else LONG_AGO_S
        self._move()
        if len(self._changes) > 1:
            self._hear()
        self._pass(seconds)
        if self.guard is not None:
            self._read_monitor()
            if self.log.behind and not self.log.catch_up():
                self.guard.log_written()
            self.guard.tick(self.now_s)
            self.act()

    def _pass(self, seconds: float) -> None:
        self.now_s += seconds
        self.truth_Gy += self.open_part * self.flux * GY_PER_PHOTON * seconds

    def _read_monitor(self) -> None:
        if self.monitor_lives and self.now_s - self._read_s >= MONITOR_S - 1e-6:
            self._read_s = self.now_s
            self._noise = 1.001 if self._noise == 1.0 else 1.0
            self.core.monitor(self.flux / 1e5 * self._noise, self.now_s)

    def stall(self, seconds: float) -> None:
        """The guard is stopped: nothing is read, ticked or written; then all comes at once."""
        if self.core.enable:
            self._fresh_s = self.now_s
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self._move()
            self._pass(0.02)
        self.core.tick(self.now_s)
        self.act()
        self._hear()

    def run(self, seconds: float, lease_id: str | None = None) -> None:
        """Steps, the lease renewed at each."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.step()
            if lease_id is not None:
                self.renew(lease_id)

    def new_id(self) -> str:
        """Identity of a command."""
        self._commands += 1
        return str(self._commands)

    def ask(self, seconds: float = 5.0, **more: Any) -> str:
        """Ask for beam; the command's identity."""
        wanted = LeaseRequest(**({"sample": "cell", "seconds": seconds, "gate": "lease"} | more))
        identity = self.new_id()
        self.core.request(identity, wanted, self.now_s)
        self.act()
        self.renewed_s = self.now_s
        return identity

    def request(self, seconds: float = 5.0, **more: Any) -> dict[str, Any]:
        """Ask for beam; the answer, empty while there is none."""
        return self.answers.get(self.ask(seconds, **more), {})

    def renew(self, lease_id: str) -> dict[str, Any]:
        """Renew; the answer."""
        if self.guard is None:
            return {}
        identity = self.new_id()
        self.guard.renew(identity, lease_id, self.now_s)
        self.act()
        self.renewed_s = self.now_s
        return self.answers[identity]

    def settle(self, lease_id: str, reason: str = "done") -> dict[str, Any]:
        """Settle, and wait for the answer."""
        identity = self.new_id()
        self.core.settle(identity, lease_id, reason, self.now_s)
        self.act()
        self.run(0.8)
        return self.answers[identity]

    def kinds(self) -> list[str]:
        """Kinds of log entries so far."""
        return [kind for kind, _ in self.disk.entries]

    def dose_Gy(self) -> float:
        """What the log says, open reservations counted as used."""
        ledger = self.disk.fold
        return sum(ledger.account(name).dose_Gy for name in ledger.samples)
