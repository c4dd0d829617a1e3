"""Everything that is not a log or a file of frames is a projection of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from voltomo.runtime.append_log import Entry

Artefact = TypeVar("Artefact", covariant=True)


class Projection(Protocol[Artefact]):
    """Folds the entries of a log into an artefact: a table, a file, a page.

    Folding the same entries again gives the same artefact (idempotent by run uid), so that
    ``voltomo rebuild`` may throw every artefact away and make it anew.
    """

    @property
    def name(self) -> str:
        """What it makes; the word of ``voltomo rebuild``."""
        ...

    def fold(self, log: Iterable[Entry]) -> Artefact:
        """Make the artefact from the log, from its first entry on."""
        ...
