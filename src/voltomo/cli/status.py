"""``voltomo status``: which services run, and where."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from voltomo.cli.processes import identity_in
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
        state = json.loads(path.read_text())
        process = identity_in(path)
        alive = process is not None and process.alive
        dead += not alive
        what = state["state"] if alive else "not running"
        pid = f"pid {state['pid']}" if alive else ""
        place = f"port {state['port']}  restarts {state['restarts']}"
        typer.echo(f"{state['name']:<9} {what:<12} {place}  {pid}")
    supervisor = identity_in(folder.root / "supervisor.json")
    watched = supervisor is not None and supervisor.alive
    typer.echo(f"supervisor {'runs' if watched else 'does not run'}")
    if watched:
        addresses = folder.addresses()
        typer.echo(f"page http://127.0.0.1:{addresses.page}/")
        listed = addresses.client_environment()["EPICS_CA_ADDR_LIST"]
        typer.echo("for caget and caput:")
        typer.echo(f"export EPICS_CA_AUTO_ADDR_LIST=NO EPICS_CA_ADDR_LIST='{listed}'")
    if dead:
        raise typer.Exit(1)
