"""``voltomo shell``: IPython with RE, devices and plans on a beamline that is up."""

from __future__ import annotations

import contextlib
import signal
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voltomo.cli.errors import Refused
from voltomo.cli.logs import session_log
from voltomo.cli.say import say
from voltomo.cli.up import make_supervisor
from voltomo.model.names import run_name
from voltomo.profiles.beamline_file import load_beamline, running_beamline
from voltomo.profiles.interrupts import ALL, Interrupts
from voltomo.runtime.locks import holder
from voltomo.runtime.run_folder import RunFolder

if TYPE_CHECKING:
    from voltomo.profiles.session import Session

_BANNER = """\
voltomo {version}: beamline {name!r} in {folder}; page http://127.0.0.1:{page}/
  RE(tomography(beamline, spec(projections=200)))   one scan; its uid comes back
  RE(align(spec(projections=200)))   what to set before it; mode="apply" moves stages
  spec(projections=…, exposure_s=…, period_s=…, sweeps=…, sample=…)   as in a scan file
  RE(with_beam(bp.count([camera], 3), sample=…, exposure_s=…))   a stock plan with beam
  samples: {samples}
  devices: rotation, sample_stage, camera, trigger, beam_monitor, energy, shutter, live
  bp, bps: bluesky's plans and stubs
Ctrl-C pauses a plan at once, the beam off; then RE.resume() or RE.abort('why'). exit ends {what}.
"""


def run_shell(beamline: str | None, run_folder: Path | None) -> None:
    """Open a session and hand it to IPython; a virtual beamline is started and ended with it.

    Parameters
    ----------
    beamline : str or None
        Name or file of the beamline that is meant; None takes what is up, else the virtual one.
    run_folder : Path or None
        Where it is up, or started.
    """
    folder = RunFolder.locate(run_folder)
    interrupts = Interrupts(*ALL)
    with interrupts.watching():
        try:
            with contextlib.ExitStack() as stack:
                ours = holder(folder.supervisor_lock) is None
                if ours:
                    _start(stack, folder, beamline or "virtual")
                elif beamline is not None:
                    _demand_same(folder, beamline)
                stack.enter_context(session_log(folder))
                _interact(folder, interrupts, ours=ours)
        except KeyboardInterrupt:
            raise Refused(
                f"stopped by {interrupts.by} before the shell was ready; what had been started "
                "has ended"
            ) from None


def _demand_same(folder: RunFolder, beamline: str) -> None:
    running = running_beamline(folder)
    if load_beamline(beamline) != running:
        raise Refused(
            f"{running.name!r} is up in {folder.root}, and not {beamline!r} as it is written now; "
            "nothing was opened; leave --beamline out to work on what is up, or end it with "
            "'voltomo down' first"
        )


def _start(stack: contextlib.ExitStack, folder: RunFolder, beamline: str) -> None:
    file = load_beamline(beamline)
    if not file.virtual:
        raise Refused(
            f"the services of {beamline!r} do not run in {folder.root}; start them with "
            f"'voltomo up --beamline {beamline}'"
        )
    supervisor = make_supervisor(folder, file)
    say("starting the virtual beamline")
    stack.enter_context(supervisor)


def _interact(folder: RunFolder, interrupts: Interrupts, *, ours: bool) -> None:
    from IPython.terminal.ipapp import TerminalIPythonApp
    from traitlets.config import Config

    from voltomo.cli.shell_errors import show_as_sentences
    from voltomo.profiles.session import open_session
    from voltomo.profiles.startup import namespace

    with open_session(folder, running_beamline(folder), interrupts=interrupts) as session:
        config = Config()
        config.TerminalInteractiveShell.banner1 = ""
        config.TerminalInteractiveShell.banner2 = banner(session, ours=ours)
        app: Any = TerminalIPythonApp.instance(config=config, user_ns=namespace(session))
        app.initialize([])
        show_as_sentences(app.shell, session)
        session.RE.subscribe(_Announcer(folder))
        interrupts.idle = _Leaving(app.shell)
        try:
            with contextlib.suppress(SystemExit):
                app.start()
        finally:
            interrupts.idle = interrupts.ignore
            # It would do so at Python's own end: history is written, temporary files go.
            app.shell.atexit_operations()


def banner(session: Session, *, ours: bool) -> str:
    """What a person needs to know at the first prompt."""
    return _BANNER.format(
        version=version("voltomo"),
        name=session.file.name,
        folder=session.folder.root,
        page=session.folder.addresses().page,
        samples=", ".join(repr(str(sample.name)) for sample in session.file.samples),
        what="the session and the virtual beamline" if ours else "the session, the beamline stays",
    )


class _Announcer:
    """Says when a scan begins and ends, and how its files are made."""

    def __init__(self, folder: RunFolder) -> None:
        self._where = "" if folder == RunFolder.locate() else f" --run-folder {folder.root}"

    def __call__(self, name: str, doc: dict[str, Any]) -> None:
        if name == "start" and "scan_spec" in doc:
            say(f"scan {run_name(doc['uid'])} of {doc['sample']!r}: {doc['num_points']} triggers")
        elif name == "event" and "align_sentence" in doc["data"]:
            say(f"  {doc['data']['align_sentence']}")
        elif name == "stop":
            uid = run_name(doc["run_start"])
            files = f"its files: voltomo export {uid}{self._where}"
            say(f"run {uid}: {doc['exit_status']}; {files}")


class _Leaving:
    """Ends IPython in order on a signal, wherever it is.

    Parameters
    ----------
    shell : InteractiveShell
        Of IPython.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._in_a_cell = False
        shell.events.register("pre_execute", self._enter)
        shell.events.register("post_execute", self._exit)

    def _enter(self) -> None:
        self._in_a_cell = True

    def _exit(self) -> None:
        self._in_a_cell = False

    def __call__(self, number: signal.Signals) -> None:
        """Ctrl-C is Python's own; any other signal ends the shell."""
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        shell = self._shell
        shell.confirm_exit = False
        shell.ask_exit()
        if self._in_a_cell:
            # The loop that reads cells ends with this one.
            raise KeyboardInterrupt
        prompt = shell.pt_app.app if shell.pt_app is not None else None
        if prompt is None or not prompt.is_running:
            # A plain prompt, without a terminal that must be put in order.
            raise SystemExit
        prompt.loop.call_soon_threadsafe(lambda: prompt.exit(exception=EOFError))
