"""``voltomo shell``: IPython with RE, devices and plans on a beamline that is up."""

from __future__ import annotations

import contextlib
from pathlib import Path

import typer

from voltomo.cli.errors import Refused
from voltomo.cli.up import make_supervisor
from voltomo.profiles.beamline_file import load_beamline, running_beamline
from voltomo.runtime.locks import FileLock, Held
from voltomo.runtime.run_folder import RunFolder

_BANNER = """voltomo: RE, beamline, spec(...), tomography, bp, bps.
  RE(tomography(beamline, spec(projections=200), md=metadata))
The page shows it live: http://127.0.0.1:{page}/
"""


def _is_up(folder: RunFolder) -> bool:
    if not folder.root.exists():
        return False
    try:
        FileLock(folder.supervisor_lock, "looking").acquire().release()
    except Held:
        return True
    return False


def run_shell(beamline: str, run_folder: Path | None) -> None:
    """Open a session and hand it to IPython; a virtual beamline is started and ended with it."""
    folder = RunFolder.locate(run_folder)
    with contextlib.ExitStack() as stack:
        if not _is_up(folder):
            file = load_beamline(beamline)
            if not file.virtual:
                raise Refused(
                    f"the services of {beamline!r} do not run in {folder.root}; start them with "
                    f"'voltomo up --beamline {beamline}'"
                )
            typer.echo("starting the virtual beamline")
            stack.enter_context(make_supervisor(folder, file))
        _interact(folder)


def _interact(folder: RunFolder) -> None:
    import IPython
    from traitlets.config import Config

    from voltomo.profiles.session import open_session
    from voltomo.profiles.startup import namespace

    with open_session(folder, running_beamline(folder)) as session:
        config = Config()
        config.TerminalInteractiveShell.banner1 = ""
        config.TerminalInteractiveShell.banner2 = _BANNER.format(page=folder.addresses().page)
        IPython.start_ipython(argv=[], user_ns=namespace(session), config=config)
