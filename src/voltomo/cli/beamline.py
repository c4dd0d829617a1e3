"""``voltomo beamline check``: which devices of a beamline answer, one line each."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from voltomo.cli.errors import Refused
from voltomo.profiles.beamline_file import BeamlineFile, load_beamline, running_beamline
from voltomo.runtime.addresses import Addresses
from voltomo.runtime.locks import holder
from voltomo.runtime.run_folder import RunFolder


def run_check(file: Path | None, run_folder: Path | None, timeout_s: float) -> None:
    """Print the table; exit code 1 where a device that must be there does not answer.

    Parameters
    ----------
    file : Path or None
        A beamline file; that of the services that are up if not given.
    run_folder : Path or None
        Where these run.
    timeout_s : float
        For all devices together.

    Raises
    ------
    Refused
        Nothing runs whose beamline could be looked at.
    FileRefused
        The file has mistakes; all are listed.
    """
    folder = RunFolder.locate(run_folder)
    beamline = running_beamline(folder) if file is None else load_beamline(str(file))
    up = holder(folder.supervisor_lock) is not None
    if beamline.virtual and not up:
        raise Refused(
            f"the file is in order; the virtual beamline does not run in {folder.root}, so that "
            "none of its devices can answer; start it with 'voltomo up'"
        )
    if file is not None and not (up and running_beamline(folder) == beamline):
        _reach(beamline, folder, up=up)
        _show(beamline, timeout_s, guarded=False)
        return
    os.environ.update(folder.addresses().client_environment())
    _show(beamline, timeout_s, guarded=True)


def _reach(beamline: BeamlineFile, folder: RunFolder, *, up: bool) -> None:
    """Look where the file says; a virtual beamline answers where it runs."""
    if beamline.virtual and up:
        os.environ.update(folder.addresses().client_environment())
        return
    found = Addresses(prefix=beamline.prefix, facility=beamline.epics, pvs=beamline.pvs)
    os.environ.update(found.client_environment())


def _show(beamline: BeamlineFile, timeout_s: float, *, guarded: bool) -> None:
    # Not before the environment is set, which libca reads once.
    from voltomo.devices.beamline import BeamlinePlan, make_devices
    from voltomo.devices.connection_table import table_lines, wait_for

    plan = BeamlinePlan(beamline.prefix, beamline.names, beamline.all_devices)
    states = wait_for(make_devices(plan, guarded=guarded).values(), timeout_s)
    for line in table_lines(states):
        typer.echo(line)
    missing = [one.name for one in states if one.state == "required, absent"]
    answering = sum(one.pvs - len(one.absent) for one in states)
    typer.echo(f"{answering} of {sum(one.pvs for one in states)} PVs answer")
    if missing:
        typer.echo(
            f"{beamline.name}: {', '.join(missing)} must answer and did not within {timeout_s:g} "
            "s; look at these IOCs, and at 'epics', 'pvs' and 'devices' in the beamline file",
            err=True,
        )
        raise typer.Exit(1)
