"""``voltomo status``: which services run, and where."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import typer

from voltomo.cli.errors import Refused
from voltomo.cli.processes import identity_in
from voltomo.records.catalogue_state import lag_sentence
from voltomo.runtime.locks import holder
from voltomo.runtime.run_folder import RunFolder


def run_status(run_folder: Path | None) -> None:
    """One line a service; exit code 1 if any does not run."""
    folder = RunFolder.locate(run_folder)
    paths = sorted(folder.services.glob("*.json"))
    if not paths:
        typer.echo(f"nothing was started in {folder.root}; start it with 'voltomo up'")
        raise typer.Exit(1)
    dead = 0
    for path in paths:
        state: dict[str, Any] = json.loads(path.read_text())
        process = identity_in(path)
        alive = process is not None and process.alive
        dead += not alive
        pid = f"pid {state['pid']}" if alive else state.get("why", "")
        port = "no port" if state["port"] is None else f"port {state['port']}"
        place = f"{port}  restarts {state['restarts']}"
        typer.echo(f"{state['name']:<9} {_word(state['state'], alive):<12} {place}  {pid}")
    if (behind := lag_sentence(folder)) is not None:
        typer.echo(behind)
    watched = holder(folder.supervisor_lock) is not None
    typer.echo(f"supervisor {'runs' if watched else 'does not run'}")
    if watched:
        typer.echo(f"page http://127.0.0.1:{folder.addresses().page}/")
        typer.echo('caget, caput and others find it after: eval "$(voltomo status --env)"')
    if dead:
        raise typer.Exit(1)


def _word(state: str, alive: bool) -> str:
    """A service's state; one that has failed is not started again, one that has ended may be."""
    return state if alive or state == "failed" else "not running"


def show_environment(run_folder: Path | None) -> None:
    """Lines for a shell that let EPICS tools find this run, and what it reaches, and no other.

    Raises
    ------
    Refused
        Nothing runs there.
    """
    folder = RunFolder.locate(run_folder)
    addresses = folder.addresses()
    if holder(folder.supervisor_lock) is None:
        raise Refused(f"the services of {folder.root} have ended; start them with 'voltomo up'")
    environment = addresses.client_environment()
    for name in ("EPICS_CA_NAME_SERVERS", "EPICS_PVA_NAME_SERVERS"):
        if name not in environment:
            typer.echo(f"unset {name}")
    for name, value in environment.items():
        typer.echo(f"export {name}={shlex.quote(value)}")
