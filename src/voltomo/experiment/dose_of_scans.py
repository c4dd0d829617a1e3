"""What the scans of an experiment give the sample in all, against policy and the file's bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from voltomo.dose.plan_file import PlanFile
from voltomo.dose.plan_words import gray
from voltomo.dose.planner import ScanPlan, plan_scan
from voltomo.experiment.finding import Finding
from voltomo.experiment.scan_entry import ScanEntry
from voltomo.model.scan_spec import ScanSpec


@dataclass(frozen=True)
class TotalDose:
    """Dose of all scans in the class of material that comes nearest to its limit.

    Attributes
    ----------
    material_class : str
        Which.
    dose_Gy, taken_Gy : float
        Of all scans, upper end at the hottest point; and what it has received before.
    limit_Gy : float
        What it may receive.
    source : str
        The policy, and where its limit comes from.
    """

    material_class: str
    dose_Gy: float
    taken_Gy: float
    limit_Gy: float
    source: str


def dose_plan(plan: PlanFile, scan: ScanEntry, spec: ScanSpec) -> ScanPlan:
    """The planner's view of one scan of the experiment."""
    cell = plan.cell
    if scan.mounting is not None:
        cell = cell.model_copy(update={"mounting": scan.mounting})
    return plan_scan(plan.model_copy(update={"scan": spec, "cell": cell}))


def total_dose(
    plan: PlanFile,
    plans: Mapping[int, ScanPlan],
    times: Mapping[int, int],
    bounds_Gy: Mapping[str, float],
) -> tuple[TotalDose | None, list[Finding]]:
    """Sum of all scans, and sentences on what is too much.

    Parameters
    ----------
    plan : PlanFile
        Policy and dose that was received before.
    plans : mapping
        The planner's view by number of the scan.
    times : mapping
        How often each is taken, marks counted.
    bounds_Gy : mapping
        The experiment's own bounds by class of material.

    Returns
    -------
    total : TotalDose or None
        Of the class that comes nearest to its limit; None where the policy limits none of them.
    findings : list of Finding
        Limits and bounds that are not kept.
    """
    dose: dict[str, float] = {}
    largest: dict[str, float] = {}
    for number, found in plans.items():
        for name, one_Gy in found.asked.dose_Gy.items():
            dose[name] = dose.get(name, 0.0) + times[number] * one_Gy
            largest[name] = max(largest.get(name, 0.0), one_Gy)
    findings = list(_above_bounds(dose, bounds_Gy))
    policy, taken_Gy = plan.policy, plan.taken_Gy
    limited = [each for each in policy.limits if each.material_class in dose and each.dose_Gy]
    if not limited:
        known = ", ".join(each.material_class for each in policy.limits)
        what = f"policy '{policy.name}' limits no dose of what is in the cell; it knows {known}"
        return None, [*findings, Finding(("plan_file",), what)]
    totals: dict[float, TotalDose] = {}
    for each in limited:
        name, limit_Gy = each.material_class, each.dose_Gy or 0.0
        source = f"policy '{policy.name}', {each.source}"
        total = TotalDose(name, dose[name], taken_Gy.get(name, 0.0), limit_Gy, source)
        kept_Gy = policy.keep_for_scans * largest[name]
        part = (total.taken_Gy + total.dose_Gy + kept_Gy) / limit_Gy
        totals[part] = total
        if part > 1 + 1e-12:
            findings.append(Finding(("plan_file",), _too_much(total, kept_Gy)))
    return totals[max(totals)], findings


def _above_bounds(dose: Mapping[str, float], bounds_Gy: Mapping[str, float]) -> Iterator[Finding]:
    for name, bound in bounds_Gy.items():
        place = ("bounds", "dose_Gy", name)
        if name not in dose:
            there = ", ".join(sorted(dose))
            yield Finding(
                place, f"nothing of the class '{name}' is in the beam; there are: {there}"
            )
        elif dose[name] > bound:
            yield Finding(
                place,
                f"all scans give {name} {gray(dose[name])}, above the experiment's bound of "
                f"{gray(bound)}",
            )


def _too_much(total: TotalDose, kept_Gy: float) -> str:
    reserve = f", {gray(kept_Gy)} are kept for a last scan" if kept_Gy else ""
    room = max(total.limit_Gy - total.taken_Gy - kept_Gy, 0.0)
    fits = f": {100 * room / total.dose_Gy:.3g} % of it would fit" if total.dose_Gy else ""
    return (
        f"all scans give {total.material_class} {gray(total.dose_Gy)}; it has received "
        f"{gray(total.taken_Gy)} of {gray(total.limit_Gy)} ({total.source}){reserve}{fits}; take "
        "fewer scans, expose shorter, or attenuate the beam"
    )


def rate_findings(plan: PlanFile, plans: Mapping[int, ScanPlan]) -> Iterator[Finding]:
    """Scans whose dose rate alone is too high for the policy."""
    policy = plan.policy
    for number, found in plans.items():
        for limit in policy.limits:
            rate = found.asked.rate_Gy_s.get(limit.material_class, 0.0)
            if limit.rate_Gy_s is not None and rate > limit.rate_Gy_s:
                yield Finding(
                    ("scans", number, "scan_file"),
                    f"gives {limit.material_class} {gray(rate, 'Gy/s')}, and policy "
                    f"'{policy.name}' allows {gray(limit.rate_Gy_s, 'Gy/s')}; attenuate the "
                    "beam and expose longer",
                )


def quality_findings(
    scans: Sequence[ScanEntry], specs: Mapping[int, ScanSpec], plans: Mapping[int, ScanPlan]
) -> Iterator[Finding]:
    """Targets of quality that the scan cannot reach."""
    for number, scan in enumerate(scans):
        spec = specs.get(number)
        if spec is not None and scan.resolution_um is not None:
            finest_um = 2 * spec.geometry.pixel_um
            if scan.resolution_um < finest_um:
                yield Finding(
                    ("scans", number, "resolution_um"),
                    f"{scan.resolution_um:g} µm cannot be resolved by pixels of "
                    f"{spec.geometry.pixel_um:g} µm; {finest_um:g} µm is the least",
                )
        if scan.snr is None or number not in plans:
            continue
        seen = plans[number].sight.snr
        place = ("scans", number, "snr")
        if seen is None:
            yield Finding(place, "the plan file names no feature, so nothing is known of its noise")
        elif seen < scan.snr:
            yield Finding(
                place,
                f"the plan file's feature would be seen at {seen:.3g}, and {scan.snr:g} is wanted; "
                "it takes more dose or larger voxels",
            )
