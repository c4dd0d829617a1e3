"""The page of an alignment: a sentence and a number for each quantity, and two pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voltomo.model.alignment import Alignment, Quantity, Radiographs
from voltomo.model.names import run_name
from voltomo.profiles.alignment import RecordedEstimators
from voltomo.records.figures import png_uri
from voltomo.records.page import Page, Section, write_page
from voltomo.runtime.run_folder import RunFolder


def write_align_page(folder: RunFolder, found: Alignment) -> Path:
    """Write ``<run>.align.html`` into the exports.

    Parameters
    ----------
    folder : RunFolder
        With the runs of the alignment.
    found : Alignment
        What is shown.
    """
    known = [q for q in found.quantities if q.value is not None]
    lost = [q for q in found.quantities if q.value is None]
    cards = [
        (f"{len(known)}", f"of {len(found.quantities)}", "quantities determined"),
        (f"{found.radiographs}", "", "radiographs of the sample"),
        (f"{found.dose_Gy:.3g}", "Gy", "dose, upper bound"),
    ]
    if found.scan_dose_Gy:
        part = f"{100 * found.dose_Gy / found.scan_dose_Gy:.0f}"
        cards.append((part, "%", "of the dose of the scan's sweeps"))
    sections = [
        Section(
            "What was found",
            texts=[quantity.sentence for quantity in found.quantities],
            heads=("Quantity", "Value", "Deviation", "Unit", "Moved for it"),
            rows=[_row(quantity) for quantity in found.quantities],
            numbers=(False, True, True, False, False),
        )
    ]
    picture = _pictures(folder, found)
    if picture:
        sections.append(
            Section(
                "By eye",
                picture=picture,
                caption=(
                    "Left: a radiograph of the reference with the axis that was found. Right: the "
                    "same less its mirrored opposite; even grey is a match, a relief is an axis "
                    "that is off."
                ),
            )
        )
    page = Page(
        title=f"Alignment {run_name(found.uid)}" if found.kind == "align"
        else f"Recentring {run_name(found.uid)}",
        what=f"sample {found.sample}, mode {found.mode}, exposure {1e3 * found.exposure_s:.4g} ms",
        badge="complete" if not lost else f"{len(lost)} not determined",
        mood="success" if not lost else "fail",
        cards=cards,
        sections=sections,
    )  # fmt: skip
    return write_page(page, folder.exports / f"{run_name(found.uid)}.align.html")


def _row(quantity: Quantity) -> tuple[str, ...]:
    value = "–" if quantity.value is None else f"{quantity.value:.4g}"
    sigma = "–" if quantity.sigma is None else f"{quantity.sigma:.2g}"
    return quantity.name, value, sigma, quantity.unit, "yes" if quantity.applied else "no"


def _pictures(folder: RunFolder, found: Alignment) -> str:
    """Radiograph with its axis, and difference to the mirrored opposite, as inline SVG."""
    if found.reference is None:
        return ""
    try:
        seen = RecordedEstimators(folder).radiographs(found.reference)
    except ValueError:
        # The numbers stand without pictures.
        return ""
    if not len(seen.integrals):
        return ""
    axis, roll = _value(found, "axis"), _value(found, "roll") or 0.0
    rows, columns = (int(size) for size in seen.integrals.shape[1:])
    left = _grey(seen.integrals[0])
    parts = [_image(left, 0, columns, rows)]
    width = columns
    if axis is not None:
        lean = np.tan(np.radians(roll)) * (rows - 1) / 2
        parts.append(
            f'<line x1="{axis + 0.5 - lean:.2f}" y1="0" x2="{axis + 0.5 + lean:.2f}" y2="{rows}" '
            f'stroke="#e09f3e" stroke-width="{columns / 200:.2f}"/>'
        )
        difference = _difference(seen, axis)
        if difference is not None:
            reach = 0.1 * float(np.quantile(seen.integrals[0], 0.99)) or 1.0
            grey = np.clip((difference + reach) / (2 * reach) * 255, 0, 255).astype(np.uint8)
            parts.append(_image(grey, columns + 8, columns, rows))
            width = 2 * columns + 8
    return (
        f'<svg role="img" aria-label="Radiograph with its axis" viewBox="0 0 {width} {rows}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _value(found: Alignment, name: str) -> float | None:
    return next((q.value for q in found.quantities if q.name == name), None)


def _grey(view: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = (float(v) for v in np.percentile(view, (0.5, 99.5)))
    span = high - low if high > low else 1.0
    return np.clip((view - low) / span * 255, 0, 255).astype(np.uint8)


def _image(grey: NDArray[np.uint8], x: float, width: int, height: int) -> str:
    return f'<image href="{png_uri(grey)}" x="{x}" width="{width}" height="{height}"/>'


def _difference(seen: Radiographs, axis: float) -> NDArray[np.float32] | None:
    """First radiograph less its mirrored opposite; None where none is opposite."""
    off = np.abs(np.mod(seen.angles_deg - seen.angles_deg[0], 360.0) - 180.0)
    opposite = int(np.argmin(off))
    if off[opposite] > 1.0:
        return None
    first, other = seen.integrals[0], seen.integrals[opposite]
    columns = int(first.shape[1])
    at = 2 * axis - np.arange(columns)
    place = np.clip(at, 0, columns - 1)
    below = np.minimum(place.astype(np.int64), columns - 2)
    share = (place - below).astype(np.float32)
    mirrored = other[:, below] * (1 - share) + other[:, below + 1] * share
    return np.where((at >= 0) & (at <= columns - 1), first - mirrored, 0).astype(np.float32)
