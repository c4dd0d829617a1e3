"""Options that many commands share. Nothing heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Beamline = Annotated[
    str, typer.Option("--beamline", "-b", help="Name of a shipped beamline, or its file.")
]
Folder = Annotated[
    Path | None,
    typer.Option("--run-folder", help="Run folder; else $VOLTOMO_RUN_FOLDER, else .voltomo here."),
]
