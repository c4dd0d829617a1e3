"""The lease as a device: a plan sets what it wants to do with the beam, and sets None when done."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from epics.ca import CAThread
from ophyd.status import Status

from voltomo.devices.background import finish, in_background
from voltomo.devices.faults import fault
from voltomo.devices.guard_channel import GuardChannel
from voltomo.dose.lease import LeaseLost, LeaseRequest, Settlement
from voltomo.model.arming import BeamNeed

log = logging.getLogger(__name__)

_RENEW_EVERY_S = 0.1
_NOT_RUNNING = "the RunEngine is not running, it was paused or stopped; start the scan again"
_SETTLE_S = 6.0


def _nobody(_settlement: Settlement) -> None:
    return


class BeamLease(GuardChannel):
    """The only way to the beam, as a bluesky Movable.

    ``set(LeaseRequest)`` asks, and is done when the shutter is enabled; from then on a thread
    renews the lease for as long as every condition holds. ``set(None)`` settles. ``trigger()``
    gives a status that fails as soon as the lease is lost. ``stop()``, which the RunEngine calls
    on pause, suspension and abort, settles at once: what the engine does on purpose is no loss,
    and a plan that goes on afterwards has to ask again.

    Attributes
    ----------
    engine_running : callable or None
        Whether the RunEngine runs: a lease is given and renewed only while it does. None, before
        somebody says how to tell, gives no lease.
    device_lost : callable
        A sentence on a device that is away, None while all are there.
    on_settlement : callable
        Called with every settlement, from the thread that settled.
    """

    def __init__(self, prefix: str = "", *, name: str, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.engine_running: Callable[[], bool] | None = None
        self.device_lost: Callable[[], str | None] = lambda: None
        self.on_settlement: Callable[[Settlement], None] = _nobody
        self._state_lock = threading.RLock()
        self._end = threading.Event()
        self._held: str | None = None
        self._watching: list[Status] = []
        self._need: BeamNeed | None = None
        self._settled: deque[Settlement] = deque(maxlen=1000)

    @property
    def held(self) -> bool:
        """Whether this process holds a lease."""
        return self._held is not None

    def take_settled(self) -> list[Settlement]:
        """What leases have cost that were settled since the last call, oldest first."""
        taken: list[Settlement] = []
        while self._settled:
            taken.append(self._settled.popleft())
        return taken

    def prepare(self, need: BeamNeed) -> Status:
        """Fail with a sentence unless the sample is known and its budget covers the need."""
        return in_background(f"{self.name} budget", lambda: self._check(need), _SETTLE_S)

    def set(self, request: LeaseRequest | None) -> Status:
        """Ask for beam, or give it back with None."""
        if request is None:
            return in_background(f"{self.name} settle", lambda: self._give_back("done"), _SETTLE_S)
        return in_background(f"{self.name} request", lambda: self._take(request), _SETTLE_S)

    def trigger(self) -> Status:  # pyright: ignore[reportIncompatibleMethodOverride]
        """A status that fails when the lease is lost, and ends well when it is settled."""
        status = Status(timeout=None)
        with self._state_lock:
            if self._held is not None:
                self._watching.append(status)
                return status
        finish(status, LeaseLost(f"{self.name}: expected a lease to be held, saw none"))
        return status

    def stop(self, *, success: bool = False) -> None:
        """Give the beam back at once: no renewal from here on, settled within a moment."""
        self._end.set()
        if self._held is None:
            return
        if not success:
            self._fail_watching(_NOT_RUNNING)
        reason = "stopped" if success else "aborted"
        settling = CAThread(target=self._settle_quietly, args=(reason,), daemon=True)
        settling.start()
        settling.join(1.0)

    def _check(self, need: BeamNeed) -> None:
        self._need = need
        answer = self.status_of(need.sample, seconds=need.seconds, last_scan=need.last_scan)
        if not answer.get("ok"):
            raise fault(
                self.name,
                f"the guard to know the sample {need.sample!r}",
                str(answer.get("error", "no reason")),
                "no beam was used",
            )
        if answer.get("latched"):
            raise fault(
                self.name,
                "a guard that gives leases",
                f"a latched one: {answer.get('reason')}",
                "no beam was used; find the cause, then: voltomo guard reset --reason 'WHY'",
            )
        if answer.get("refusal"):
            raise fault(
                self.name,
                f"{need.seconds:.1f} s of beam for the whole scan of {need.sample!r}",
                str(answer["refusal"]),
                "no beam was used",
            )
        left_s = float(answer["seconds_left"])
        if need.seconds > left_s or float(answer["dose_left_Gy"]) <= 0:
            raise fault(
                self.name,
                f"{need.seconds:.1f} s of beam for the whole scan of {need.sample!r}",
                f"{left_s:.1f} s and {float(answer['dose_left_Gy']):.3g} Gy left",
                "no beam was used; fewer projections, a shorter exposure or fewer sweeps fit",
            )

    def _take(self, request: LeaseRequest) -> None:
        with self._state_lock:
            if self._held is not None:
                raise fault(self.name, "no lease to be held", f"lease {self._held}")
            if self.engine_running is None:
                raise fault(
                    self.name,
                    "to be told whether the RunEngine runs, without which the beam could outlive "
                    "it",
                    "nobody who tells",
                    f"no beam was used; set {self.name}.engine_running, to "
                    "lambda: str(RE.state) == 'running' say, or open a session, which does",
                )
            if not self.engine_running():
                raise fault(self.name, "a RunEngine that runs", "none", "no beam was used")
            self._end = threading.Event()
            self._held = self.request(self._of_scan(request))
            beat = CAThread(target=self._renew_until, args=(self._end,), daemon=True)
            beat.start()

    def _of_scan(self, request: LeaseRequest) -> LeaseRequest:
        """A request that says what scan it is part of, as far as that was prepared."""
        need = self._need
        if need is None or request.scan_seconds is not None or need.sample != request.sample:
            return request
        of_scan = {"scan_seconds": need.seconds, "last_scan": need.last_scan}
        return request.model_copy(update=of_scan)

    def _renew_until(self, end: threading.Event) -> None:
        """The heartbeat: it stops with the RunEngine, with a device, or with the lease."""
        while not end.wait(_RENEW_EVERY_S):
            if self.engine_running is None or not self.engine_running():
                # A paused or halted engine: RunEngine.stop follows, or the guard's stale time.
                self._lose(_NOT_RUNNING, end)
                return
            absent = self.device_lost()
            if absent is not None:
                self._lose(absent, end)
                return
            try:
                self.renew()
            except Exception as error:  # noqa: BLE001
                # Whatever keeps the lease from being renewed has closed the beam.
                self._lose(str(error), end)
                return

    def _lose(self, why: str, end: threading.Event) -> None:
        if end.is_set():
            return
        end.set()
        self._fail_watching(why)
        self._settle_quietly("lost: " + why)

    def _fail_watching(self, why: str) -> None:
        with self._state_lock:
            watching, self._watching = self._watching, []
        for status in watching:
            finish(status, LeaseLost(f"{self.name}: the beam was given back: {why}"))

    def _settle_quietly(self, reason: str) -> None:
        try:
            self._give_back(reason)
        except Exception as error:  # noqa: BLE001
            # Not renewing has closed the beam already; the guard settles in its own log.
            log.warning("%s: the lease could not be settled by the plan: %s", self.name, error)

    def _give_back(self, reason: str) -> None:
        self._end.set()
        with self._state_lock:
            if self._held is None:
                return
            self._held = None
            watching, self._watching = self._watching, []
            try:
                settlement = self.settle(reason)
            finally:
                for status in watching:
                    finish(status)
        self._settled.append(settlement)
        self.on_settlement(settlement)
