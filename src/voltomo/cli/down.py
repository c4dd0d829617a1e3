"""``voltomo down``: end what is left of a run, whatever became of its supervisor."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from voltomo.cli.processes import ProcessIdentity, end
from voltomo.cli.services import stop_order
from voltomo.runtime.run_folder import RunFolder

_SUPERVISOR_S = 20.0
_SERVICE_S = 4.0


def identity_in(path: Path) -> ProcessIdentity | None:
    """Process that a state file names, None where it names none."""
    if not path.exists():
        return None
    state = json.loads(path.read_text())
    return ProcessIdentity.model_validate(state) if state.get("pid") else None


def run_down(run_folder: Path | None) -> None:
    """End the supervisor, then any service that outlived it; say what was ended."""
    folder = RunFolder.locate(run_folder)
    ended: list[str] = []
    supervisor = identity_in(folder.root / "supervisor.json")
    if supervisor is not None and supervisor.alive:
        end(supervisor, _SUPERVISOR_S)
        ended.append("supervisor")
    names = [path.stem for path in sorted(folder.services.glob("*.json"))]
    for name in stop_order(names):
        process = identity_in(folder.services / f"{name}.json")
        if process is not None and process.alive:
            end(process, _SERVICE_S)
            ended.append(name)
    typer.echo(f"ended: {', '.join(ended)}" if ended else f"nothing runs in {folder.root}")
