"""How well scans meet their states of charge: ``python -m benchmarks.triggers --seed S``.

Virtual cells of two chemistries are charged and discharged at several rates, one at 2C. A cycler
polls them every 1 to 10 s with 5 mV of noise on the voltage, a capacity that is not quite the
cell's and a current with an offset. Conditions on state of charge and on voltage watch what the
cycler says, in both directions, plateaus included.

Truth is the cell without noise. ``misses`` are half-cycles in which the truth crossed and nothing
fired, ``doubles`` firings beside the first of such a half-cycle, or in another one.
``soc_error_p95`` is, for conditions on state of charge, how far the cycler's own counter was from
the value at the firing (in % of state of charge; ``soc_error_in_polls_p95`` the same by what one
poll moves it). ``centre_error_p95`` is, for scans that let the current flow, how far the middle of
a scan begun as told lies from the value. ``voltage_error_mV_p95`` is, for conditions on voltage,
how far the noiseless voltage was from the value at the firing: on a plateau, where time cannot
tell, this is what counts. ``soc_sigma_median`` is the uncertainty that the session itself states
for its state of charge, ``soc_within_2_sigma`` how often it was right.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voltomo.model.cell_reading import CellReading
from voltomo.model.condition import Condition, Direction
from voltomo.model.condition_watch import ConditionWatch
from voltomo.model.soc_counter import SocCounter
from voltomo.twin.cell_model import LFP, NMC811, CellModel, CellParameters

Track = NDArray[np.float64]

NOISE_V = 5e-3
_SOCS = (0.15, 0.3, 0.5, 0.7, 0.85)
_INNER_S = 0.25
_SCAN_S = 60.0


@dataclass(frozen=True)
class Case:
    """A cell, its rate, and how often it is asked."""

    cell: CellParameters
    c_rate: float
    poll_s: float
    volts: tuple[float, ...]


CASES = tuple(
    Case(cell, c_rate, poll_s, volts)
    for cell, volts in ((NMC811, (3.6, 3.8, 4.0)), (LFP, (3.1, 3.26, 3.4)))
    for c_rate, poll_s in ((0.2, 10.0), (0.5, 5.0), (1.0, 2.0), (1.0, 1.0), (2.0, 1.0))
)


@dataclass
class Watched:
    """A condition, its watch, and what fired."""

    condition: Condition
    watch: ConditionWatch
    lead_s: float
    fired: list[tuple[float, float]] = field(default_factory=list)


@dataclass
class Outcome:
    """All that is counted over all cases."""

    crossings: int = 0
    misses: int = 0
    doubles: int = 0
    soc_errors: list[float] = field(default_factory=list)
    soc_errors_in_polls: list[float] = field(default_factory=list)
    centre_errors: list[float] = field(default_factory=list)
    voltage_errors_mV: list[float] = field(default_factory=list)
    sigmas: list[float] = field(default_factory=list)
    within: list[bool] = field(default_factory=list)


def cycled(case: Case) -> Iterator[tuple[int, CellModel]]:
    """Step and cell every `_INNER_S`: two cycles of charge, hold, rest, discharge, rest."""
    cell = CellModel(case.cell, soc=0.05)
    current_A = case.c_rate * case.cell.capacity_Ah
    step = 0
    for _ in range(2):
        while cell.voltage_V < case.cell.max_V:
            cell.advance(current_A, _INNER_S)
            yield step, cell
        step += 1
        held_A = current_A
        while held_A > case.cell.capacity_Ah / 20:
            held_A = min(current_A, cell.current_for(case.cell.max_V))
            cell.advance(held_A, _INNER_S)
            yield step, cell
        for flowing_A in (0.0, -current_A, 0.0):
            step += 1
            began = 0.0
            while began < 600.0 if flowing_A == 0 else cell.voltage_V > case.cell.min_V:
                cell.advance(flowing_A, _INNER_S)
                began += _INNER_S
                yield step, cell
        step += 1


def watches(case: Case) -> list[Watched]:
    """Conditions on state of charge, with and without a lead, and on voltage."""
    made: list[Watched] = []
    directions: tuple[Direction, ...] = ("rising", "falling")
    for direction in directions:
        for soc in _SOCS:
            condition = Condition(quantity="soc", at=soc, direction=direction)
            for lead_s in (0.0, _SCAN_S / 2):
                watch = ConditionWatch(condition, poll_s=case.poll_s)
                made.append(Watched(condition, watch, lead_s))
        for volts in case.volts:
            condition = Condition(
                quantity="voltage_V",
                at=volts,
                direction=direction,
                smooth_s=20 * case.poll_s,
                hysteresis=2 * NOISE_V,
            )
            made.append(Watched(condition, ConditionWatch(condition, poll_s=case.poll_s), 0.0))
    return made


def run_case(case: Case, random: np.random.Generator, into: Outcome) -> None:
    """Cycle one cell under all its conditions."""
    watched = watches(case)
    guessed_Ah = case.cell.capacity_Ah * (1 + random.normal(0, 2e-3))
    offset_A = random.normal(0, 1e-4 * case.cell.capacity_Ah)
    counter = SocCounter(
        guessed_Ah,
        0.05,
        2e-3,
        capacity_sigma=2e-3,
        current_offset_A=1e-4 * case.cell.capacity_Ah,
        ocv_soc=case.cell.ocv_soc,
        ocv_V=case.cell.ocv_V,
    )
    track: list[tuple[float, float, float, float]] = []
    next_s = 0.0
    for at, (step, cell) in enumerate(cycled(case)):
        time_s = (at + 1) * _INNER_S
        own = 0.05 + cell.charge_Ah / case.cell.capacity_Ah
        track.append((time_s, own, cell.voltage_V, cell.current_A))
        if time_s < next_s:
            continue
        next_s = time_s + case.poll_s
        read_V = cell.voltage_V + random.normal(0, NOISE_V)
        counted_Ah = cell.charge_Ah + offset_A * time_s / 3600
        counter.add(time_s, counted_Ah, cell.current_A, read_V)
        into.sigmas.append(100 * counter.sigma)
        into.within.append(abs(counter.soc - own) <= 2 * counter.sigma)
        reading = CellReading(
            time_s, read_V, cell.current_A, cell.charge_Ah, own, counter.sigma, step=step
        )
        for each in watched:
            crossing = each.watch.observe(reading, each.lead_s)
            if crossing is not None:
                each.fired.append((time_s, crossing.start_s))
    judge(case, watched, np.array(track), into)


def half_cycles(track: Track) -> NDArray[np.intp]:
    """Number of the half-cycle of each moment: it rises where the current changes its sign."""
    signs = np.sign(np.where(np.abs(track[:, 3]) > 1e-9, track[:, 3], 0))
    flows = np.flatnonzero(signs)
    last = flows[np.maximum(np.searchsorted(flows, np.arange(signs.size), side="right") - 1, 0)]
    return np.cumsum(np.diff(signs[last], prepend=signs[last[0]]) != 0)


def true_crossings(condition: Condition, track: Track) -> dict[int, float]:
    """When the noiseless cell first passed the value in each half-cycle of that direction."""
    column = 1 if condition.quantity == "soc" else 2
    away = condition.sign * (track[:, column] - condition.at)
    passed = np.flatnonzero((away[:-1] < 0) & (away[1:] >= 0)) + 1
    numbers = half_cycles(track)
    found: dict[int, float] = {}
    for place in passed:
        if track[place, 3] * condition.sign > 1e-9:
            found.setdefault(int(numbers[place]), float(track[place, 0]))
    return found


def judge(case: Case, watched: list[Watched], track: Track, into: Outcome) -> None:
    """Hold what fired against the noiseless cell, half-cycle by half-cycle."""
    time_s, numbers = track[:, 0], half_cycles(track)
    for each in watched:
        truth = true_crossings(each.condition, track)
        into.crossings += len(truth)
        at = [int(numbers[np.searchsorted(time_s, told_s)]) for told_s, _ in each.fired]
        into.misses += len(set(truth) - set(at))
        into.doubles += len(at) - len(set(truth) & set(at))
        for number, fired in zip(at, each.fired, strict=True):
            if number in truth:
                measure(case, each, fired, track, into)


def measure(
    case: Case, each: Watched, fired: tuple[float, float], track: Track, into: Outcome
) -> None:
    """How far the cell was from the condition's value when it fired."""
    told_s, start_s = fired
    at, time_s = each.condition.at, track[:, 0]
    if each.condition.quantity == "voltage_V":
        error_V = abs(float(np.interp(told_s, time_s, track[:, 2])) - at)
        into.voltage_errors_mV.append(1e3 * error_V)
    elif each.lead_s:
        centre = float(np.interp(start_s + each.lead_s, time_s, track[:, 1]))
        into.centre_errors.append(100 * abs(centre - at))
    else:
        error = abs(float(np.interp(told_s, time_s, track[:, 1])) - at)
        into.soc_errors.append(100 * error)
        into.soc_errors_in_polls.append(error * 3600 / case.c_rate / case.poll_s)


def summary(outcome: Outcome) -> dict[str, Any]:
    """The figures of all cases."""

    def p95(values: list[float]) -> float:
        return round(float(np.percentile(values, 95)), 4) if values else math.nan

    return {
        "crossings": outcome.crossings,
        "misses": outcome.misses,
        "doubles": outcome.doubles,
        "soc_error_p95": p95(outcome.soc_errors),
        "soc_error_in_polls_p95": p95(outcome.soc_errors_in_polls),
        "centre_error_p95": p95(outcome.centre_errors),
        "voltage_error_mV_p95": p95(outcome.voltage_errors_mV),
        "soc_sigma_median": round(float(np.median(outcome.sigmas)), 4),
        "soc_within_2_sigma": round(float(np.mean(outcome.within)), 4),
    }


def main(arguments: list[str] | None = None) -> None:
    """Run all cases and print one JSON object last."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.triggers", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args(arguments).seed
    random = np.random.default_rng(seed)
    outcome = Outcome()
    for case in CASES:
        run_case(case, random, outcome)
    sys.stdout.write(json.dumps({"seed": seed} | summary(outcome)) + "\n")


if __name__ == "__main__":
    main()
