"""All that can be said of an experiment before it begins: times, states, dose, data, conflicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from voltomo.dose.plan_file import PlanFile
from voltomo.dose.planner import ScanPlan
from voltomo.experiment.course import Course, forecast
from voltomo.experiment.dose_of_scans import (
    TotalDose,
    dose_plan,
    quality_findings,
    rate_findings,
    total_dose,
)
from voltomo.experiment.due import Due, never_due, times_due, words
from voltomo.experiment.experiment_file import ExperimentFile
from voltomo.experiment.finding import Finding
from voltomo.experiment.scan_entry import ScanEntry
from voltomo.experiment.schedule import Planned, duration_s, schedule
from voltomo.model.scan_spec import ScanSpec

__all__ = ["Checked", "check"]

_BYTES_PER_PIXEL = 2


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes
    ----------
    planned : tuple of Planned
        Scans in order.
    plans : mapping
        The planner's view by number of the scan; empty without a plan.
    data_bytes : mapping
        Frames of one time point, by number of the scan.
    total_s : float
        Duration of the whole, holds included.
    dose : TotalDose or None
        Of all scans; None without a plan.
    findings : tuple of Finding
        What is to be said.
    """

    planned: tuple[Planned, ...]
    plans: Mapping[int, ScanPlan]
    data_bytes: Mapping[int, int]
    total_s: float
    dose: TotalDose | None
    findings: tuple[Finding, ...]

    @property
    def total_bytes(self) -> int:
        """Frames of all scans."""
        return sum(self.data_bytes[one.due.scan] for one in self.planned)


def check(
    experiment: ExperimentFile, plan: PlanFile | None, specs: Mapping[int, ScanSpec]
) -> Checked:
    """Foresee an experiment.

    Parameters
    ----------
    experiment : ExperimentFile
        The file.
    plan : PlanFile or None
        Layers, beam, detector and policy; without it nothing is said of dose.
    specs : mapping
        What each scan is, by its number; scans that are missing are left out.
    """
    scans = experiment.scans
    course = forecast(experiment.cell, experiment.protocol, experiment.environment)
    findings = list(course.findings)
    dues: list[Due] = []
    for number, scan in enumerate(scans):
        due = times_due(course, experiment.cell, number, scan)
        # Behind a step that cannot be done nothing can be said of what comes true.
        if not any(each.refuses for each in course.findings):
            findings += never_due(course, experiment.cell, number, scan, due)
        dues += due[: scan.most] if number in specs else []
    takes_s = {n: duration_s(scans[n], spec, experiment.between_s) for n, spec in specs.items()}
    planned, conflicts = schedule(course, scans, takes_s, dues)
    findings += conflicts
    findings += _holds_and_guards(scans, takes_s, planned)
    data = {n: scans[n].places * _bytes(spec) for n, spec in specs.items()}
    plans: dict[int, ScanPlan] = {}
    dose: TotalDose | None = None
    if plan is not None and specs:
        plans = {number: dose_plan(plan, scans[number], spec) for number, spec in specs.items()}
        times = Counter(one.due.scan for one in planned)
        often = {number: times[number] * scans[number].places for number in specs}
        dose, too_much = total_dose(plan, plans, often, experiment.bounds.dose_Gy)
        findings += [*too_much, *rate_findings(plan, plans)]
    findings += quality_findings(scans, specs, plans)
    held_s = sum(one.takes_s for one in planned if scans[one.due.scan].freeze is not None)
    found = Checked(tuple(planned), plans, data, course.total_s + held_s, dose, tuple(findings))
    bounds = tuple(_bounds(experiment, found, course))
    return Checked(found.planned, plans, data, found.total_s, dose, (*found.findings, *bounds))


def _bytes(spec: ScanSpec) -> int:
    return spec.triggers * spec.geometry.rows * spec.geometry.columns * _BYTES_PER_PIXEL


def _holds_and_guards(
    scans: Sequence[ScanEntry], takes_s: Mapping[int, float], planned: Sequence[Planned]
) -> Iterator[Finding]:
    """Scans that are longer than the cell may be held, or than its state stays."""
    for number, lasts_s in takes_s.items():
        freeze = scans[number].freeze
        if freeze is not None and lasts_s > freeze.longest_s:
            yield Finding(
                ("scans", number, "freeze", "longest_s"),
                f"'{scans[number].name}' takes about {lasts_s:.4g} s, longer than the cell may be "
                f"held ({freeze.longest_s:g} s)",
            )
    worst: dict[int, Planned] = {}
    for one in planned:
        flow, before = scans[one.due.scan].flow, worst.get(one.due.scan)
        if flow is None or one.delta_soc <= flow.most_delta_soc:
            continue
        if before is None or one.delta_soc > before.delta_soc:
            worst[one.due.scan] = one
    for number, one in worst.items():
        flow, scan = scans[number].flow, scans[number]
        most = flow.most_delta_soc if flow is not None else 0.0
        yield Finding(
            ("scans", number, "flow", "most_delta_soc"),
            f"'{scan.name}' takes about {one.takes_s:.4g} s, and when "
            f"{words(scan.when[one.due.condition])} the state of charge moves by "
            f"{one.delta_soc:.3g} meanwhile, above {most:g}: scan faster, or freeze",
        )


def _bounds(experiment: ExperimentFile, found: Checked, course: Course) -> Iterator[Finding]:
    bounds = experiment.bounds
    hours, gigabytes = found.total_s / 3600, found.total_bytes / 1e9
    if bounds.time_h is not None and hours > bounds.time_h:
        held_h = (found.total_s - course.total_s) / 3600
        yield Finding(
            ("bounds", "time_h"),
            f"all takes about {hours:.3g} h, {held_h:.2g} h of them holds, and {bounds.time_h:g} h "
            "are given",
        )
    if bounds.data_GB is not None and gigabytes > bounds.data_GB:
        yield Finding(
            ("bounds", "data_GB"),
            f"all scans write about {gigabytes:.3g} GB, and {bounds.data_GB:g} GB are given",
        )
