"""Drawings as inline SVG: readable on paper, on light and on dark screens."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#123456"
"""Stands for the page's own text colour in every drawing."""
SERIES, LOST, SECOND = "#3a86c8", "#d1495b", "#e09f3e"


def new_figure(name: str, rows: int, height: float, columns: int = 1) -> tuple[Figure, Any]:
    """A figure of some rows of axes, as wide as a page.

    Parameters
    ----------
    name : str
        Of its own on the page.
    rows, columns : int
        Of axes.
    height : float
        Of the figure; its width is 9.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(_style(name)):
        figure = Figure(figsize=(9, height), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharex="col")
    return figure, axes


def _style(name: str) -> Any:
    ink: dict[str, Any] = dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    )
    return ink | {
        "svg.fonttype": "none", "svg.hashsalt": name, "font.family": "sans-serif",
        "font.size": 10, "axes.spines.top": False, "axes.spines.right": False,
        "axes.grid": True, "axes.axisbelow": True, "grid.color": INK, "grid.alpha": 0.12,
        "axes.facecolor": "none", "figure.facecolor": "none", "savefig.facecolor": "none",
    }  # fmt: skip


def to_svg(figure: Figure, name: str, title: str) -> str:
    """Inline SVG without metadata, its ids its own, its ink the page's."""
    import matplotlib as mpl

    buffer = io.StringIO()
    with mpl.rc_context(_style(name)):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font: (\d+)px [^;\"]*", r"font: \1px system-ui, sans-serif", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
