"""The shell round the guard's core: Channel Access in and out, the log, and the enable counter.

The counter that keeps the shutter open is written by this loop alone. When the loop hangs, is
stopped or dies, nobody writes it, and the shutter's controller closes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from typing import Any

from pydantic import ValidationError

from voltomo.dose.guard_core import GuardCore
from voltomo.dose.guard_records import GuardRecords
from voltomo.dose.guard_words import Answer, Log, SetGate, ShutterState
from voltomo.dose.lease import LeaseRequest
from voltomo.model.pv_names import PvNames
from voltomo.runtime.append_log import AppendLog

_TICK_S = 0.02
_HURRIED_S = 0.005
_BEAT_S = 0.05
_SHOW_S = 0.2
_GATE_S = 1.0
_ANSWER_S = 1.8

log = logging.getLogger(__name__)


class SteadyUtc:
    """UTC that never steps: the wall clock at the start, plus monotonic time."""

    def __init__(self) -> None:
        self._offset_s = time.time() - time.monotonic()

    def now_s(self) -> float:
        """Seconds since 1970-01-01."""
        return time.monotonic() + self._offset_s

    def of_stamp(self, stamp_s: float) -> float:
        """Time of a stamp by the wall clock, wherever that clock stands now; never the future."""
        return min(stamp_s - time.time(), 0.0) + self.now_s()


class GuardShell:
    """Feeds the core with events and does what it decides.

    Parameters
    ----------
    core : GuardCore
        Decides.
    exposure_log : AppendLog
        Where every action of kind `Log` goes, synced, before anything later happens.
    pvs : PvNames, optional
        Names of what it reads and writes; the virtual beamline's under its prefix if not given.
    """

    def __init__(
        self, core: GuardCore, exposure_log: AppendLog, pvs: PvNames | None = None
    ) -> None:
        self._core = core
        self._log = exposure_log
        self._clock = SteadyUtc()
        self._pvs = pvs or PvNames(prefix=core.settings.prefix)
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._enabled = False
        self._counter = 0
        self._next_beat_s = 0.0
        self._next_show_s = 0.0
        self._position: float | None = None
        self._still = False
        self.records: GuardRecords | None = None
        self._stopping = False

    # ---- commands

    async def command(self, text: str) -> None:
        """One command, to be answered in ``Reply`` before the put completes."""
        order = self._parse(text)
        if order is None:
            return
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[order["id"]] = future
        self._obey(order)
        await self._after_event()
        try:
            answer = await asyncio.wait_for(future, _ANSWER_S)
        except TimeoutError:
            answer = {"id": order["id"], "ok": False, "error": "the guard has no answer in time"}
        self._answers.pop(order["id"], None)
        if self.records is not None:
            self.records.reply(answer)

    def _parse(self, text: str) -> dict[str, Any] | None:
        try:
            order = json.loads(text)
        except ValueError:
            order = None
        if isinstance(order, dict) and isinstance(order.get("id"), str):
            return order
        log.warning("a command that is no JSON object with an id was ignored")
        return None

    def _obey(self, order: dict[str, Any]) -> None:
        core, now_s, identity = self._core, self._clock.now_s(), order["id"]
        op = order.get("op")
        if op == "request":
            try:
                wanted = LeaseRequest.model_validate(order.get("request"))
            except ValidationError as error:
                found = "; ".join(
                    f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()
                )
                core.refuse(identity, f"the request is not understood: {found}", None)
                return
            core.request(identity, wanted, now_s)
        elif op == "renew":
            core.renew(identity, str(order.get("lease_id")), now_s)
        elif op == "settle":
            reason = str(order.get("reason", "done"))
            core.settle(identity, str(order.get("lease_id")), reason, now_s)
        elif op == "status":
            core.ask_status(identity, str(order.get("sample")), now_s)
        else:
            known = "request, renew, settle, status"
            core.answer_error(identity, f"the command {op!r} is not known; known: {known}")

    async def stop_beam(self, value: int) -> None:
        """Beam off, whoever has it."""
        if value:
            self._core.stop_beam(self._clock.now_s())
            await self._after_event()

    async def reset(self, reason: str) -> None:
        """Clear the latch."""
        self._core.reset(reason)
        await self._after_event()

    # ---- what is read

    def subscribe(self) -> None:
        """Monitor shutter, beam, stage and trigger source; each tells when it goes away."""
        import aioca

        settings, pvs = self._core.settings, self._pvs
        table: dict[str, Any] = {
            f"{pvs.shutter}State_RBV": self._shutter,
            f"{pvs.shutter}Position_RBV": self._blade,
            pvs.beam_monitor: self._monitor,
            pvs.energy_readback: self._energy,
            f"{pvs.trigger}Count_RBV": self._trigger_count,
            settings.sample_out_pv or f"{pvs.sample_x}.RBV": self._place,
            settings.sample_out_done_pv or f"{pvs.sample_x}.DMOV": self._place_done,
        }
        for name, take in table.items():
            aioca.camonitor(
                name,
                self._taking(take),
                format=aioca.FORMAT_TIME,
                notify_disconnect=True,
                all_updates=True,
            )

    def _taking(self, take: Any) -> Any:
        async def arrived(value: Any) -> None:
            there = bool(getattr(value, "ok", False))
            at_s = self._clock.of_stamp(float(value.timestamp)) if there else self._clock.now_s()
            take(float(value) if there else None, at_s)
            await self._after_event()

        return arrived

    def _shutter(self, value: float | None, at_s: float) -> None:
        state = None if value is None else ShutterState(int(value))
        self._core.shutter(state, at_s, self._clock.now_s())

    def _blade(self, value: float | None, at_s: float) -> None:
        self._core.blade(value, at_s, self._clock.now_s())

    def _monitor(self, value: float | None, at_s: float) -> None:
        self._core.monitor(value, at_s)

    def _energy(self, value: float | None, _at_s: float) -> None:
        self._core.energy(value)

    def _trigger_count(self, value: float | None, _at_s: float) -> None:
        self._core.trigger_count(None if value is None else int(value), self._clock.now_s())

    def _place(self, value: float | None, _at_s: float) -> None:
        self._position = value
        self._core.place(self._position, self._still, self._clock.now_s())

    def _place_done(self, value: float | None, _at_s: float) -> None:
        self._still = value == 1
        self._core.place(self._position, self._still, self._clock.now_s())

    # ---- what is done

    async def _after_event(self) -> None:
        """Do the core's actions in order, then write the enable counter if it must change."""
        for action in self._core.take():
            if isinstance(action, Log):
                self._write(action)
            elif isinstance(action, Answer):
                future = self._answers.get(action.data["id"])
                if future is not None and not future.done():
                    future.set_result(action.data)
            else:
                self._spawn(self._set_gate(action))
        if self._core.enable != self._enabled:
            self._write_enable()

    def _write(self, entry: Log) -> None:
        try:
            self._log.append(entry.kind, entry.data, utc_s=self._clock.now_s())
        except (OSError, ValueError) as error:
            # The reservation comes before the beam: without it the lease ends unarmed.
            log.error("the exposure log cannot be written: %s", error)
            self._core.log_failed(str(error), self._clock.now_s())

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let Channel Access wait for itself: the loop that ticks must not."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _set_gate(self, action: SetGate) -> None:
        import aioca

        result = await aioca.caput(
            f"{self._pvs.shutter}GateMode",
            action.gate,
            datatype=aioca.DBR_STRING,
            wait=True,
            timeout=_GATE_S,
            throw=False,
        )
        self._core.gate_set(action.lease_id, bool(result.ok), self._clock.now_s())
        await self._after_event()

    def _write_enable(self) -> None:
        """The heartbeat of an open shutter, or 0 at once."""
        import aioca

        self._enabled = self._core.enable
        self._counter = self._counter % 1_000_000 + 1
        value = self._counter if self._enabled else 0
        # A put that waits for a connection longer than a beat is out of date.
        pv = f"{self._pvs.shutter}Enable"
        self._spawn(aioca.caput(pv, value, wait=False, timeout=2 * _BEAT_S, throw=False))

    async def run(self) -> None:
        """Tick until `shut_down`; an exception ends the process, and with it the beam."""
        self._core.start(self._clock.now_s())
        self.subscribe()
        while not self._stopping:
            now_s = self._clock.now_s()
            self._core.tick(now_s)
            await self._after_event()
            if now_s >= self._next_beat_s:
                self._next_beat_s = now_s + _BEAT_S
                if self._core.enable:
                    self._write_enable()
                if self.records is not None:
                    self.records.beat()
            if now_s >= self._next_show_s:
                self._next_show_s = now_s + _SHOW_S
                self._show(now_s)
            await asyncio.sleep(_HURRIED_S if self._core.hurried else _TICK_S)

    async def shut_down(self) -> None:
        """Beam off, settled, and the end of `run`."""
        self._core.shut_down(self._clock.now_s())
        await self._after_event()
        end_s = self._clock.now_s() + 0.5
        while self._core.lease is not None and self._clock.now_s() < end_s:
            await asyncio.sleep(_HURRIED_S)
        self._write(Log("stop", {"lease_open": self._core.lease is not None}))
        self._stopping = True

    def _show(self, now_s: float) -> None:
        if self.records is None:
            return
        core, lease = self._core, self._core.lease
        sample = lease.sample if lease else core.account.ledger.last_sample
        sample = sample or core.settings.current_sample or ""
        status = core.status(sample, now_s)
        words = {
            "State": core.state,
            "Reason": core.reason,
            "LeaseId": lease.lease_id if lease else "",
            "Sample": sample,
        }
        on = core.account.beam is not None and bool(sample)
        numbers = {
            "Dose": status["dose_Gy"],
            "DoseRate": core.account.rate_Gy_s(sample, now_s) if on else 0.0,
            "BudgetDose": status["dose_left_Gy"],
            "BudgetSeconds": status["seconds_left"],
        }
        self.records.show(words, numbers)
