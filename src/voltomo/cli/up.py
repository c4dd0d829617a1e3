"""``voltomo up``: the supervisor in the foreground."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from voltomo.cli.say import say
from voltomo.cli.supervisor import Supervisor
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline
from voltomo.records.catalogue_settings import EXTRA, CatalogueSettings, installed
from voltomo.runtime.ledger_place import place_exposure_log
from voltomo.runtime.locks import FileLock
from voltomo.runtime.ports import lock_folder
from voltomo.runtime.run_folder import RunFolder, write_json


def make_supervisor(
    folder: RunFolder, file: BeamlineFile, first_port: int | None = None, *, fresh: bool = False
) -> Supervisor:
    """A supervisor for a beamline, not yet started; bad settings are refused here.

    Parameters
    ----------
    folder : RunFolder
        Where its processes meet.
    file : BeamlineFile
        What they are started from.
    first_port : int, optional
        Start of the block of ports; any free block if not given.
    fresh : bool
        Whether what an earlier run left in the folder is removed first.
    """
    from voltomo.cli.settings import check_settings

    settings: dict[str, Any] = check_settings(file)

    def prepare(run: RunFolder) -> None:
        place_exposure_log(run, file.ledger)
        write_json(run.beamline_file, file.model_dump(mode="json"))
        if file.virtual:
            from voltomo.twin.world import World

            World.create(run.world, seed=settings["twin"]["seed"])

    return Supervisor(
        folder,
        settings,
        virtual=file.virtual,
        catalogue=settings["catalogue"]["enabled"] and installed(),
        cell=file.virtual_cell,
        first_port=first_port,
        prefix=file.prefix,
        facility=file.epics,
        pvs=file.pvs,
        locks=_locks(file, f"voltomo up in {folder.root}"),
        fresh=fresh,
        prepare=prepare,
    )


def _locks(file: BeamlineFile, purpose: str) -> list[FileLock]:
    """Locks of a beamline that several run folders may be about: one guard, one engine for it.

    The one in its ledger is for every user and host that keeps the doses there; the one by the
    names of its PVs is for this user's runs on this machine, wherever they keep them.
    """
    locks: list[FileLock] = []
    if file.ledger is not None:
        locks.append(FileLock(file.ledger / "beamline.lock", purpose))
    if not file.virtual:
        names = f"{file.names.shutter} {file.names.trigger}"
        mark = hashlib.sha256(names.encode()).hexdigest()[:16]
        locks.append(FileLock(lock_folder() / f"beamline-{mark}.lock", purpose))
    return locks


def run_up(beamline: str, run_folder: Path | None, first_port: int | None) -> None:
    """Start everything, say where it is, and wait for Ctrl-C, SIGTERM or a closed terminal."""
    folder = RunFolder.locate(run_folder)
    file = load_beamline(beamline)
    supervisor = make_supervisor(folder, file, first_port)
    say(f"starting the beamline {beamline!r} in {folder.root}")
    if file.software_guard_only:
        say(
            "software guard only: this beamline's shutter does not close by itself when the guard "
            "hangs (shutter_closes_when_stale in the beamline file)"
        )
    _say_catalogue(folder, file)
    keep_up(supervisor, lambda: _say_doses(folder, file))


def _say_catalogue(folder: RunFolder, file: BeamlineFile) -> None:
    settings = CatalogueSettings.model_validate(file.catalogue)
    if not settings.enabled:
        return
    if installed():
        say(f"runs are catalogued in {settings.server or folder.catalogue}")
    else:
        say(f"no catalogue is kept: its libraries are not installed ({EXTRA})")


def _say_doses(folder: RunFolder, file: BeamlineFile) -> None:
    """What the exposure log knows of each sample before the first scan of this run."""
    from voltomo.dose.ledger import LedgerProjection
    from voltomo.runtime.append_log import LogReader

    known = LedgerProjection().fold(LogReader(folder.exposure_log).entries())
    say(f"doses are kept in {folder.exposure_log}")
    for sample in file.samples:
        account = known.get(sample.name)
        if account is None:
            say(f"  {sample.name}: no earlier dose is known there")
        else:
            say(
                f"  {sample.name}: {account.dose_Gy:.4g} Gy of {sample.dose_limit_Gy:.4g} Gy and "
                f"{account.open_s:.4g} s of {sample.beam_limit_s:.4g} s of beam are used"
            )


def keep_up(supervisor: Supervisor, ready: Callable[[], object] = lambda: None) -> None:
    """Start a supervisor's services and stop them on Ctrl-C, SIGTERM or a closed terminal.

    Parameters
    ----------
    supervisor : Supervisor
        Not yet started.
    ready : callable
        Called when everything serves.
    """
    stop = threading.Event()

    def told_to_stop(_number: int, _frame: object) -> None:
        supervisor.request_stop()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup a closed terminal is no reason to stop.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, told_to_stop)
    with supervisor:
        ready()
        say(f"ready; page http://127.0.0.1:{supervisor.addresses.page}/ ; Ctrl-C ends it")
        stop.wait()
        say("stopping, the beam first")
    say("everything has ended")
