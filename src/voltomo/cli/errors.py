"""How a command ends: errors that a person can act on are one sentence, without a traceback.

Exit codes: 0, all is well; 1, a scan had begun and failed or was stopped (the beam is off, what
was recorded is exported), or a service does not run; 2, refused before anything was done, and
before any beam.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from voltomo.cli.say import say
from voltomo.model.sentence import SentenceError


class Refused(SentenceError):
    """A command cannot be carried out; the message says why and what to do."""


@contextmanager
def sentences() -> Iterator[None]:
    """Show expected errors as sentences on stderr and end with code 2."""
    try:
        yield
    except SentenceError as error:
        say(str(error), err=True)
        raise SystemExit(2) from error
    except OSError as error:
        say(_of_the_system(error), err=True)
        raise SystemExit(2) from error


def _of_the_system(error: OSError) -> str:
    """What the operating system refused; our own are sentences already."""
    if error.errno is None or error.filename is None:
        return str(error)
    return (
        f"{error.filename} cannot be used: {error.strerror}; look at its owner, its permissions "
        "and the room on its disk, or name another place"
    )
