"""Words for the person at the terminal, who may have left."""

from __future__ import annotations

import contextlib
from typing import TextIO

import typer


def say(text: str, *, err: bool = False, file: TextIO | None = None) -> None:
    """Show a line; a terminal that was closed, or a reader that has gone, changes nothing else."""
    with contextlib.suppress(OSError, ValueError):
        typer.echo(text, err=err, file=file)
