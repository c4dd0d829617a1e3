"""``voltomo up``: the supervisor in the foreground."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

from voltomo.cli.say import say
from voltomo.cli.supervisor import Supervisor
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline
from voltomo.runtime.run_folder import RunFolder, write_json


def make_supervisor(
    folder: RunFolder, file: BeamlineFile, first_port: int | None = None
) -> Supervisor:
    """A supervisor for a beamline, not yet started; bad settings are refused here."""
    from voltomo.cli.settings import check_settings

    settings: dict[str, Any] = check_settings(file)

    def prepare(run: RunFolder) -> None:
        write_json(run.beamline_file, file.model_dump(mode="json"))
        if file.virtual:
            from voltomo.twin.world import World

            World.create(run.world, seed=settings["twin"]["seed"])

    return Supervisor(
        folder,
        settings,
        virtual=file.virtual,
        first_port=first_port,
        prefix=file.prefix,
        prepare=prepare,
        outside={"ca_servers": tuple(file.ca_servers), "pva_servers": tuple(file.pva_servers)},
    )


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
    keep_up(supervisor)


def keep_up(supervisor: Supervisor) -> None:
    """Start a supervisor's services and stop them on Ctrl-C, SIGTERM or a closed terminal."""
    stop = threading.Event()

    def told_to_stop(_number: int, _frame: object) -> None:
        supervisor.request_stop()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Under nohup a closed terminal is no reason to stop.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, told_to_stop)
    with supervisor:
        say(f"ready; page http://127.0.0.1:{supervisor.addresses.page}/ ; Ctrl-C ends it")
        stop.wait()
        say("stopping, the beam first")
    say("everything has ended")
