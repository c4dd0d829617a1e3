"""The scans of an experiment in order: who goes first, who is left out, how long it all takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from voltomo.experiment.course import Course
from voltomo.experiment.due import Due, words
from voltomo.experiment.finding import Finding
from voltomo.experiment.scan_entry import ScanEntry
from voltomo.model.scan_spec import ScanSpec

__all__ = ["Planned", "duration_s", "schedule"]

_AT_ONCE_S = 1.0


@dataclass(frozen=True)
class Planned:
    """A scan in the schedule.

    Attributes
    ----------
    due : Due
        What it is, and when its condition comes true.
    begins_s, ends_s : float
        In the protocol's time, which stands still while the cell is held.
    takes_s : float
        Duration, with everything beside the frames.
    delta_soc : float
        How far the state of charge moves meanwhile.
    clock_s : float
        When it begins on the clock, holds before it counted.
    """

    due: Due
    begins_s: float
    ends_s: float
    takes_s: float
    delta_soc: float
    clock_s: float = 0.0


def duration_s(scan: ScanEntry, spec: ScanSpec, between_s: float) -> float:
    """How long one time point of a scan takes; the way from stop to stop is not in it."""
    clock_s = 0.0
    first: float | None = None
    for block in spec.blocks():
        if block.kind == "sweep":
            first = clock_s if first is None else first
            clock_s = max(clock_s, first + block.due_s)
        clock_s += block.seconds
    return scan.places * (clock_s + between_s)


def schedule(
    course: Course,
    scans: Sequence[ScanEntry],
    takes_s: Mapping[int, float],
    dues: Sequence[Due],
) -> tuple[list[Planned], list[Finding]]:
    """Put scans in order.

    Parameters
    ----------
    course : Course
        The protocol's forecast.
    scans : sequence of ScanEntry
        The file's scans.
    takes_s : mapping
        Duration of each, by its number.
    dues : sequence of Due
        All times at which they are due.

    Returns
    -------
    planned : list of Planned
        Those that are taken, in order.
    findings : list of Finding
        Who gives way to whom; two of one priority are a mistake.
    """
    asked = [_window(course, scans[due.scan], takes_s[due.scan], due) for due in dues]
    # Those of higher priority choose first; of one priority, the earlier.
    asked.sort(key=lambda one: (-scans[one.due.scan].priority, one.begins_s))
    taken: list[Planned] = []
    findings: dict[tuple[int, int], Finding] = {}
    for one in asked:
        rival = next((other for other in taken if _overlap(one, other)), None)
        if rival is None:
            taken.append(one)
            continue
        queues = _both_held(scans, one, rival)
        if queues:
            taken.append(one)
        findings.setdefault(
            (one.due.scan, rival.due.scan), _at_once(scans, one, rival, queues=queues)
        )
    taken.sort(key=lambda one: (one.begins_s, -scans[one.due.scan].priority))
    held_s = 0.0
    planned: list[Planned] = []
    for one in taken:
        planned.append(replace(one, clock_s=one.begins_s + held_s))
        if scans[one.due.scan].freeze is not None:
            held_s += one.takes_s
    return planned, list(findings.values())


def _window(course: Course, scan: ScanEntry, takes_s: float, due: Due) -> Planned:
    """A held cell stands at its condition; else the middle of the scan falls on it."""
    if scan.freeze is not None:
        return Planned(due, due.time_s, due.time_s, takes_s, 0.0)
    begins_s = max(due.time_s - takes_s / 2, 0.0)
    ends_s = begins_s + takes_s
    times_s, socs = course.times_s, course.socs
    edges = np.interp([begins_s, ends_s], times_s, socs)
    inside = socs[(times_s > begins_s) & (times_s < ends_s)]
    passed = np.concatenate([edges, inside])
    return Planned(due, begins_s, ends_s, takes_s, float(np.ptp(passed)))


def _overlap(one: Planned, other: Planned) -> bool:
    margin_s = _AT_ONCE_S
    return one.begins_s < other.ends_s + margin_s and other.begins_s < one.ends_s + margin_s


def _both_held(scans: Sequence[ScanEntry], one: Planned, other: Planned) -> bool:
    """Both wait for a cell that stands still, so that one can follow the other."""
    return scans[one.due.scan].freeze is not None and scans[other.due.scan].freeze is not None


def _at_once(scans: Sequence[ScanEntry], one: Planned, rival: Planned, *, queues: bool) -> Finding:
    low, high = scans[one.due.scan], scans[rival.due.scan]
    when = words(low.when[one.due.condition])
    text = (
        f"when {when}, about {one.begins_s / 3600:.2f} h into the protocol, '{low.name}' and "
        f"'{high.name}' are due at once"
    )
    place = ("scans", one.due.scan, "when", one.due.condition)
    if low.priority == high.priority:
        if low is high:
            return Finding(place, f"{text}: set its conditions further apart, or scan faster")
        return Finding(place, f"{text} with the same priority: give one a higher priority")
    if queues:
        return Finding(
            place, f"{text}: '{high.name}' goes first, and the cell is held for both", False
        )
    return Finding(place, f"{text}: '{high.name}' goes first, and '{low.name}' is left out", False)
