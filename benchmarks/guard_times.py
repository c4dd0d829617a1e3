"""How fast the guard answers to each cause, on real processes."""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.guard_line import GuardLine, Overdue
from voltomo.dose.guard_table import Cause
from voltomo.twin.world import Fault

__all__ = ["CAUSES", "Timed", "bench_samples", "measure", "statistics"]

LIMIT_s = 1.2


@dataclass(frozen=True)
class Timed:
    """World times of one try, None for what does not belong to the cause.

    ``read_s`` is when the shutter was read closed by a client, ``closed_s`` when it was.
    """

    cause_s: float
    detected_s: float
    read_s: float | None = None
    closed_s: float | None = None


def bench_samples(number: int) -> list[dict[str, Any]]:
    """A sample that nothing uses up, and one for every try of a limit."""
    material = {"material": "NMC811", "dose_limit_Gy": 1e9}
    limited = [{"name": f"limit-{k}", "beam_limit_s": LIMIT_s, **material} for k in range(number)]
    return [{"name": "bench", "beam_limit_s": 1e6, **material}, *limited]


def _end(line: GuardLine, cause_s: float, cause: Cause) -> Timed:
    """A lease that is lost for a cause, and what follows."""
    detected_s = line.logged_s("lost", cause_s, cause)
    closed_s = line.closed_after(cause_s - 5.0)
    line.wait(lambda: line.closed_read_s >= closed_s)
    return Timed(cause_s, detected_s, line.closed_read_s, closed_s)


def _limit(line: GuardLine, number: int) -> Timed:
    sample = f"limit-{number}"
    line.put("Changer:Sample", sample)
    time.sleep(0.1)
    asked_s = line.world.now_s()
    line.take(sample, seconds=1.0)
    opened_s = line.world.now_s()
    settings = line.settings
    margin_s = settings.timing_margin_s
    early_s = settings.reaction_s + settings.travel_s + 2 * margin_s
    line.wait(lambda: line.open_part == 0)
    begun_s = min(b for b, _ in _openings(line, asked_s))
    # What the guard counts at the end of its budget: both margins belong to the opening.
    timed = _end(line, begun_s + LIMIT_s - early_s - 2 * margin_s, Cause.LIMIT)
    line.let_go()
    line.put("Changer:Sample", "bench")
    if opened_s > timed.detected_s:
        raise Overdue("the limit came before the beam")
    return timed


def _openings(line: GuardLine, since_s: float) -> list[tuple[float, float]]:
    from voltomo.twin.truth import open_intervals

    return open_intervals(line.world, since_s, line.world.now_s())


def _silent(line: GuardLine, _: int) -> Timed:
    line.take()
    time.sleep(0.3)
    timed = _end(line, line.let_go(), Cause.LEASE_SILENT)
    return timed


def _by_hand(line: GuardLine, _: int) -> Timed:
    line.take()
    time.sleep(0.2)
    timed = _end(line, line.put("Guard:StopBeam", 1), Cause.STOPPED_BY_HAND)
    line.let_go()
    return timed


def _wrong_sample(line: GuardLine, _: int) -> Timed:
    line.take()
    time.sleep(0.2)
    timed = _end(line, line.put("Changer:Sample", "another"), Cause.WRONG_SAMPLE)
    line.let_go()
    line.put("Changer:Sample", "bench")
    time.sleep(0.1)
    return timed


def _log_full(line: GuardLine, _: int) -> Timed:
    line.take()
    time.sleep(0.2)
    pid = line.processes["guard"].pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    size = line.folder.exposure_log.stat().st_size
    cause_s = line.world.now_s()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 10, hard))
    closed_s = line.closed_after(cause_s - 1.0)
    line.wait(lambda: line.closed_read_s >= closed_s)
    read_s = line.closed_read_s
    line.let_go()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (-1, hard))
    detected_s = line.logged_s("latch", cause_s, Cause.LOG_NOT_WRITABLE)
    _reset(line)
    return Timed(cause_s, detected_s, read_s, closed_s)


def _flux_stale(line: GuardLine, _: int) -> Timed:
    lease = line.take()
    time.sleep(0.3)
    beam = line.processes["beam"]
    cause_s = line.world.now_s()
    beam.send_signal(signal.SIGSTOP)
    try:
        detected_s = line.logged_s("warn", cause_s, Cause.FLUX_STALE)
    finally:
        beam.send_signal(signal.SIGCONT)
    line.give_back(lease)
    time.sleep(0.3)
    return Timed(cause_s, detected_s)


def _not_following(line: GuardLine, _: int) -> Timed:
    lease = line.take()
    time.sleep(0.2)
    line.world.inject(Fault("shutter_stuck_open"))
    cause_s = line.world.now_s()
    line.give_back(lease)
    detected_s = line.logged_s("latch", cause_s, Cause.NOT_FOLLOWING)
    flux = line.world.channel("flux")
    line.wait(lambda: float(flux.at(line.world.now_s())) == 0)
    dark_s = line.world.now_s()
    line.world.heal()
    line.wait(lambda: line.open_part == 0)
    _reset(line)
    line.put("Beam:Attenuator", 1.0)
    time.sleep(0.3)
    return Timed(cause_s, detected_s, dark_s + line.settings.travel_s, dark_s)


def _foreign(line: GuardLine, _: int) -> Timed:
    before_s = line.put("Shutter:Manual", 1)
    line.wait(lambda: line.open_part > 0)
    detected_s = line.logged_s("foreign", before_s)
    line.put("Shutter:Manual", 0)
    line.wait(lambda: line.open_part == 0)
    begun_s = min(begin for begin, _ in _openings(line, before_s))
    line.wait(lambda: line.get("Guard:State") == 0)
    time.sleep(0.3)
    return Timed(begun_s, detected_s)


def _reset(line: GuardLine) -> None:
    def unlatched() -> bool:
        line.put("Guard:Reset", "benchmark")
        time.sleep(0.1)
        return line.get("Guard:State") == 0

    line.wait(unlatched)


CAUSES: Mapping[Cause, Callable[[GuardLine, int], Timed]] = {
    Cause.LIMIT: _limit,
    Cause.LEASE_SILENT: _silent,
    Cause.FLUX_STALE: _flux_stale,
    Cause.NOT_FOLLOWING: _not_following,
    Cause.FOREIGN: _foreign,
    Cause.WRONG_SAMPLE: _wrong_sample,
    Cause.LOG_NOT_WRITABLE: _log_full,
    Cause.STOPPED_BY_HAND: _by_hand,
}
"""How each cause is brought about; the lease is gone and the guard idle afterwards."""


def measure(line: GuardLine, number: int, until_s: float) -> dict[Cause, list[Timed]]:
    """So many tries of every cause, in turn, or as many as fit before a monotonic time.

    A try in which something did not come about within ten seconds is told on stderr and counted
    as infinitely late.
    """
    found: dict[Cause, list[Timed]] = {cause: [] for cause in CAUSES}
    for k in range(number):
        for cause, bring_about in CAUSES.items():
            if time.monotonic() > until_s:
                return found
            line.wait(lambda: line.get("Guard:State") == 0, 30)
            try:
                found[cause].append(bring_about(line, k))
            except Overdue as error:
                sys.stderr.write(f"{cause}, try {k}: {error}\n")
                line.let_go()
                found[cause].append(Timed(0.0, np.inf))
    return found


def statistics(tries: list[Timed], travel_s: float) -> dict[str, Any]:
    """What is printed of a cause; times in ms, None where they do not belong to it."""
    detect = [t.detected_s - t.cause_s for t in tries]
    react = [t.read_s - t.detected_s - travel_s for t in tries if t.read_s is not None]
    closed = [t.closed_s - t.cause_s for t in tries if t.closed_s is not None]
    return {
        "n": len(tries),
        "detect_ms_p99": _ms(detect, 99),
        "react_ms_p50": _ms(react, 50),
        "react_ms_p99": _ms(react, 99),
        "closed_ms_p99": _ms(closed, 99),
    }


def _ms(times_s: list[float], part: float) -> float | None:
    if not times_s:
        return None
    return round(1e3 * float(np.percentile(times_s, part)), 1)
