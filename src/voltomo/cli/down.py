"""``voltomo down``: end what is left of a run, whatever became of its supervisor."""

from __future__ import annotations

from pathlib import Path

import typer

from voltomo.cli.leftovers import end_leftovers
from voltomo.cli.processes import end, identity_in
from voltomo.runtime.locks import holder
from voltomo.runtime.run_folder import RunFolder

_SUPERVISOR_S = 40.0
"""It ends its services one by one, the beam first; killed in between it would leave some."""


def run_down(run_folder: Path | None) -> None:
    """End the supervisor, then any service that outlived it; say what was ended."""
    folder = RunFolder.locate(run_folder)
    ended: list[str] = []
    supervisor = identity_in(folder.root / "supervisor.json")
    if supervisor is not None and supervisor.alive:
        end(supervisor, _SUPERVISOR_S)
        ended.append("supervisor")
    ended += end_leftovers(folder)
    if holder(folder.supervisor_lock) is None:
        # One that was killed has left them; others may listen there before long.
        folder.forget_services()
    typer.echo(f"ended: {', '.join(ended)}" if ended else f"nothing runs in {folder.root}")
