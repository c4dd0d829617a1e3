"""``voltomo scan``: one tomography in a session of its own, and what it leaves behind."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from voltomo.cli.errors import Refused
from voltomo.model.names import run_name
from voltomo.model.scan_spec import ScanSpec
from voltomo.profiles.beamline_file import running_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.profiles.yaml_file import load_yaml
from voltomo.runtime.run_folder import RunFolder, write_json

if TYPE_CHECKING:
    from voltomo.profiles.session import Session

_LIVE_S = 60.0
_SLICE_S = 5.0


@dataclass(frozen=True)
class ScanDone:
    """A run, how it ended, and what went wrong if it did."""

    uid: str
    exit_status: str
    error: str = ""


def run_scan(file: Path, run_folder: Path | None, *, quiet: bool) -> None:
    """Scan, wait for the live slice to be complete, export; exit code 1 if the scan failed."""
    from voltomo.cli.export import export_run
    from voltomo.profiles.session import open_session

    folder = RunFolder.locate(run_folder)
    beamline = running_beamline(folder)
    written = load_yaml(file, ScanFile)
    known = [sample.name for sample in beamline.samples]
    if written.sample not in known:
        raise Refused(
            f"{file}: the sample {written.sample!r} has no limits in the beamline file; known: "
            f"{', '.join(known)}; nothing was started"
        )
    spec = written.spec(beamline)
    with open_session(folder, beamline) as session:
        for uid in session.closed:
            typer.echo(f"the run {run_name(uid)} of a session that died was closed as failed")
        done = perform(session, spec, quiet=quiet)
        keep_live_result(session, done)
    for made in export_run(folder, done.uid):
        typer.echo(f"written: {made}")
    if done.exit_status != "success":
        typer.echo(done.error, err=True)
        raise typer.Exit(1)


def perform(session: Session, spec: ScanSpec, *, quiet: bool = True) -> ScanDone:
    """Run one tomography; errors of the scan end up in the result, not as exceptions.

    Raises
    ------
    Refused
        The scan was refused before a run was opened.
    """
    from bluesky.utils import FailedStatus, ProgressBarManager, RunEngineInterrupted

    from voltomo.plans.tomography import tomography

    started: list[str] = []
    stopped: list[dict[str, Any]] = []

    def note(name: str, doc: dict[str, Any]) -> None:
        if name == "start":
            started.append(doc["uid"])
            typer.echo(f"scan {run_name(doc['uid'])} of {spec.sample!r}: {spec.triggers} triggers")
        elif name == "stop":
            stopped.append(doc)

    token = session.RE.subscribe(note)
    # The engine declares its hook as None.
    engine: Any = session.RE
    if not quiet:
        engine.waiting_hook = ProgressBarManager()
    error = ""
    try:
        session.RE(tomography(session.beamline, spec, md=session.metadata))
    except RunEngineInterrupted:
        session.RE.abort("stopped by the person on shift")
        error = "the scan was stopped; the beam is off"
    except FailedStatus as failed:
        error = _sentence(failed)
    except Exception as failed:  # noqa: BLE001
        # Whatever ended the scan is shown to the person; the run log has the rest.
        error = f"{type(failed).__name__}: {failed}"
    finally:
        session.RE.unsubscribe(token)
        engine.waiting_hook = None
    if not started:
        raise Refused(error or "the scan did not begin")
    return ScanDone(started[0], stopped[0]["exit_status"] if stopped else "fail", error)


def _sentence(failed: BaseException) -> str:
    """The innermost cause of a failed status, which names device, expected and seen."""
    cause: BaseException = failed
    while cause.__cause__ is not None:
        cause = cause.__cause__
    return str(cause) or type(cause).__name__


def keep_live_result(session: Session, done: ScanDone, patience_s: float = _LIVE_S) -> None:
    """Wait until the live slice is complete, and keep it with its verdicts beside the exports."""
    import numpy as np

    from voltomo.live.observer import SliceObserver

    live = session.live
    deadline = time.monotonic() + patience_s

    def complete() -> bool:
        there = live.state.connected and live.scan_uid.connected
        return bool(there and live.scan_uid.get() == done.uid and live.state.get() == "Done")

    with SliceObserver(session.folder.addresses()) as observer:
        while not complete():
            if time.monotonic() > deadline:
                typer.echo("the live slice was not complete in time; the files hold all frames")
                return
            time.sleep(0.1)
        verdicts = {name: v.model_dump() for name, v in live.verdicts(done.uid).items()}
        latest = observer.wait_for(done.uid, 0, _SLICE_S)
    base = session.folder.exports / run_name(done.uid)
    result = {"uid": done.uid, "verdicts": verdicts, **live.progress()}
    write_json(base.with_suffix(".live.json"), json.loads(json.dumps(result, default=float)))
    if latest is not None:
        np.savez(
            base.with_suffix(".slice.npz"),
            image=latest.image,
            row=latest.row,
            frames=latest.frames,
            last_trigger=latest.last_trigger,
        )
