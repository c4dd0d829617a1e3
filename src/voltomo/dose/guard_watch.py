"""The guard alone, around a scan that is not ours: it reads a shutter, counts, and raises alarms.

It gives no lease and enables nothing. What it can do beside an alarm is what it was told to put
when a limit is reached: a photon shutter, attenuators, the other scan's stop button.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from voltomo.dose.exposure_log import ExposureLog, open_exposure_log
from voltomo.dose.guard_clock import boot_id
from voltomo.dose.guard_core import GuardCore
from voltomo.dose.guard_ioc import make_core
from voltomo.dose.guard_ioc import serve as serve_records
from voltomo.dose.guard_monitors import Take
from voltomo.dose.guard_puts import put_all
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_shell import GuardShell
from voltomo.dose.guard_words import ShutterState, WayOut

__all__ = ["Watched", "watch"]

_CLOSE_ENOUGH = 1e-6


@dataclass(frozen=True)
class Watched:
    """What is read around a foreign scan, and what is put when a limit is reached.

    Parameters
    ----------
    shutter : str
        PV of the shutter, a number or a named state.
    closed : float
        What it reads while no beam passes; whatever else it reads, or where it reads nothing, beam
        may pass.
    flux, energy : str or None
        PVs of a flux monitor in counts/s and of the photon energy in keV.
    stop : dict
        PVs and values that stop the beam; put when a limit is reached, and on ``StopBeam``.
    """

    shutter: str
    closed: float = 0.0
    flux: str | None = None
    energy: str | None = None
    stop: dict[str, float] = field(default_factory=dict[str, float])


class _WatchShell(GuardShell):
    """A shell that reads what it was told to, and writes no enable counter."""

    def __init__(self, opened: ExposureLog, core: GuardCore, watched: Watched) -> None:
        self._watched = watched
        same_boot = bool(opened.boot_id) and opened.boot_id == boot_id()
        super().__init__(
            core,
            opened.log,
            opened.last,
            same_boot=same_boot,
            calibration=core.settings.calibration_path(opened.log.path),
        )
        self._said: tuple[str, int] = ("", 0)
        self.say: Callable[[str, int], None] = lambda _text, _alarm: None

    def _table(self) -> dict[str, Take]:
        core, watched, now_s = self._core, self._watched, self._clock.now_s

        def shutter(value: float | None, at_s: float) -> None:
            closed = value is not None and abs(value - watched.closed) <= _CLOSE_ENOUGH
            state = ShutterState.CLOSED if closed else ShutterState.OPEN
            core.shutter(None if value is None else state, at_s, now_s())

        table: dict[str, Callable[[float | None, float], None]] = {watched.shutter: shutter}
        if watched.flux is not None:
            table[watched.flux] = lambda value, at_s: core.monitor(value, min(at_s, now_s()))
        if watched.energy is not None:
            table[watched.energy] = lambda value, _: core.energy(value)
        second = core.settings.second_monitor_pv
        if second is not None:
            table[second] = lambda value, _: core.second_monitor(value)
        return {name: self._taking(take) for name, take in table.items()}

    def _put_enable(self, value: int) -> None:
        """There is no counter to write."""

    async def _take_way_out(self, _action: WayOut) -> None:
        taken = await put_all(self._watched.stop)
        await self._event(lambda: self._core.way_out(taken))

    def _show(self, now_s: float) -> None:
        super()._show(now_s)
        alarm = 2 if self._core.alarmed else int(self._core.warned)
        news = (self._core.reason, alarm)
        if news != self._said and news[0]:
            self.say(*news)
        self._said = news


def watch(
    watched: Watched,
    settings: GuardSettings,
    exposure_log: Path,
    say: Callable[[str, int], None],
    *,
    reset: str = "",
    serve: bool = False,
) -> bool:
    """Watch until SIGINT or SIGTERM.

    Parameters
    ----------
    watched : Watched
        PVs.
    settings : GuardSettings
        Samples, calibration; ``watching`` must be true.
    exposure_log : Path
        The ledger; made if it is not there.
    say : callable
        Takes each news for a person, and its alarm: 0 none, 1 minor, 2 major.
    reset : str
        Reason for which an earlier latch is taken away; empty leaves it.
    serve : bool
        Whether the guard's own PVs are served under the settings' prefix; the process ends there.

    Returns
    -------
    bool
        Whether the guard ends unlatched.

    Raises
    ------
    Held, LogInUse
        Another guard keeps this ledger, and is named.
    OSError
        The ledger cannot be read or written.
    """
    opened = open_exposure_log(exposure_log, f"voltomo guard watch {watched.shutter}")
    if reset.strip() and opened.ledger.latched:
        entry = {"reason": reset.strip(), "latched": "; ".join(opened.ledger.latched)}
        opened.log.append("reset", entry)
        opened.ledger.add("reset", entry)
    core = make_core(settings, opened.ledger)
    shell = _WatchShell(opened, core, watched)
    shell.say = say
    if serve:
        serve_records(shell, "")
    asyncio.run(_until_told(shell))
    opened.close()
    return not core.latched


async def _until_told(shell: GuardShell) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    running = loop.create_task(shell.run())
    waiting = loop.create_task(told.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        await shell.shut_down()
    waiting.cancel()
    await running
