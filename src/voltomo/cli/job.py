"""One scan on a virtual beamline of its own, from start to summary: what demo and replay share."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from voltomo.cli.errors import Refused
from voltomo.cli.say import say
from voltomo.cli.up import make_supervisor
from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.locks import FileLock
from voltomo.runtime.run_folder import RunFolder

if TYPE_CHECKING:
    from voltomo.profiles.interrupts import Interrupts


@dataclass(frozen=True)
class Job:
    """A scan to be done, and the beamline to do it on."""

    name: str
    file: BeamlineFile
    scan: ScanFile
    output: Path

    @property
    def folder(self) -> RunFolder:
        """The run folder of the job."""
        return RunFolder((self.output / f"run-{self.name}").resolve())


@contextlib.contextmanager
def output_folder(output: Path, purpose: str) -> Iterator[None]:
    """Make the folder of the results, and keep others from writing there meanwhile.

    Raises
    ------
    Held
        Another command is at work there; nothing was touched.
    """
    output.mkdir(parents=True, exist_ok=True)
    with FileLock(output / ".lock", purpose):
        yield


def run_job(job: Job, before: Callable[[RunFolder], object] | None = None) -> str:
    """Start the beamline, scan in a session process, stop everything.

    Parameters
    ----------
    job : Job
        What to do.
    before : callable, optional
        Called with the run folder once everything is up (to inject faults, say).

    Returns
    -------
    str
        The run's uid.

    Raises
    ------
    Held
        Another command is at work in the job's folder; nothing was touched.
    Refused
        The scan failed, and what the session said was shown; or a signal stopped it.
    """
    from voltomo.cli.export import find_run
    from voltomo.profiles.interrupts import ALL, Interrupts

    # It ends with its one scan: whoever wants a catalogue says 'voltomo catalogue fill'.
    file = job.file.model_copy(update={"catalogue": {"enabled": False}})
    supervisor = make_supervisor(job.folder, file, fresh=True)
    say(f"[{job.name}] starting the virtual beamline")
    interrupts = Interrupts(*ALL)
    with interrupts.watching():
        try:
            with supervisor:
                say(f"[{job.name}] watch it: http://127.0.0.1:{supervisor.addresses.page}/")
                if before is not None:
                    before(job.folder)
                code = _scan_in_a_session(job, interrupts)
        except KeyboardInterrupt:
            code = 1
    if interrupts.taken:
        raise Refused(
            f"[{job.name}] stopped by {interrupts.by}; the beam is off and everything has ended; "
            f"what was recorded lies in {job.folder.root}"
        )
    if code != 0:
        raise Refused(f"[{job.name}] the scan failed; logs are in {job.folder.services}")
    return find_run(job.folder, "last")


def _scan_in_a_session(job: Job, interrupts: Interrupts) -> int:
    """Scan in a process of its own; a signal is passed on, and its orderly end awaited.

    Returns
    -------
    int
        The session's exit code.
    """
    written = job.folder.root / "scan.yml"
    written.write_text(yaml.safe_dump(job.scan.model_dump(mode="json"), sort_keys=False))
    words = [sys.executable, "-m", "voltomo.cli.main", "scan", str(written), "--quiet"]
    words += ["--run-folder", str(job.folder.root)]
    # Of a group of its own: a Ctrl-C comes through us, and once.
    session = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True)
    interrupts.idle = session.send_signal
    try:
        if interrupts.taken:
            session.send_signal(interrupts.taken[-1])
        return session.wait()
    finally:
        interrupts.idle = interrupts.ignore


def settings_of(folder: RunFolder) -> dict[str, Any]:
    """Settings that the services of a job were started with."""
    return dict(json.loads(folder.settings.read_text()))
