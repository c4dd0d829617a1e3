"""The shell round the guard's core: Channel Access in and out, the log, and the enable counter.

The counter that keeps the shutter open is written by this loop alone. When the loop hangs, is
stopped or dies, nobody writes it, and the shutter's controller closes. The loop waits for the disk
on purpose: while an entry is not on it, the counter stands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from voltomo.dose.beam_track import Axis
from voltomo.dose.guard_clock import SteadyUtc, boot_id
from voltomo.dose.guard_commands import obey, parse
from voltomo.dose.guard_core import GuardCore
from voltomo.dose.guard_log import GuardLog
from voltomo.dose.guard_monitors import Monitors, Take, TakeText, whole
from voltomo.dose.guard_puts import put_through, take_way_out
from voltomo.dose.guard_records import GuardRecords
from voltomo.dose.guard_words import Answer, Log, SetGate, ShutterState, WayOut
from voltomo.dose.monitor_scale import CalibrationFile
from voltomo.model.pv_names import PvNames
from voltomo.runtime.append_log import AppendLog, Entry

_TICK_S = 0.02
_HURRIED_S = 0.005
_BEAT_S = 0.05
_SHOW_S = 0.2
_CARE_S = 1.0
_ANSWER_S = 1.8
_FAREWELL_S = 0.2
# Of the loop, until the client library has sent what was put.
_TURNS_OF_A_PUT = 4
# A core that has not ticked for so long may not know yet that its lease is lost.
_FRESH_S = 0.1

log = logging.getLogger(__name__)


class GuardFailed(Exception):
    """The guard does not know any more what it does; it ends, and the beam with it."""


class GuardShell:
    """Feeds the core with events and does what it decides.

    Parameters
    ----------
    core : GuardCore
        Decides.
    exposure_log : AppendLog
        Where every action of kind `Log` goes, synced, before anything later happens.
    last : Entry or None
        The log's last entry.
    same_boot : bool
        Whether that is of the machine's present run.
    calibration : Path, optional
        Calibration of the flux, looked at every second.
    pvs : PvNames, optional
        Names of what it reads and writes; the virtual beamline's under its prefix if not given.
    """

    def __init__(
        self,
        core: GuardCore,
        exposure_log: AppendLog,
        last: Entry | None = None,
        pvs: PvNames | None = None,
        *,
        same_boot: bool = False,
        calibration: Path | None = None,
    ) -> None:
        self._core = core
        self._log = GuardLog(exposure_log)
        self._last, self._same_boot = last, same_boot
        self._clock = SteadyUtc()
        self._calibration = CalibrationFile(calibration)
        self.prefix = core.settings.prefix
        self._pvs = pvs or PvNames(prefix=self.prefix)
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._enabled = False
        self._counter = 0
        self._due_s = {"beat": 0.0, "show": 0.0, "care": 0.0}
        self._position: float | None = None
        self._still = False
        self.records: GuardRecords | None = None
        self._monitors = Monitors(self._table(), time.time, self._texts())
        self._stopping = False
        self._failure: BaseException | None = None
        self._one_at_a_time = asyncio.Lock()
        self._ticked_s = 0.0

    # ---- commands

    async def command(self, text: str) -> None:
        """One command, to be answered in ``Reply`` before the put completes."""
        order = parse(text)
        if order is None or order["id"] in self._answers:
            log.warning("a command that is no JSON object with an id of its own was ignored")
            return
        identity: str = order["id"]
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[identity] = future
        await self._event(lambda: obey(self._core, order, self._clock.now_s()))
        try:
            answer = await asyncio.wait_for(future, _ANSWER_S)
        except TimeoutError:
            answer = {"id": identity, "ok": False, "error": "the guard has no answer in time"}
            await self._event(lambda: self._core.give_up(identity, self._clock.now_s()))
        self._answers.pop(identity, None)
        if self.records is not None:
            self.records.reply(answer)

    async def stop_beam(self, value: int) -> None:
        """Beam off, whoever has it."""
        if value:
            self._put_enable(0)
            await self._event(lambda: self._core.stop_beam(self._clock.now_s()))
            # A scan that begins when this put is done must see that it was.
            self._show(self._clock.now_s())

    async def reset(self, reason: str) -> None:
        """Clear the latch."""
        await self._event(lambda: self._core.reset(reason))

    # ---- what is read

    def _table(self) -> dict[str, Take]:
        """Shutter, beam, stage and trigger source; each tells when it goes away."""
        core, settings, now_s = self._core, self._core.settings, self._clock.now_s
        pvs = self._pvs
        table: dict[str, Callable[[float | None, float], None]] = {
            f"{pvs.shutter}State_RBV": self._shutter,
            f"{pvs.shutter}Position_RBV": lambda value, at_s: core.blade(value, at_s, now_s()),
            f"{pvs.shutter}StaleTime": lambda value, _: core.stale_time(value, now_s()),
            f"{pvs.shutter}TravelTime_RBV": lambda value, _: core.travel_time(value, now_s()),
            f"{pvs.shutter}GateMode": lambda value, _: core.gate_mode(whole(value), now_s()),
            pvs.beam_monitor: lambda value, at_s: core.monitor(value, min(at_s, now_s())),
            pvs.energy_readback: lambda value, _: core.energy(value),
            f"{pvs.trigger}Count_RBV": lambda value, _: core.trigger_count(whole(value), now_s()),
            f"{pvs.rotation}.RBV": self._tracking("rotation_deg"),
            f"{pvs.sample_x}.RBV": self._tracking("sample_x_mm"),
            settings.sample_out_pv or f"{pvs.sample_x}.RBV": self._place,
            settings.sample_out_done_pv or f"{pvs.sample_x}.DMOV": self._place_done,
        }
        if pvs.sample_z is not None:
            table[f"{pvs.sample_z}.RBV"] = self._tracking("sample_z_mm")
        if pvs.ring_current is not None:
            table[pvs.ring_current] = lambda value, _: core.ring_current(value)
        if pvs.attenuator_readback is not None:
            table[pvs.attenuator_readback] = lambda value, _: core.attenuator(value)
        if settings.second_monitor_pv is not None:
            table[settings.second_monitor_pv] = lambda value, _: core.second_monitor(value)
        return {name: self._taking(take) for name, take in table.items()}

    def _texts(self) -> dict[str, TakeText]:
        """What is read as text."""
        core, pv = self._core, self._core.settings.mounted_sample_pv

        async def mounted(name: str | None) -> None:
            await self._event(lambda: core.mounted(name, self._clock.now_s()))

        return {} if pv is None else {pv: mounted}

    def _taking(self, take: Callable[[float | None, float], None]) -> Take:
        async def taken(value: float | None, stamp_s: float) -> None:
            await self._event(lambda: take(value, self._clock.of_stamp(stamp_s)))

        return taken

    def _shutter(self, value: float | None, at_s: float) -> None:
        number = whole(value)
        known = number in ShutterState.__members__.values()
        if known and self._core.state == "Idle":
            # Whatever an earlier guard or somebody else has left there.
            self._put_enable(0)
        state = ShutterState(number) if known and number is not None else None
        self._core.shutter(state, at_s, self._clock.now_s())

    def _tracking(self, axis: Axis) -> Callable[[float | None, float], None]:
        return lambda value, at_s: self._core.account.track.read(axis, value, at_s)

    def _place(self, value: float | None, at_s: float) -> None:
        if self._core.settings.sample_out_pv is None:
            self._core.account.track.read("sample_x_mm", value, at_s)
        self._position = value
        self._core.place(self._position, self._still, self._clock.now_s())

    def _place_done(self, value: float | None, _at_s: float) -> None:
        self._still = value == 1
        self._core.place(self._position, self._still, self._clock.now_s())

    # ---- what is done

    async def _event(self, take: Callable[[], None]) -> None:
        """Tell the core something and do what it decides.

        After an error that nobody foresaw, nothing that the guard believes is certain: it ends.
        """
        async with self._one_at_a_time:
            try:
                take()
                if self._enabled and not self._core.enable:
                    # Beam off first. The put goes out before the disk is asked for anything.
                    self._write_enable()
                    for _ in range(_TURNS_OF_A_PUT):
                        await asyncio.sleep(0)
                self._act()
            except Exception as error:  # noqa: BLE001
                self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._put_enable(0)

    def _act(self) -> None:
        """Do the core's actions in order, then write the enable counter if it must change."""
        for action in self._core.take():
            if isinstance(action, Log):
                self._write(action)
            elif isinstance(action, Answer):
                future = self._answers.get(action.data["id"])
                if future is not None and not future.done():
                    future.set_result(action.data)
            elif isinstance(action, SetGate):
                self._spawn(self._set_gate(action))
            else:
                self._spawn(self._take_way_out(action))
        if self._core.enable != self._enabled:
            self._write_enable()

    def _write(self, entry: Log) -> None:
        was_behind = self._log.behind
        error = self._log.write(entry, self._clock.now_s())
        if error and not was_behind:
            # The reservation comes before the beam: without it the lease ends unarmed.
            log.error("the exposure log cannot be written: %s", error)
        if error:
            self._core.log_failed(error, self._clock.now_s())

    def _catch_up(self) -> None:
        if self._log.behind and not self._log.catch_up():
            log.warning("the exposure log can be written again; nothing is missing in it")
            self._core.log_written()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Let Channel Access wait for itself: the loop that ticks must not."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned)

    def _spawned(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failure = self._failure or error

    async def _set_gate(self, action: SetGate) -> None:
        ok, now_s = (
            await put_through(f"{self._pvs.shutter}GateMode", action.gate),
            self._clock.now_s,
        )
        await self._event(lambda: self._core.gate_set(action.lease_id, ok, now_s()))

    async def _take_way_out(self, _action: WayOut) -> None:
        """Filters and photon shutter at once; each may fail without the other."""
        taken = await take_way_out(self._core.settings, self._pvs)
        await self._event(lambda: self._core.way_out(taken))

    def _write_enable(self) -> None:
        """The heartbeat of an open shutter, or 0 at once."""
        self._enabled = self._core.enable and self._failure is None
        if self._enabled and not self._fresh:
            # The next tick decides.
            return
        self._counter = self._counter % 1_000_000 + 1
        self._put_enable(self._counter if self._enabled else 0)

    def _put_enable(self, value: int) -> None:
        import aioca

        # A put that waits for a connection longer than a beat is out of date.
        pv = f"{self._pvs.shutter}Enable"
        self._spawn(aioca.caput(pv, value, wait=False, timeout=2 * _BEAT_S, throw=False))

    async def run(self) -> None:
        """Tick until `shut_down`; an error ends the process, and with it the beam.

        Raises
        ------
        GuardFailed
            Something happened that nobody foresaw.
        """
        await self._event(self._start)
        self._monitors.open()
        try:
            while not self._stopping:
                if self._failure is not None:
                    raise GuardFailed("the guard ends, and the beam with it") from self._failure
                await self._event(self._tick)
                fresh = self._fresh
                if fresh:
                    await self._do_what_is_due(self._clock.now_s())
                hurried = self._core.hurried or not fresh
                await asyncio.sleep(_HURRIED_S if hurried else _TICK_S)
        finally:
            self._put_enable(0)
            if self._tasks:
                await asyncio.wait(self._tasks, timeout=_FAREWELL_S)

    @property
    def _fresh(self) -> bool:
        """Whether the core has ticked lately; a slow disk may have kept the loop waiting."""
        return self._clock.now_s() - self._ticked_s <= _FRESH_S

    def _start(self) -> None:
        last, elapsed_s = self._last, None
        if last is not None and last.monotonic_s is not None and self._same_boot:
            elapsed_s = max(time.monotonic() - last.monotonic_s, 0.0)
        last_s = None if last is None else last.utc_s
        self._core.start(self._clock.now_s(), last_s, elapsed_s, boot_id())
        self._look_at_calibration()

    def _tick(self) -> None:
        self._ticked_s = self._clock.now_s()
        step_s = self._clock.step_s()
        if step_s:
            self._core.clock_stepped(step_s)
        self._core.tick(self._ticked_s)

    async def _do_what_is_due(self, now_s: float) -> None:
        if self._due("beat", _BEAT_S, now_s):
            if self._core.enable:
                self._write_enable()
            if self.records is not None:
                self.records.beat()
        if self._due("show", _SHOW_S, now_s):
            self._show(now_s)
        if self._due("care", _CARE_S, now_s):
            self._catch_up()
            await self._event(self._look_at_calibration)
            await self._event(lambda: self._log.keep_witness(self._core.account.ledger))
            await self._monitors.mend()

    def _look_at_calibration(self) -> None:
        found = self._calibration.look()
        if found is not None:
            self._core.calibration(found)

    def _due(self, what: str, every_s: float, now_s: float) -> bool:
        """Whether it is time again; a beat that came late does not delay the next."""
        due = now_s >= self._due_s[what]
        if due:
            self._due_s[what] = max(self._due_s[what] + every_s, now_s)
        return due

    async def shut_down(self) -> None:
        """Beam off, settled, and the end of `run`."""
        await self._event(lambda: self._core.shut_down(self._clock.now_s()))
        end_s = self._clock.now_s() + 0.5
        while self._core.lease is not None and self._clock.now_s() < end_s:
            await asyncio.sleep(_HURRIED_S)
        self._write(Log("stop", {"lease_open": self._core.lease is not None}))
        self._log.keep_witness(self._core.account.ledger)
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
            "Stops": core.stops,
            "Rise": max((watch.rise_K for watch in core.account.heat.values()), default=0.0),
        }
        self.records.show(words, numbers, alarm=2 if core.alarmed else int(core.warned))
