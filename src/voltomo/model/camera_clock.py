"""The camera's clock against the trigger clock: fixed by priming, followed through the scan.

The priming train is fired with the shutter closed, before any dose. If every pulse came back as a
frame in the file of that train, they pair one to one and fix the offset. From there the map goes
as far as it can tell one trigger from the next, takes in what lies alone in its window, and so
goes further. Over a longer pause it goes only by a block whose frames fit their triggers in one
way. Where it cannot go, frames get no trigger: invalid, never silently wrong.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from voltomo.model.clock import ClockMap
from voltomo.model.frame_table import (
    CLOCK_SIGMAS,
    WINDOW_OF_PERIOD,
    Floats,
    Frames,
    Ints,
    Triggers,
    first_deliveries,
    join,
)
from voltomo.model.scan_spec import Block

_LARGEST_SKEW = 1e-2
_MOST_SHIFTS = 1000


def track_clock(triggers: Triggers, frames: Frames, priming: Block) -> ClockMap:
    """Clock map of the camera over a scan, or over as much of it as there is.

    Parameters
    ----------
    triggers, frames : Triggers, Frames
        The scan so far, priming included; frames with the number of their block.
    priming : Block
        The priming train.

    Raises
    ------
    ValueError
        The frames of the priming train are missing, or have no unambiguous pairing (pulses were
        missed, or the camera fired on its own), or most other frames cannot be placed by them.
    """
    fresh = frames.chosen(first_deliveries(frames)[0])
    clock = _prime(triggers, fresh, priming)
    place, row = _paired(triggers, fresh, clock)
    known: set[int] = set()
    while True:
        clock = ClockMap.fit(fresh.time_s[place], triggers.time_s[row])
        before = place.size
        place, row = _paired(triggers, fresh, clock)
        if place.size > before:
            continue
        known |= {int(number) for number in np.unique(triggers.block[row])}
        over = _over_a_pause(triggers, fresh, clock, known)
        if over is None:
            break
        number, more_places, more_rows = over
        known.add(number)
        place, row = np.append(place, more_places), np.append(row, more_rows)
    # Frames may be ahead of the latches while both still arrive.
    last = int(np.argmax(triggers.time_s))
    latest_s = triggers.time_s[last] + triggers.period_s[last] / 2
    latched = clock.to_reference(fresh.time_s) <= latest_s
    lost = int(np.count_nonzero(latched)) - place.size
    if lost > place.size:
        raise ValueError(
            f"by the clock that the priming frames gave, expected most frames near their "
            f"triggers, saw {place.size} there and {lost} elsewhere; the camera's clock was set "
            "meanwhile, or too little is left between priming and the rest to follow it, or "
            "frames and latches are of different scans"
        )
    return clock


def _paired(triggers: Triggers, frames: Frames, clock: ClockMap) -> tuple[Ints, Ints]:
    """Positions of the frames that have a trigger by this clock, and of the triggers."""
    table = join(triggers, frames, clock, exposure_s=0.0)
    row = np.flatnonzero(table.valid)
    order = np.argsort(frames.source, kind="stable")
    found = np.searchsorted(frames.source, table.source[row], sorter=order)
    return order[found].astype(np.int64), row.astype(np.int64)


def _prime(triggers: Triggers, frames: Frames, priming: Block) -> ClockMap:
    """Pair the priming pulses with the frames of their own file, and refuse if they do not fit."""
    pulses = np.flatnonzero((triggers.index >= priming.first) & (triggers.index < priming.last))
    edges_s = triggers.time_s[pulses]
    own = _of_block(frames, int(triggers.block[pulses[0]])) if pulses.size else pulses
    stamps = frames.time_s[own]
    expected = f"{priming.count} priming frames, {priming.period_s:g} s apart,"
    if pulses.size != priming.count or stamps.size != priming.count:
        raise ValueError(
            f"expected {expected} saw {pulses.size} pulses and {stamps.size} frames in their "
            "file; without them no frame can be given its trigger for certain; before a scan, "
            "check the camera's trigger cable and prime again; afterwards, restore that file"
        )
    clock = ClockMap.fit(stamps, edges_s)
    apart = np.abs(clock.to_reference(stamps) - edges_s).max()
    if apart > WINDOW_OF_PERIOD * priming.period_s or abs(clock.skew) > _LARGEST_SKEW:
        raise ValueError(
            f"expected {expected} but their stamps scatter by {apart:.2g} s about the pulses "
            f"(clock rate off by {clock.skew:.1e}); a pulse was missed or the camera fired on "
            "its own; the shutter stayed closed; prime again"
        )
    margin_s = WINDOW_OF_PERIOD * priming.period_s
    among = (frames.time_s > stamps[0] - margin_s) & (frames.time_s < stamps[-1] + margin_s)
    if np.count_nonzero(among) != priming.count:
        raise ValueError(
            f"expected {expected} by themselves, saw {np.count_nonzero(among) - priming.count} "
            "frames of other files among them; the files are of different scans"
        )
    return clock


def _of_block(frames: Frames, number: int) -> Ints:
    if frames.block is None:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(frames.block == number).astype(np.int64)


def _over_a_pause(
    triggers: Triggers, frames: Frames, clock: ClockMap, known: set[int]
) -> tuple[int, Ints, Ints] | None:
    """A further block, with frames and triggers, where they fit each other in one way only."""
    for number in np.setdiff1d(triggers.block, list(known)):
        own = _of_block(frames, int(number))
        edges = np.flatnonzero(triggers.block == number).astype(np.int64)
        if own.size < 2 or own.size > edges.size or not triggers.whole[edges[0]]:
            continue
        period_s = float(triggers.period_s[edges][0])
        # Looking farther than needed does no harm: it can only show that there are two ways.
        reach_s = 3 * CLOCK_SIGMAS * float(clock.uncertainty_s(frames.time_s[own]).max())
        step_s = WINDOW_OF_PERIOD * period_s
        most = math.ceil(reach_s / step_s) + 1
        if most > _MOST_SHIFTS:
            continue
        times = clock.to_reference(frames.time_s[own])
        ways = {
            tuple(way)
            for shift in range(-most, most + 1)
            for way in [_one_to_one(triggers.time_s[edges], times + shift * step_s, period_s)]
            if way is not None
        }
        if len(ways) == 1:
            return int(number), own, edges[list(ways.pop())]
    return None


def _one_to_one(edges_s: Floats, times_s: Floats, period_s: float) -> NDArray[np.intp] | None:
    """The edge of each time, where each has one of its own; None otherwise."""
    right = np.clip(np.searchsorted(edges_s, times_s), 0, edges_s.size - 1)
    left = np.maximum(right - 1, 0)
    closer_left = times_s - edges_s[left] <= edges_s[right] - times_s
    nearest = np.where(closer_left, left, right)
    near = np.abs(times_s - edges_s[nearest]) <= WINDOW_OF_PERIOD * period_s
    own = np.unique(nearest).size == nearest.size
    return nearest if bool(near.all()) and own else None
