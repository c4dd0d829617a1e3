"""A self-contained page of numbers, pictures and tables, in the style of the reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

Mood = Literal["success", "fail"]


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes
    ----------
    heading : str
        Above it.
    texts : sequence of str
        Paragraphs.
    picture : str
        Inline SVG; trusted, all else is escaped.
    caption : str
        Below the picture.
    heads, rows : sequences
        A table: names of its columns, and its lines.
    numbers : sequence of bool
        Which columns hold numbers; all but the first if not given.
    """

    heading: str
    texts: Sequence[str] = ()
    picture: str = ""
    caption: str = ""
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    numbers: Sequence[bool] = ()


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes
    ----------
    title, what : str
        Of whom, and what.
    badge : str
        A word on how it stands; empty for none.
    mood : {"success", "fail"}
        Colour of the badge.
    notes : sequence of str
        What is to be read first.
    cards : sequence of (str, str, str)
        Value, unit and name of the numbers that are read first.
    sections : sequence of Section
        The rest.
    """

    title: str
    what: str
    badge: str = ""
    mood: Mood = "success"
    notes: Sequence[str] = ()
    cards: Sequence[tuple[str, str, str]] = ()
    sections: Sequence[Section] = ()


def write_page(page: Page, path: Path) -> Path:
    """Write a page; it opens from disk, prints, and lasts."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    sections = [
        {
            **vars(section),
            "picture": Markup(section.picture),
            "numbers": section.numbers or [at > 0 for at in range(len(section.heads))],
        }
        for section in page.sections
    ]
    text = environment.get_template("page.html").render(
        page={**vars(page), "sections": sections}, version=version("voltomo")
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return path
