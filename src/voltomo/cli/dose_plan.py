"""``voltomo dose plan``: what a scan will cost and show, before the first photon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import typer

from voltomo.cli.errors import Refused
from voltomo.dose.plan_file import PlanFile, load_plan
from voltomo.dose.plan_words import (
    aligned,
    energy_sentence,
    gray,
    layer_heads,
    layer_rows,
    proposal_sentences,
    summary_sentences,
)
from voltomo.dose.planner import ScanPlan, plan_scan
from voltomo.dose.proposal import Proposal, propose
from voltomo.dose.trade_offs import EnergyChoice, contrast_by_energy, trade_off
from voltomo.records.page import Page, Section, write_page


def run_dose_plan(file: Path, output: Path | None) -> None:
    """Print the plan, write its page, and end with a refusal where the series does not fit."""
    plan = load_plan(file)
    found = plan_scan(plan)
    offer = propose(plan)
    choice = contrast_by_energy(plan)
    for text in _heading(plan):
        typer.echo(text)
    typer.echo("\n" + aligned(layer_heads, list(layer_rows(found))) + "\n")
    for text in (*summary_sentences(plan, found), *found.remarks):
        typer.echo(text)
    typer.echo("")
    for text in proposal_sentences(plan, offer):
        typer.echo(text)
    if isinstance(offer, Proposal):
        typer.echo(_scan_words(offer))
    if choice is not None:
        typer.echo(energy_sentence(plan, choice))
    path = output or file.with_suffix(".html")
    typer.echo(f"\nwritten: {write_page(_page(plan, found, offer, choice), path)}")
    if found.refusal:
        raise Refused(f"this does not fit: {found.refusal}")


def _heading(plan: PlanFile) -> Iterator[str]:
    spec, geometry, spectrum = plan.scan, plan.scan.geometry, plan.spectrum
    tilt = f", axis tilted by {geometry.tilt_deg:g}°" if geometry.tilt_deg else ""
    yield (
        f"{spec.sample}: {geometry.projections} projections of {1e3 * spec.exposure_s:g} ms over "
        f"{geometry.range_deg:.4g}°{tilt}, pixels of {geometry.pixel_um:g} µm"
    )
    kind = "keV" if spectrum.energy_keV.size == 1 else "keV on average"
    yield (
        f"{plan.cell.shape}, {plan.cell.size_mm:g} mm; {spectrum.mean_keV:.4g} {kind}, "
        f"{spectrum.total_per_cm2_s:.3g} photons/(cm² s) on {plan.beam.width_mm:g} × "
        f"{plan.beam.height_mm:g} mm"
    )


def _scan_words(offer: Proposal) -> str:
    """What to write into a scan file."""
    spec = offer.spec
    words = {
        "projections": f"{spec.geometry.projections}",
        "range_deg": f"{spec.geometry.range_deg:g}",
        "exposure_s": f"{spec.exposure_s:.6g}",
        "period_s": f"{spec.period_s:.6g}",
        "sweeps": f"{spec.sweeps}",
    }
    return "".join(f"\n  {key}: {value}" for key, value in words.items()).removeprefix("\n")


def _page(
    plan: PlanFile, found: ScanPlan, offer: Proposal | str, choice: EnergyChoice | None
) -> Page:
    seen, opened = found.sight, found.open
    name = found.limiting
    cards = [(*gray(found.asked.dose_Gy[name]).split(" ", 1), f"{name} a scan, hottest point")]
    cards.append((f"{100 * opened.wasted_part:.2g}", "%", "of the dose gives no projection"))
    if found.rise_K is not None:
        cards.append((f"{found.rise_K:.2g}", "K", "warmer, at most"))
    if seen.snr is not None:
        cards.append((f"{seen.snr:.3g}", "", f"signal to noise, wanted {seen.wanted_snr:g}"))
    if found.scans_fit is not None:
        cards.append((f"{found.scans_fit}", "", "such scans fit"))
    refused = (f"This does not fit: {found.refusal}.",) if found.refusal else ()
    return Page(
        plan.scan.sample,
        "plan of a scan",
        "does not fit" if found.refusal else "fits",
        "fail" if found.refusal else "success",
        (*refused, *found.remarks),
        [(value, unit, what) for value, unit, what in cards],
        list(_sections(plan, found, offer, choice)),
    )


def _sections(
    plan: PlanFile, found: ScanPlan, offer: Proposal | str, choice: EnergyChoice | None
) -> Iterator[Section]:
    from voltomo.records.dose_charts import energy_chart, trade_off_chart

    yield Section("The scan", [*_heading(plan), *summary_sentences(plan, found)])
    yield Section(
        "Dose by layer",
        ["Mean over the layer as an interval (fluorescence and photo-electrons gone, or kept); at "
         "the hottest point its upper end, at the peak of the beam's profile."],
        heads=layer_heads, rows=list(layer_rows(found)), numbers=(False, False, True, True, True),
    )  # fmt: skip
    words = list(proposal_sentences(plan, offer))
    if isinstance(offer, Proposal):
        words.append("In the scan file: " + ", ".join(_scan_words(offer).split("\n  "))[2:] + ".")
    yield Section("What fits the budget", words)
    line = trade_off(plan, found.beam)
    if line is not None:
        labels = ("contrast", "a third of it", "three times as much")
        lines = {
            f"{label} ({contrast:.3g} /cm)": dose
            for label, contrast, dose in zip(
                labels, line.contrasts_per_cm, line.dose_Gy, strict=True
            )
        }
        here = (plan.scan.geometry.pixel_um, found.asked.dose_Gy[line.limiting])
        yield Section(
            "Voxel, contrast and dose",
            picture=trade_off_chart(line.voxel_um, lines, line.allowed_Gy, here, line.limiting),
            caption="Below a line the contrast drowns in noise; above the red one the series does "
            "not fit. Dose goes as one over voxel to the fourth and contrast squared.",
        )
    if choice is not None:
        yield Section(
            "Photon energy",
            [energy_sentence(plan, choice)],
            energy_chart(choice.energy_keV, choice.dose_Gy, plan.spectrum.mean_keV),
            "Dose of the class nearest to its limit at which the feature is seen. The detector is "
            "taken to be alike at all energies.",
        )
