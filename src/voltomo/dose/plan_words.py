"""A plan in words: tables and sentences for the terminal and the page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from voltomo.dose.plan_file import PlanFile
from voltomo.dose.planner import ScanPlan, Sight
from voltomo.dose.proposal import Proposal
from voltomo.dose.trade_offs import EnergyChoice

__all__ = [
    "aligned",
    "gray",
    "layer_heads",
    "layer_rows",
    "proposal_sentences",
    "summary_sentences",
]

layer_heads = ("layer", "in", "mean dose", "hottest", "rate")


def gray(value: float, unit: str = "Gy") -> str:
    """A dose or a rate to three figures with a decimal prefix."""
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m")):
        if abs(value) >= factor * 0.9995 and math.isfinite(value):
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"


def layer_rows(found: ScanPlan) -> Iterator[tuple[str, str, str, str, str]]:
    """Dose by layer and constituent: names, interval of the mean, hottest point, highest rate.

    Layers that come several times are shown once, where they get most.
    """
    rows: dict[tuple[str, str], tuple[float, tuple[str, str, str, str, str]]] = {}
    for part in found.parts:
        layer, material = part.rate.layer.name, part.rate.material.name
        lower, upper = gray(part.mean_lower_Gy), gray(part.mean_upper_Gy)
        mean = upper if lower == upper else f"{lower} … {upper}"
        row = (
            layer,
            "" if material == layer else material,
            mean,
            gray(part.hottest_Gy),
            gray(part.highest_Gy_s, "Gy/s"),
        )
        key = (layer, material)
        if key not in rows or part.hottest_Gy > rows[key][0]:
            rows[key] = (part.hottest_Gy, row)
    return (row for _, row in rows.values())


def summary_sentences(plan: PlanFile, found: ScanPlan) -> Iterator[str]:
    """Time, waste, temperature, picture and budget."""
    opened = found.open
    wasted = ", ".join(
        f"{cause} {100 * seconds / opened.total_s:.2g} %"
        for cause, seconds in opened.by_cause.items()
        if cause != "frames" and seconds > 0
    )
    yield (
        f"The beam is on the cell for {opened.total_s:.4g} s a scan; "
        f"{100 * opened.wasted_part:.2g} % of the dose gives no projection ({wasted})."
    )
    heat = found.beam.heat
    power = f"The cell takes up to {1e3 * heat.power_W:.3g} mW out of the beam"
    if found.rise_K is None:
        yield power + "."
    else:
        start = "" if heat.adiabatic_K_s is None else f", {heat.adiabatic_K_s:.2g} K/s at first"
        yield f"{power} and warms by {found.rise_K:.2g} K at most{start}."
    yield sight_sentence(plan, found.sight, found.limiting)
    if found.scans_fit is None:
        yield f"Policy '{plan.policy.name}' sets no limit of dose for what is in the cell."
    else:
        taken = plan.taken_Gy.get(found.limiting, 0.0)
        limit = next(e for e in plan.policy.limits if e.material_class == found.limiting)
        kept = plan.policy.keep_for_scans
        beside = f", and {kept} beside for the end of the series" if kept else ""
        yield (
            f"{found.scans_fit} such scans fit{beside}: {found.limiting} gets "
            f"{gray(found.asked.dose_Gy[found.limiting])} from each, has received {gray(taken)} "
            f"of {gray(limit.dose_Gy or 0.0)} (policy '{plan.policy.name}', {limit.source})."
        )


def sight_sentence(plan: PlanFile, seen: Sight, limiting: str) -> str:
    """What will be seen, or that it will not, and what it would take."""
    noise = f"noise {seen.noise_per_cm:.3g} /cm in a voxel of {plan.scan.geometry.pixel_um:g} µm"
    if plan.feature is None or seen.snr is None or seen.contrast_per_cm is None:
        return f"{seen.photons:.3g} photons a pixel and frame: {noise}."
    what = f"{plan.feature.material} against {plan.feature.against}"
    text = f"{what}: contrast {seen.contrast_per_cm:.3g} /cm, {noise}, signal to noise "
    text += f"{seen.snr:.3g} of {plan.feature.snr:g}"
    if seen.detectable:
        return f"{text}: detectable."
    if not seen.needed_Gy or not math.isfinite(seen.needed_Gy):
        return f"{text}: not detectable at any dose, there is no contrast or no light."
    return (
        f"{text}: not detectable at this dose. It would take {gray(seen.needed_Gy)} of {limiting} "
        f"a scan, or voxels of {seen.needed_voxel_um:.2g} µm."
    )


def proposal_sentences(plan: PlanFile, found: Proposal | str) -> Iterator[str]:
    """What fits the budget in so many time points, in words that a scan file takes."""
    points = plan.budget.time_points
    series = "For one scan" if points == 1 else f"For {points} time points"
    if isinstance(found, str):
        yield f"{series} nothing can be proposed: {found}."
        return
    plates = [plan.beam.attenuators[number - 1] for number in found.in_beam]
    with_ = ", ".join(f"{each.material} {each.thickness_um:g} µm" for each in plates)
    spec = found.spec
    sweeps = "" if spec.sweeps == 1 else f", {spec.sweeps} sweeps"
    yield (
        f"{series}: attenuator {with_ or 'out'}; {spec.geometry.projections} projections of "
        f"{1e3 * spec.exposure_s:.4g} ms every {1e3 * spec.period_s:.4g} ms{sweeps}, "
        f"{found.scan_s:.3g} s a scan."
    )
    name = found.limiting
    if name:
        yield (
            f"It gives {name} {gray(found.asked.dose_Gy[name])} a scan at up to "
            f"{gray(found.asked.rate_Gy_s[name], 'Gy/s')}."
        )
    else:
        yield "The camera ends it, not the budget: its frames are full, or as long as it can."
    yield sight_sentence(plan, found.sight, name or "the cell")
    yield from found.remarks


def energy_sentence(plan: PlanFile, choice: EnergyChoice) -> str:
    """Which energy gives the best contrast per gray, and what it gains."""
    best = choice.best_keV
    if best is None:
        return "At no energy from 8 to 90 keV can it be seen: too little comes through the cell."
    least = float(choice.dose_Gy.min())
    at = int(abs(choice.energy_keV - plan.spectrum.mean_keV).argmin())
    here = float(choice.dose_Gy[at])
    text = f"The best contrast per gray is had at {best:g} keV"
    if not math.isfinite(here):
        return f"{text}; at {choice.energy_keV[at]:g} keV too little comes through the cell."
    if here <= 1.05 * least:
        return f"{text}: that is about where the beam is."
    return f"{text}: {here / least:.2g} times less dose than at {choice.energy_keV[at]:g} keV."


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 2) -> str:
    """A table as plain text: the first columns to the left, numbers to the right."""
    lines = [heads, *rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]

    def one(line: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if at < left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    return "\n".join(one(line) for line in lines)
