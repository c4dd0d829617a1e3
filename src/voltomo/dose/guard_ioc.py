"""The guard's process: the one that enables the shutter."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from voltomo.dose.dose_rate import dose_per_fluence_Gy_cm2
from voltomo.dose.exposure_log import ExposureLog, open_exposure_log
from voltomo.dose.guard_clock import boot_id
from voltomo.dose.guard_core import GuardCore
from voltomo.dose.guard_records import GuardRecords
from voltomo.dose.guard_settings import GuardSettings, read_guard_settings
from voltomo.dose.guard_shell import GuardShell
from voltomo.dose.ledger import Ledger
from voltomo.dose.monitor_scale import with_profile
from voltomo.model.pv_names import PvNames
from voltomo.runtime.append_log import LogDamaged, LogInUse
from voltomo.runtime.heartbeat import Heartbeat
from voltomo.runtime.locks import Held
from voltomo.runtime.run_folder import RunFolder
from voltomo.runtime.service import die_with_parent, stop_on_signals

_STOP_S = 1.5

log = logging.getLogger(__name__)


def make_core(settings: GuardSettings, ledger: Ledger) -> GuardCore:
    """The core with the physics of all materials that the settings know; each is asked once."""

    @lru_cache(maxsize=256)
    def own(name: str, energy_keV: float) -> float:
        return dose_per_fluence_Gy_cm2(settings.known.find(name), energy_keV)

    @lru_cache(maxsize=256)
    def upper(name: str, energy_keV: float) -> float:
        # All that is absorbed stays.
        return dose_per_fluence_Gy_cm2(settings.known.find(name), energy_keV, "local")

    return GuardCore(settings, own, ledger, upper=upper)


def _make_shell(folder: RunFolder, pvs: PvNames) -> tuple[GuardShell, ExposureLog]:
    """The guard over the run folder's settings and exposure log, on these devices."""
    settings = read_guard_settings(folder.settings)
    calibration = settings.calibration_path(folder.exposure_log)
    settings = with_profile(settings, calibration)
    opened = open_exposure_log(folder.exposure_log, f"the guard of {folder.root}")
    core = make_core(settings, opened.ledger)
    same_boot = bool(opened.boot_id) and opened.boot_id == boot_id()
    shell = GuardShell(
        core, opened.log, opened.last, pvs, same_boot=same_boot, calibration=calibration
    )
    return shell, opened


def main() -> None:
    """Guard until told to stop; then beam off first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run-folder", type=Path, required=True)
    folder = RunFolder(parser.parse_args().run_folder)
    die_with_parent()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        addresses = folder.addresses()
        shell, _opened = _make_shell(folder, addresses.names)
    except (OSError, ValueError, Held, LogDamaged, LogInUse) as error:
        raise SystemExit(
            f"the guard cannot start, and there is no beam without it: {error}"
        ) from error

    serve(shell, addresses.run)


def serve(shell: GuardShell, run: str) -> NoReturn:
    """Serve the guard's PVs and guard until told to stop; ends the process."""
    from softioc import asyncio_dispatcher, builder, softioc

    dispatcher = asyncio_dispatcher.AsyncioDispatcher()
    shell.records = GuardRecords(shell.prefix, shell.command, shell.stop_beam, shell.reset, run)
    builder.LoadDatabase()
    softioc.iocInit(dispatcher, enable_pva=False)
    running = asyncio.run_coroutine_threadsafe(shell.run(), dispatcher.loop)
    asyncio.run_coroutine_threadsafe(Heartbeat.of_process().keep_beating(), dispatcher.loop)

    def stop() -> None:
        asyncio.run_coroutine_threadsafe(shell.shut_down(), dispatcher.loop)

    stopping = stop_on_signals(stop)
    while not running.done():
        stopping.wait(0.1)
        if stopping.is_set():
            break
    try:
        running.result(_STOP_S if stopping.is_set() else 0)
        code = 0
    except TimeoutError:
        log.error("the guard's loop did not end in time; its enable counter has stopped")
        code = 1
    except Exception:
        log.exception("the guard's loop has failed; its enable counter has stopped")
        code = 1
    # EPICS base runs its own threads, which do not end; everything of ours is down.
    os._exit(code)


if __name__ == "__main__":
    main()
