"""A checked experiment in words: the table of its scans, and what it costs in all."""

from __future__ import annotations

from collections.abc import Iterator

from voltomo.dose.plan_words import gray
from voltomo.experiment.check import Checked
from voltomo.experiment.experiment_file import ExperimentFile

__all__ = ["heads", "rows", "summary"]

heads = ("scan", "when", "hours", "cycle", "SOC", "minutes", "dose", "data")


def rows(experiment: ExperimentFile, found: Checked) -> Iterator[tuple[str, ...]]:
    """One line for each scan: name, condition, clock, cycle, state, duration, dose, data."""
    for one in found.planned:
        scan = experiment.scans[one.due.scan]
        condition = scan.when[one.due.condition]
        arrow = "↑" if condition.direction == "rising" else "↓"
        moved = f" ± {100 * one.delta_soc / 2:.2g}" if scan.flow is not None else ""
        yield (
            scan.name,
            f"{condition.quantity} {arrow} {condition.at:g}",
            f"{one.clock_s / 3600:.2f}",
            f"{one.due.cycle}",
            f"{100 * one.due.soc:.1f}{moved} %",
            f"{one.takes_s / 60:.1f}",
            _dose(found, one.due.scan, scan.places),
            _size(found.data_bytes[one.due.scan]),
        )


def _dose(found: Checked, number: int, places: int) -> str:
    plan = found.plans.get(number)
    if plan is None or found.dose is None:
        return "–"
    return gray(places * plan.asked.dose_Gy.get(found.dose.material_class, 0.0))


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def summary(experiment: ExperimentFile, found: Checked) -> Iterator[str]:
    """Time, data and dose of the whole."""
    yield (
        f"{len(found.planned)} scans; about {found.total_s / 3600:.3g} h with holds; "
        f"{_size(found.total_bytes)} of frames."
    )
    if not experiment.cell.knows_voltage:
        yield (
            "The file gives no voltages at rest (ocv_soc, ocv_V): times of steps that a voltage "
            "ends are a guess."
        )
    if found.dose is None:
        yield "Nothing can be said of dose."
        return
    dose = found.dose
    yield (
        f"All scans give {dose.material_class} {gray(dose.dose_Gy)} at the hottest point; it has "
        f"received {gray(dose.taken_Gy)} of {gray(dose.limit_Gy)} ({dose.source})."
    )
