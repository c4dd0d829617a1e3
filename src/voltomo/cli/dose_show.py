"""``voltomo dose show``: what a sample has received, as text and as a page with pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import typer

from voltomo.cli.errors import Refused
from voltomo.cli.settings import check_settings
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.map_planes import planes_of
from voltomo.dose.plan_words import aligned, gray
from voltomo.dose.sample_dose import ClassDose, Opener, SampleDose, SampleDoseProjection
from voltomo.profiles.beamline_file import load_beamline, running_beamline
from voltomo.records.page import Page, Section, write_page
from voltomo.runtime.log_reader import LogReader
from voltomo.runtime.run_folder import RunFolder

_CLASS_HEADS = ("class", "hottest point, at most", "estimate", "mean where lit", "95 of 100 below",
                "limit")  # fmt: skip
_OPENER_HEADS = ("who opened the beam", "first", "times", "beam / s", "at most", "estimate")
_EVERYWHERE = (
    "It is not known where in the sample {what} went: that counts everywhere. Say the beam's size "
    "in the beamline file (guard: beam_width_mm, beam_height_mm)."
)


def run_dose_show(
    sample: str,
    run_folder: Path | None,
    beamline: str | None,
    ledger: Path | None,
    output: Path | None,
) -> None:
    """Print a sample's doses and write its page.

    Raises
    ------
    Refused
        Nobody knows such a sample.
    """
    settings, log = _where(run_folder, beamline, ledger)
    found = SampleDoseProjection(settings, sample).fold(LogReader(log).entries())
    if found.sample is None and not found.openers:
        known = ", ".join(f"'{each.name}'" for each in settings.samples) or "none"
        raise Refused(f"nobody knows a sample '{sample}', and {log} has none (known: {known})")
    for text in _lines(sample, found):
        typer.echo(text)
    path = output or Path(f"{sample.replace(' ', '-')}-dose.html")
    typer.echo(f"\nwritten: {write_page(dose_page(sample, found), path)}")


def _where(
    run_folder: Path | None, beamline: str | None, ledger: Path | None
) -> tuple[GuardSettings, Path]:
    """Samples and limits, and the exposure log: of a run folder, or of a beamline's ledger."""
    folder = RunFolder.locate(run_folder)
    file = running_beamline(folder) if beamline is None else load_beamline(beamline)
    log = folder.exposure_log
    place = ledger or (file.ledger if beamline is not None else None)
    if place is not None:
        log = place / "exposure.log"
    if not log.exists():
        raise Refused(f"there is no exposure log {log}; give --run-folder or --ledger")
    return GuardSettings.model_validate(check_settings(file)["guard"]), log


def _lines(sample: str, found: SampleDose) -> Iterator[str]:
    yield from _summary(sample, found)
    yield "\n" + aligned(_CLASS_HEADS, [_class_row(each) for each in found.classes])
    if found.openers:
        yield "\n" + aligned(_OPENER_HEADS, [_opener_row(each) for each in found.openers])
    yield from _remarks(found)


def _summary(sample: str, found: SampleDose) -> Iterator[str]:
    account = found.account
    yield (
        f"{sample}: {gray(account.dose_Gy)} at most, {gray(account.dose_central_Gy)} by the best "
        f"estimate, in {account.open_s:.4g} s of beam and {account.openings} stretches"
    )
    own = found.sample
    if own is not None:
        used = 100 * account.dose_Gy / own.dose_limit_Gy
        yield (
            f"{used:.3g} % of its limit of {gray(own.dose_limit_Gy)} ({own.dose_limit_source}), "
            f"and {100 * account.open_s / own.beam_limit_s:.3g} % of {own.beam_limit_s:g} s"
        )
    if account.free_s > 0:
        yield f"{account.free_s:.4g} s more were open beside it, or over a replay"


def _class_row(each: ClassDose) -> list[str]:
    limit = "–" if each.limit_Gy is None else f"{gray(each.limit_Gy)} ({each.source})"
    mean, most = each.metrics.dose_mean_exposed_Gy, each.metrics.dose_p95_Gy
    return [each.name, *map(gray, (each.bound_Gy, each.estimate_Gy, mean, most)), limit]


def _opener_row(each: Opener) -> list[str]:
    first = "not known"
    if not math.isnan(each.first_utc_s):
        first = datetime.fromtimestamp(each.first_utc_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return [each.who, first, f"{each.openings}", f"{each.open_s:.3f}", gray(each.bound_Gy),
            gray(each.estimate_Gy)]  # fmt: skip


def _remarks(found: SampleDose) -> Iterator[str]:
    if found.made.unplaced:
        all_ = "all of the beam" if not found.placed else "some of the beam"
        yield "\n" + _EVERYWHERE.format(what=all_)
    if found.sample is None:
        yield "\nThis sample is in no beamline file any more: doses are of the worst material known"


def dose_page(sample: str, found: SampleDose) -> Page:
    """The page of a sample's doses."""
    account = found.account
    cards = [(*gray(account.dose_Gy).split(" ", 1), "received, upper bound")]
    cards.append((f"{account.open_s:.4g}", "s", "of beam"))
    own = found.sample
    passed = own is not None and account.dose_Gy >= own.dose_limit_Gy
    if own is not None:
        cards.append((f"{100 * account.dose_Gy / own.dose_limit_Gy:.3g}", "%", "of its limit"))
    return Page(
        sample,
        "dose of a sample",
        "limit reached" if passed else "within its limits",
        "fail" if passed else "success",
        [text.strip() for text in _remarks(found)],
        [(value, unit, what) for value, unit, what in cards],
        list(_sections(sample, found)),
    )


def _sections(sample: str, found: SampleDose) -> Iterator[Section]:
    from voltomo.records.dose_charts import curve_chart, map_chart

    yield Section(
        "By class of material",
        [*_summary(sample, found)],
        heads=_CLASS_HEADS,
        rows=[_class_row(each) for each in found.classes],
        numbers=(False, True, True, True, True, False),
    )
    first = found.classes[0]
    hours, bound, central = _curve(found)
    if hours.size:
        yield Section(
            f"Over time, {first.name}",
            picture=curve_chart(hours, bound, central, first.limit_Gy),
            caption="Where the beam was on all the time: each step is a stretch of open beam, "
            "whoever opened it.",
        )
    planes = planes_of(found.made, first.name)
    if planes:
        at = ", ".join(f"{plane.across}{plane.up} at {plane.at_mm:.3g} mm" for plane in planes)
        yield Section(
            f"In the sample, {first.name}",
            picture=map_chart([(p.across, p.up, p.dose_Gy, p.extent_mm) for p in planes]),
            caption=f"Planes through the hottest place ({at}); z lies along the rotation axis, x "
            "across the beam at an angle of 0.",
        )
    yield Section(
        "Who opened the beam",
        ["Doses of the sample's own material."],
        heads=_OPENER_HEADS,
        rows=[_opener_row(each) for each in found.openers],
        numbers=(False, False, True, True, True, True),
    )


def _curve(found: SampleDose) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hours since the first stretch, and sums; a stretch without a time follows the one before."""
    rows = np.array(found.made.opened, dtype=np.float64).reshape(-1, 3)
    if not rows.size or np.isnan(rows[:, 0]).all():
        return np.empty(0), np.empty(0), np.empty(0)
    times = np.maximum.accumulate(np.where(np.isnan(rows[:, 0]), -np.inf, rows[:, 0]))
    times = np.where(np.isfinite(times), times, np.nanmin(rows[:, 0]))
    hours = np.concatenate([[0.0], (times - times[0]) / 3600])
    sums = np.concatenate([np.zeros((1, 2)), np.cumsum(rows[:, 1:], axis=0)])
    return hours, sums[:, 0], sums[:, 1]
