"""Errors that a person can act on end a command with one sentence and exit code 2."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from voltomo.cli.supervisor import StartFailed
from voltomo.dose.lease import LeaseLost, LeaseRefused
from voltomo.profiles.yaml_file import FileRefused
from voltomo.runtime.append_log import LogDamaged, LogInUse
from voltomo.runtime.locks import Held
from voltomo.runtime.ports import NoPorts


class Refused(Exception):
    """A command cannot be carried out; the message says why and what to do."""


_FOR_PERSONS = (
    Refused,
    FileRefused,
    StartFailed,
    Held,
    NoPorts,
    LogInUse,
    LogDamaged,
    LeaseRefused,
    LeaseLost,
    FileNotFoundError,
)


@contextmanager
def sentences() -> Iterator[None]:
    """Show expected errors as sentences on stderr and end with code 2."""
    try:
        yield
    except _FOR_PERSONS as error:
        typer.echo(str(error), err=True)
        raise SystemExit(2) from error
