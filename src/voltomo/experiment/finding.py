"""Something that a check says about a place in the file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """A sentence about a place.

    Attributes
    ----------
    place : tuple of str or int
        Keys and positions in lists.
    what : str
        The sentence.
    refuses : bool
        Whether the experiment cannot be run so; else it is something to know.
    """

    place: tuple[str | int, ...]
    what: str
    refuses: bool = True
