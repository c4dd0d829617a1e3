"""One self-contained page for one or more scans: what a user takes home.

No script and no address outside the file: it opens from disk, prints, and lasts.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.model.names import run_name
from voltomo.model.rotation_range import wedge_sentence
from voltomo.model.scan_spec import ScanSpec
from voltomo.model.sweep_parts import blind_wedge_deg
from voltomo.records.figures import (
    dose_chart,
    grey_range,
    residual_chart,
    slice_picture,
    transmission_chart,
)
from voltomo.records.limits import doubts, limits_of
from voltomo.records.nxtomo_rows import MissingTriggers, missing_triggers
from voltomo.records.scan import Scan
from voltomo.records.scan_record import ScanRecord
from voltomo.records.transmission import transmission

_PACKAGES = ("voltomo", "bluesky", "ophyd", "h5py", "numpy", "numba")
_UNITS = re.compile(r"(\d) (s|ms|keV|mA|µm|UTC|darks|flats|before|after|pixels)\b")
_SHOWN_AT_MOST = 200
"""Rows of the table of the missing; the exported file has all of them."""

OUTCOMES = {
    "success": "complete",
    "abort": "stopped by hand",
    "fail": "failed",
    "open": "not closed",
}


@dataclass(frozen=True)
class Enclosure:
    """What a report shows of a scan beyond its record.

    Attributes
    ----------
    slice_image : array, shape (rows, columns), or None
        A reconstructed slice.
    slice_caption : str
        Which one, and how it was made; without a full stop.
    nxtomo : Path or None
        The exported file.
    facts : mapping
        Further lines of the table of facts, name to text.
    verdicts : sequence of (str, str, str)
        What the live path said: metric, value, judgement.
    """

    slice_image: NDArray[Any] | None = None
    slice_caption: str = ""
    nxtomo: Path | None = None
    facts: Mapping[str, str] = field(default_factory=dict[str, str])
    verdicts: Sequence[tuple[str, str, str]] = ()


def write_report(
    scans: Scan | Sequence[Scan],
    path: Path,
    enclosures: Mapping[str, Enclosure] | None = None,
) -> Path:
    """Write ``report.html``.

    Parameters
    ----------
    scans : Scan or sequence of Scan
        Whole, partial or replayed; see `voltomo.records.scan.read_scan`.
    path : Path
        The page; replaced in one step.
    enclosures : mapping, optional
        Slice picture and exported file by the scan's uid.
    """
    import jinja2

    chosen = [scans] if isinstance(scans, Scan) else list(scans)
    enclosures = enclosures or {}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("report.html").render(
        scans=[
            _section(number, scan, enclosures.get(scan.record.uid, Enclosure()), path.parent)
            for number, scan in enumerate(chosen)
        ],
        versions=_versions(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(page, encoding="utf-8")
    part.replace(path)
    return path


def _section(number: int, scan: Scan, enclosed: Enclosure, folder: Path) -> dict[str, Any]:
    """Everything that the template shows of one scan; charts are trusted, the rest is escaped."""
    from markupsafe import Markup

    record, spec = scan.record, scan.record.spec
    lost = missing_triggers(scan)
    seen = transmission(scan)
    charts: dict[str, Markup] = {}
    if seen.mean.size:
        charts["transmission"] = Markup(transmission_chart(f"t{number}", seen))
    if scan.table.index.size:
        charts["residuals"] = Markup(residual_chart(f"r{number}", scan))
    if scan.dose.dose_Gy > 0:
        charts["dose"] = Markup(dose_chart(f"d{number}", scan.dose))
    pixel_um = None if "pixel size" in _assumed(record) else spec.geometry.pixel_um
    if enclosed.slice_image is not None:
        charts["slice"] = Markup(slice_picture(enclosed.slice_image, pixel_um))
    nxtomo = enclosed.nxtomo
    return {
        "number": number,
        "uid": record.uid,
        "sample": spec.sample,
        "source": record.source,
        "plan": record.start.get("plan_name", "tomography"),
        "outcome": record.outcome,
        "outcome_word": OUTCOMES.get(record.outcome, record.outcome),
        "reason": record.reason,
        "problems": (*scan.problems, *doubts(record)),
        "cards": _cards(scan),
        "facts": _facts(scan) | dict(enclosed.facts),
        "caption": _caption(enclosed, pixel_um),
        "verdicts": enclosed.verdicts,
        "charts": charts,
        "angles": _angle_words(scan),
        "missing": list(_missing_lines(lost, record.source))[:_SHOWN_AT_MOST],
        "missing_count": lost.trigger_index.size,
        "left_out": any(decision.ends for decision in record.decisions),
        "not_fired": spec.triggers - scan.table.index.size,
        "invalid": int(scan.invalid_handles.size),
        "dose": scan.dose,
        "wasted_Gy": scan.dose.dose_Gy * (scan.dose.wasted_fraction or 0.0),
        "charges": record.charges,
        "replay": record.start.get("replay"),
        "nxtomo": None if nxtomo is None else nxtomo.name,
        "nxtomo_beside": nxtomo is not None and nxtomo.parent.resolve() == folder.resolve(),
    }


def _limit_words(record: ScanRecord) -> Iterator[tuple[str, str]]:
    limits = limits_of(record)
    if limits is not None:
        yield "Material", limits.material
        value, unit = quantity(limits.dose_limit_Gy, "Gy")
        yield (
            "Limits",
            f"{value} {unit} and {limits.beam_limit_s:g} s of beam ({limits.dose_limit_source})",
        )


def _assumed(record: ScanRecord) -> tuple[str, ...]:
    """What a replayed recording did not say and somebody had to assume."""
    replayed: dict[str, Any] = dict(record.start.get("replay") or {})
    return tuple(map(str, replayed.get("assumed", ())))


def _caption(enclosed: Enclosure, pixel_um: float | None) -> str:
    """What the slice is, and what its grey stands for."""
    if enclosed.slice_image is None:
        return ""
    # Attenuation per pixel becomes attenuation per centimetre where the pixel's size is known.
    factor, unit = (1e4 / pixel_um, "cm⁻¹") if pixel_um else (1.0, "per pixel")
    low, high = (f"{factor * value:.3g}".replace("-", "−") for value in grey_range(
        enclosed.slice_image))  # fmt: skip
    what = f"{enclosed.slice_caption}. " if enclosed.slice_caption else ""
    return f"{what}Grey: attenuation from {low} to {high}\N{NO-BREAK SPACE}{unit}."


def _cards(scan: Scan) -> list[tuple[str, str, str]]:
    """The numbers that are read first: value, unit and name."""
    rows = scan.scan_rows
    cards = [
        (f"{int(rows.valid.sum())}", f"of {rows.index.size}", "triggers with a valid frame"),
        (f"{rows.missing.size}", "", "without a valid frame"),
    ]
    wasted = scan.dose.wasted_fraction
    if scan.dose.bound_Gy > 0 and wasted is not None:
        value, unit = quantity(scan.dose.bound_Gy, "Gy")
        cards.append((value, unit, "dose, upper bound"))
        cards.append((f"{100 * wasted:.1f}", "%", "of the dose wasted: no projection from it"))
    else:
        replayed = scan.record.source == "replay"
        why = "frames were played back" if replayed else scan.dose.stamp or "the beam was shut"
        cards.append(("no dose", "", why))
    return cards


def quantity(value: float, unit: str) -> tuple[str, str]:
    """A value to three figures with a decimal prefix."""
    for factor, prefix in ((1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}", prefix + unit
    return f"{value:.3g}", unit


def _facts(scan: Scan) -> dict[str, str]:
    """What was asked for and what it was done with; no line breaks between value and unit."""
    return {name: _UNITS.sub("\\1\N{NO-BREAK SPACE}\\2", text) for name, text in _said(scan)}


def _said(scan: Scan) -> Iterator[tuple[str, str]]:
    record, spec, geometry = scan.record, scan.record.spec, scan.record.spec.geometry
    beamline: dict[str, Any] = dict(record.start.get("beamline") or {})
    assumed = _assumed(record)
    start_s = float(record.start["time"])
    when = datetime.fromtimestamp(start_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    took = "" if record.stop is None else f", {float(record.stop['time']) - start_s:.0f} s"
    energy = record.start.get("energy_keV")
    known = "not recorded" if energy is None else f"{float(energy):g} keV"
    tilt = f", axis tilted by {geometry.tilt_deg:g}°" if geometry.tilt_deg else ""
    name, source = beamline.get("name", "unknown"), beamline.get("source_name", "unknown")
    size = f"{geometry.columns} × {geometry.rows} pixels"
    known_size = f"{size} of {geometry.pixel_um:g} µm"
    yield "Started", when + took
    yield "Beamline", f"{name} ({source})"
    if beamline.get("software_guard_only"):
        yield "Guard", "software guard only: the shutter does not close by itself when it hangs"
    yield "Energy", f"not recorded, {known} assumed" if "energy" in assumed else known
    spectrum: dict[str, Any] = dict(record.start.get("spectrum") or {})
    if spectrum:
        mean, width = (f"{float(spectrum[key]):.4g} keV" for key in ("mean_keV", "width_keV"))
        yield "Spectrum", f"{spectrum['kind']}, {mean} on average, {width} wide"
    yield (
        "Angles",
        f"{geometry.projections} over {geometry.range_deg:.4g}°, {geometry.step_deg:.4g}° "
        f"apart{tilt}",
    )
    yield from _kind_words(scan)
    pace = f"every {1e3 * spec.period_s:g} ms"
    if record.source == "replay":
        yield "Played", f"one frame {pace}"
    else:
        yield "Exposure", f"{1e3 * spec.exposure_s:g} ms {pace}"
    yield "Darks and flats", _flat_words(scan)
    yield "Frames", f"{size}, of a size not recorded" if "pixel size" in assumed else known_size
    if record.source != "replay":
        yield "Beam open", f"{scan.dose.open_s:.2f} s"
        yield from _limit_words(record)
    yield "Run", record.uid


def _kind_words(scan: Scan) -> Iterator[tuple[str, str]]:
    """What distinguishes the scan from one sweep of a tomography, and what was taken again."""
    spec = scan.record.spec
    if spec.plan_name != "tomography":
        yield "Kind", spec.plan_name.replace("_", " ")
    if spec.sweeps > 1 or spec.turns > 1:
        words = [f"{spec.sweeps}, {spec.order}"]
        words += [f"{spec.turns} turns each"] if spec.turns > 1 else []
        words += [f"interlaced ({spec.interlace})"] if spec.interlace != "none" else []
        words += [f"every {spec.every_s:g} s"] if spec.every_s else []
        yield "Sweeps", ", ".join(words)
    yield from _target_words(scan)
    if spec.blind_sectors:
        yield "Blind sectors", _blind_words(spec)
    if spec.row_delay_us:
        read_out = f"{1e3 * spec.read_out_s:.3g} ms from the first row to the last"
        yield "Shutter of the camera", f"rolling, {read_out}; angles are the middle row's"
    if len(spec.places) > 1:
        yield "Places", f"{len(spec.places)}"
    cut = [take.block for take in scan.record.takes if take.outcome == "interrupted"]
    if cut:
        yield "Taken again", f"{', '.join(cut)}: the engine was paused or suspended"


def _target_words(scan: Scan) -> Iterator[tuple[str, str]]:
    """What the scan was to reach, whether it did, and what that has saved."""
    target, decisions = scan.record.spec.stop_when, scan.record.decisions
    if target is None:
        return
    last = decisions[-1] if decisions else None
    if last is None or not last.ends:
        said = "" if last is None else f"; the last look said {last.verdict}"
        yield "Target", f"{target.words}: not known to be reached before the last sweep{said}"
        return
    yield (
        "Target",
        f"{target.words}: reached after {last.sweeps} of {last.sweeps_asked} sweeps, "
        f"{last.verdict}",
    )
    saved = f"{100 * last.saved_fraction:.0f} % of the projections"
    # Each projection of a scan costs the same: what was left out would have cost as much.
    spared_Gy = scan.dose.by_cause.get("frames", 0.0) * (
        last.projections_asked / last.projections - 1
    )
    if spared_Gy > 0:
        saved += ", " + " ".join(quantity(spared_Gy, "Gy"))
    yield "Dose saved", saved


def _blind_words(spec: ScanSpec) -> str:
    listed = ", ".join(f"{first:g} to {last:g}°" for first, last in spec.blind_sectors)
    wedge = wedge_sentence(blind_wedge_deg(spec)).replace(" deg", "°")
    return f"{listed}, the beam off there; {wedge or 'nothing is missing'}"


def _flat_words(scan: Scan) -> str:
    spec = scan.record.spec
    if spec.stored_flats is not None:
        return f"{spec.darks} darks, stored flats of run {run_name(spec.stored_flats)}"
    between = f", {spec.flats_before} every {spec.flats_every} sweeps" if spec.flats_every else ""
    return (
        f"{spec.darks} darks, {spec.flats_before} flats before, {spec.flats_after} after{between}"
    )


def _angle_words(scan: Scan) -> str:
    """RMS of encoder against grid and of frame times, in a sentence."""
    table, latches = scan.table, scan.record.latches
    off: list[float] = []
    for number, block in enumerate(scan.record.blocks):
        asked = block.asked_deg
        if asked is not None:
            inside = table.block == number
            grid = asked[table.index[inside] - block.first]
            off += (latches.angle_deg[inside] - grid).tolist()
    late = table.residual_s[table.valid]
    if not off or not late.size:
        return ""
    rms = float(np.sqrt(np.mean(np.square(off))))
    step = scan.record.spec.geometry.step_deg
    part = f", {100 * rms / step:.2g} % of a step" if step else ""
    return (
        f"The encoder was off the grid by {1e3 * rms:.2g} mdeg RMS{part}; frames came within "
        f"{1e3 * float(np.abs(late).max()):.2g} ms of their trigger's edge. The file holds the "
        "encoder's angles at mid-exposure, not the grid."
    )


def _missing_lines(lost: MissingTriggers, source: str) -> list[tuple[int, str, str, str, str]]:
    replayed = source == "replay"
    words = {
        "missed_by_camera": "the recording has no frame here"
        if replayed
        else "the camera did not see the trigger",
        "lost_after_numbering": "lost behind the camera",
        "missing": "no frame, cause unknown",
        "ambiguous": "two frames for one trigger: both invalid",
        "unlit": "the beam was off, or going off",
    }
    lines: list[tuple[int, str, str, str, str]] = []
    for at, outcome in enumerate(lost.outcome):
        dose = float(lost.dose_Gy[at])
        cost = " ".join(quantity(dose, "Gy")) if dose > 0 else "–"
        index, angle = int(lost.trigger_index[at]), f"{lost.angle_deg[at]:.3f}°"
        lines.append((index, lost.block[at], angle, words.get(outcome, outcome), cost))
    return lines


def _versions() -> dict[str, str]:
    """Versions of what made the data and the page."""
    found = {"python": sys.version.split()[0]}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
