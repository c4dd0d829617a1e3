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
        Which; empty where nothing limits it.
    dose_Gy, taken_Gy : float
        Of all scans, upper end at the hottest point; and what it has received before.
    limit_Gy : float or None
        What it may receive.
    """

    material_class: str
    dose_Gy: float
    taken_Gy: float
    limit_Gy: float | None


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
) -> tuple[TotalDose, list[Finding]]:
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
    """
    dose: dict[str, float] = {}
    for number, found in plans.items():
        for name, one_Gy in found.asked.dose_Gy.items():
            dose[name] = dose.get(name, 0.0) + times[number] * one_Gy
    findings: list[Finding] = []
    nearest = TotalDose(max(dose, key=lambda n: dose[n], default=""), 0.0, 0.0, None)
    if nearest.material_class:
        nearest = TotalDose(nearest.material_class, dose[nearest.material_class], 0.0, None)
    part = -1.0
    for limit in plan.policy.limits:
        name = limit.material_class
        if limit.dose_Gy is None or dose.get(name, 0.0) <= 0:
            continue
        taken = plan.taken_Gy.get(name, 0.0)
        kept = plan.policy.keep_for_scans * max(
            p.asked.dose_Gy.get(name, 0.0) for p in plans.values()
        )
        whole = taken + dose[name] + kept
        if whole / limit.dose_Gy > part:
            part = whole / limit.dose_Gy
            nearest = TotalDose(name, dose[name], taken, limit.dose_Gy)
        if whole > limit.dose_Gy * (1 + 1e-12):
            findings.append(
                Finding(
                    ("plan_file",), _too_much(plan, name, dose[name], taken, kept, limit.dose_Gy)
                )
            )
    for name, bound in bounds_Gy.items():
        if name not in dose:
            findings.append(
                Finding(
                    ("bounds", "dose_Gy", name),
                    f"nothing of the class '{name}' is in the "
                    f"beam; there are: {', '.join(sorted(dose))}",
                )
            )
        elif dose[name] > bound:
            findings.append(
                Finding(
                    ("bounds", "dose_Gy", name),
                    f"all scans give {name} {gray(dose[name])}, "
                    f"above the experiment's bound of {gray(bound)}",
                )
            )
    return nearest, findings


def _too_much(
    plan: PlanFile, name: str, dose: float, taken: float, kept: float, limit: float
) -> str:
    reserve = f" and {gray(kept)} are kept for its end" if kept else ""
    room = max(limit - taken - kept, 0.0)
    return (
        f"all scans give {name} {gray(dose)}; it has received {gray(taken)}{reserve}, and policy "
        f"'{plan.policy.name}' allows {gray(limit)}: {100 * room / dose:.3g} % of it would fit; "
        "take fewer scans, expose shorter, or attenuate the beam"
    )


def rate_findings(plan: PlanFile, plans: Mapping[int, ScanPlan]) -> Iterator[Finding]:
    """Scans whose dose rate alone is too high for the policy."""
    for number, found in plans.items():
        for limit in plan.policy.limits:
            rate = found.asked.rate_Gy_s.get(limit.material_class, 0.0)
            if limit.rate_Gy_s is not None and rate > limit.rate_Gy_s:
                yield Finding(
                    ("scans", number, "scan_file"),
                    f"gives {limit.material_class} {gray(rate, 'Gy/s')}, and policy "
                    f"'{plan.policy.name}' allows {gray(limit.rate_Gy_s, 'Gy/s')}; attenuate the "
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
