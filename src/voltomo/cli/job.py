"""One scan on a virtual beamline of its own, from start to summary: what demo and replay share."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
import yaml

from voltomo.cli.errors import Refused
from voltomo.cli.up import make_supervisor
from voltomo.profiles.beamline_file import BeamlineFile
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.run_folder import RunFolder


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
    Refused
        The scan failed; what the session said was shown.
    """
    from voltomo.cli.export import find_run

    shutil.rmtree(job.folder.root, ignore_errors=True)
    supervisor = make_supervisor(job.folder, job.file)
    typer.echo(f"[{job.name}] starting the virtual beamline")
    with supervisor:
        typer.echo(f"[{job.name}] watch it: http://127.0.0.1:{supervisor.addresses.page}/")
        if before is not None:
            before(job.folder)
        written = job.folder.root / "scan.yml"
        written.write_text(yaml.safe_dump(job.scan.model_dump(mode="json"), sort_keys=False))
        session = [sys.executable, "-m", "voltomo.cli.main", "scan", str(written), "--quiet"]
        done = subprocess.run(
            [*session, "--run-folder", str(job.folder.root)], check=False, stdin=subprocess.DEVNULL
        )
    if done.returncode != 0:
        raise Refused(f"[{job.name}] the scan failed; logs are in {job.folder.services}")
    return find_run(job.folder, "last")


def settings_of(folder: RunFolder) -> dict[str, Any]:
    """Settings that the services of a job were started with."""
    return dict(json.loads(folder.settings.read_text()))
