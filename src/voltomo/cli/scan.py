"""``voltomo scan``: one scan in a session of its own, and what it leaves behind."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import typer

from voltomo.cli.errors import Refused
from voltomo.cli.logs import ToLog, session_log
from voltomo.cli.say import say
from voltomo.model.names import run_name
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.sentence import SentenceError
from voltomo.profiles.beamline_file import BeamlineFile, running_beamline
from voltomo.profiles.scan_file import ScanFile
from voltomo.runtime.run_folder import RunFolder, write_json
from voltomo.runtime.yaml_file import load_yaml

if TYPE_CHECKING:
    from voltomo.profiles.interrupts import Interrupts
    from voltomo.profiles.session import Session

log = logging.getLogger(__name__)

_LIVE_S = 60.0
_STOPPED_S = 5.0
_MEASURES_S = 5.0
_SLICE_S = 20.0
"""A worker that was started again is found at once as a rule, but now and then takes seconds."""


@dataclass(frozen=True)
class ScanDone:
    """A run, how it ended, and what went wrong if it did."""

    uid: str
    exit_status: str
    error: str = ""


def run_scan(file: Path, run_folder: Path | None, *, quiet: bool) -> None:
    """Scan, wait for the live slice to be complete, export; exit code 1 if the scan failed.

    Ctrl-C, SIGTERM and a closed terminal end the scan, the beam first; the run is closed with
    the reason and exported. Further signals change nothing.
    """
    from voltomo.cli.export import export_run
    from voltomo.profiles.interrupts import ALL, Interrupts
    from voltomo.profiles.stored_flats import with_stored_flats

    folder = RunFolder.locate(run_folder)
    written = load_yaml(file, ScanFile)
    beamline = running_beamline(folder)
    spec = with_stored_flats(written.spec(beamline), folder)
    interrupts = Interrupts(*ALL)
    with interrupts.watching(), session_log(folder):
        try:
            done = _in_a_session(folder, beamline, spec, interrupts, quiet=quiet)
        except KeyboardInterrupt:
            raise Refused(
                f"stopped by {interrupts.by} before the scan began; no beam was used"
            ) from None
        for made in export_run(folder, done.uid):
            say(f"written: {made}")
    if done.exit_status != "success":
        say(done.error, err=True)
        raise typer.Exit(1)


def _in_a_session(
    folder: RunFolder,
    beamline: BeamlineFile,
    spec: ScanSpec,
    interrupts: Interrupts,
    *,
    quiet: bool,
) -> ScanDone:
    from voltomo.profiles.session import open_session

    with open_session(folder, beamline, interrupts=interrupts) as session:
        for uid in session.closed:
            say(f"the run {run_name(uid)} of a session that died was closed as failed")
        done = perform(session, with_this_lens(session, spec), quiet=quiet)
        keep_live_result(session, done, _STOPPED_S if interrupts.taken else _LIVE_S)
    return done


def with_this_lens(session: Session, spec: ScanSpec) -> ScanSpec:
    """The same scan with the pixel size of the lens that is in."""
    from voltomo.profiles.as_it_stands import as_it_stands

    now = as_it_stands(session.file, session.beamline)
    if now is session.file:
        return spec
    changed = {"pixel_um": now.pixel_um, "axis_column": now.axis_column}
    return spec.model_copy(update={"geometry": spec.geometry.model_copy(update=changed)})


def perform(session: Session, spec: ScanSpec, *, quiet: bool = True) -> ScanDone:
    """Run one scan of any kind; errors of it end up in the result, not as exceptions.

    Raises
    ------
    Refused
        The scan was refused before a run was opened.
    """
    from bluesky.utils import RunEngineInterrupted

    from voltomo.plans.scan import scan

    started: list[str] = []
    stopped: list[dict[str, Any]] = []
    terminal = sys.stdout

    def note(name: str, doc: dict[str, Any]) -> None:
        if name == "start":
            started.append(doc["uid"])
            text = f"scan {run_name(doc['uid'])} of {spec.sample!r}: {spec.triggers} triggers"
            say(text, file=terminal)
        elif name == "stop":
            stopped.append(doc)

    token = session.RE.subscribe(note)
    # The engine declares its hook as None.
    engine: Any = session.RE
    if not quiet and terminal.isatty():
        engine.waiting_hook = _bars(terminal)
    error = ""
    try:
        with contextlib.redirect_stdout(ToLog("bluesky")):
            session.RE(scan(session.beamline, spec, verdicts=session.live))
    except RunEngineInterrupted:
        error = ended_by(session)
    except Exception as failed:  # noqa: BLE001
        # Whatever ended the scan is shown to the person; the session's log has the rest.
        error = sentence_of(failed)
    finally:
        session.RE.unsubscribe(token)
        engine.waiting_hook = None
    if not started:
        raise Refused(error or "the scan did not begin")
    return ScanDone(started[0], stopped[0]["exit_status"] if stopped else "fail", error)


def _bars(terminal: TextIO) -> Callable[[Any], None]:
    """Progress bars of moves, on the terminal whatever becomes of what libraries print."""
    from bluesky.utils import ProgressBarManager, TerminalProgressBar

    class Bar(TerminalProgressBar):
        def __init__(self, moves: Any) -> None:
            with contextlib.redirect_stdout(terminal):
                super().__init__(moves)

    return ProgressBarManager(Bar)


def ended_by(session: Session) -> str:
    """End a scan that a signal has paused; what is left to say to the person."""
    by = f"stopped by {session.interrupts.by}"
    left = ""
    if str(session.RE.state) == "paused":
        try:
            with contextlib.redirect_stdout(ToLog("bluesky")):
                session.RE.abort(f"{by}; {session.beam()}; what was recorded is kept")
        except Exception as failed:  # noqa: BLE001
            left = f"; {sentence_of(failed)}"
    kept = "what was recorded is kept, 'voltomo scan' starts the next one"
    return f"the scan was {by}; {session.beam()}{left}; {kept}"


def sentence_of(failed: BaseException) -> str:
    """The innermost cause of a failed status, which names device, expected and seen."""
    from bluesky.utils import FailedStatus

    from voltomo.plans.words import root_of

    if isinstance(failed, SentenceError):
        return str(failed)
    cause = root_of(failed) if isinstance(failed, FailedStatus) else failed
    if isinstance(cause, SentenceError):
        return str(cause)
    log.error("the scan failed by a mistake of the program", exc_info=failed)
    return f"{type(cause).__name__}: {cause}; services/session.log of the run folder has the rest"


def keep_live_result(session: Session, done: ScanDone, patience_s: float = _LIVE_S) -> None:
    """Wait until the live slice is complete, and keep it with its verdicts beside the exports."""
    import numpy as np

    from voltomo.live.observer import SliceObserver

    live = session.live
    deadline = time.monotonic() + patience_s
    with SliceObserver(session.folder.addresses()) as observer:
        known = len(session.interrupts.taken)
        while (state := live.state_of(done.uid)) not in ("Done", "No slice"):
            if time.monotonic() > deadline or len(session.interrupts.taken) > known:
                say("the live slice was not waited for longer; the files hold all frames")
                return
            time.sleep(0.1)
        # The last measures of the slice come a moment behind it.
        deadline = min(deadline, time.monotonic() + _MEASURES_S)
        while live.measuring(done.uid) and time.monotonic() < deadline:
            time.sleep(0.05)
        verdicts = {name: v.model_dump() for name, v in live.verdicts(done.uid).items()}
        latest = None
        if state == "Done":
            latest = observer.wait_for(done.uid, 0, _SLICE_S, complete=True)
    reason = live.no_slice(done.uid)
    if reason:
        say(f"there is no live slice: {reason}")
    base = session.folder.exports / run_name(done.uid)
    result = {"uid": done.uid, "verdicts": verdicts, "reason": reason, **live.progress()}
    write_json(base.with_suffix(".live.json"), json.loads(json.dumps(result, default=float)))
    if latest is not None:
        np.savez(
            base.with_suffix(".slice.npz"),
            image=latest.image,
            row=latest.row,
            frames=latest.frames,
            last_trigger=latest.last_trigger,
        )
