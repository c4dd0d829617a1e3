"""When scans come due in the course of a protocol, and which of them cannot come due at all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from voltomo.experiment.cell import CyclingCell
from voltomo.experiment.course import Course
from voltomo.experiment.finding import Finding
from voltomo.experiment.scan_entry import ScanEntry
from voltomo.model.condition import Condition
from voltomo.model.condition_watch import ConditionWatch


@dataclass(frozen=True)
class Due:
    """One time that a scan is due.

    Attributes
    ----------
    scan, condition : int
        Which of the file's scans, and which of its conditions.
    time_s : float
        When the condition comes true, in the protocol's time.
    soc : float
        The state of charge then.
    cycle : int
        The cycle then.
    """

    scan: int
    condition: int
    time_s: float
    soc: float
    cycle: int


def times_due(course: Course, cell: CyclingCell, number: int, scan: ScanEntry) -> list[Due]:
    """All times at which one of a scan's conditions comes true, in order, as far as foreseeable."""
    found: list[Due] = []
    for at, condition in enumerate(scan.when):
        if not _foreseeable(condition, cell):
            continue
        watch = ConditionWatch(condition)
        for reading in course.readings:
            crossing = watch.observe(reading)
            if crossing is not None:
                soc = float(np.interp(crossing.time_s, course.times_s, course.socs))
                found.append(Due(number, at, crossing.time_s, soc, reading.cycle))
    return sorted(found, key=lambda due: due.time_s)


def never_due(
    course: Course, cell: CyclingCell, number: int, scan: ScanEntry, due: list[Due]
) -> Iterator[Finding]:
    """Conditions that do not come true, and those of which it cannot be said."""
    fired = {each.condition for each in due}
    for at, condition in enumerate(scan.when):
        place = ("scans", number, "when", at)
        if not _foreseeable(condition, cell):
            give = ": give ocv_soc and ocv_V" if condition.quantity == "voltage_V" else ""
            yield Finding(
                place,
                f"when {words(condition)} cannot be foreseen and is left out of times and dose"
                + give,
                refuses=False,
            )
        elif at not in fired:
            yield Finding(
                place, f"never comes true: {words(condition)}; {_reach(course, condition)}"
            )


def _foreseeable(condition: Condition, cell: CyclingCell) -> bool:
    if condition.quantity == "voltage_V":
        return cell.knows_voltage
    return condition.quantity != "dV_dt_V_per_s"


def words(condition: Condition) -> str:
    """A condition in a few words."""
    return f"{condition.quantity} {condition.direction} through {condition.at:g}"


def _reach(course: Course, condition: Condition) -> str:
    values = np.array([condition.value(reading, 0.0) for reading in course.readings])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    text = f"in this protocol {condition.quantity} lies between {low:.4g} and {high:.4g}"
    if low < condition.at < high:
        text += f", and is not {condition.direction} there"
    return text
