"""Motion as pieces of parabolas: profiles with limited speed and acceleration, and crossings.

All functions are pure. Times in seconds, positions in the axis's own unit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voltomo.twin.world import Segment

_STEP_TOLERANCE = 1e-7
"""Part of a step by which rounding may miss a crossing at the seam of two pieces."""


def evaluate(pieces: Sequence[Segment], time_s: float) -> tuple[float, float]:
    """Position and velocity; it stands before the first and after the last piece."""
    piece = pieces[0]
    for later in pieces[1:]:
        if later.t0 > time_s:
            break
        piece = later
    since = min(max(time_s - piece.t0, 0.0), piece.t1 - piece.t0)
    position = piece.x0 + piece.v0 * since + piece.a * since * since / 2
    moving = piece.t0 <= time_s < piece.t1
    return position, piece.v0 + piece.a * since if moving else 0.0


def halt(time_s: float, position: float, velocity: float, acceleration: float) -> list[Segment]:
    """Slow down to rest with this acceleration."""
    if velocity == 0:
        return [Segment(time_s, time_s, position)]
    duration = abs(velocity) / acceleration
    end = time_s + duration
    slowing = -math.copysign(acceleration, velocity)
    return [
        Segment(time_s, end, position, velocity, slowing),
        Segment(end, end, position + velocity * duration / 2),
    ]


def approach(
    time_s: float,
    position: float,
    velocity: float,
    target: float,
    speed: float,
    acceleration: float,
) -> list[Segment]:
    """Go to a target and rest there: a trapezoid, or a triangle where the way is short.

    A motion under way is blended in where it leads to the target; else it is stopped first.

    Parameters
    ----------
    time_s, position, velocity : float
        Where the motion is now.
    target : float
        Where it shall end; the last piece stands there exactly.
    speed, acceleration : float
        Both positive.
    """
    way = target - position
    sign = math.copysign(1.0, way if way or not velocity else -velocity)
    towards = velocity * sign
    stopping = velocity * velocity / (2 * acceleration)
    if towards < 0 or stopping > abs(way) * (1 + 1e-12):
        pieces = halt(time_s, position, velocity, acceleration)
        rest = pieces[-1]
        return pieces[:-1] + approach(rest.t0, rest.x0, 0.0, target, speed, acceleration)
    if way == 0:
        return [Segment(time_s, time_s, target)]
    peak = min(max(speed, 0.0), math.sqrt(acceleration * abs(way) + towards * towards / 2))
    change = peak - towards
    first = abs(change) / acceleration
    first_way = (towards + peak) / 2 * first
    last = peak / acceleration
    cruise = max(abs(way) - first_way - peak * last / 2, 0.0) / peak
    pieces: list[Segment] = []
    start, where = time_s, position
    for duration, v0, a in (
        (first, towards, math.copysign(acceleration, change)),
        (cruise, peak, 0.0),
        (last, peak, -acceleration),
    ):
        if duration <= 0:
            continue
        pieces.append(Segment(start, start + duration, where, sign * v0, sign * a))
        where += sign * (v0 * duration + a * duration * duration / 2)
        start += duration
    return [*pieces, Segment(start, start, target)]


def after(pieces: Sequence[Segment], time_s: float) -> list[Segment]:
    """What is left of a plan at a time; its first piece begins there."""
    position, velocity = evaluate(pieces, time_s)
    left: list[Segment] = []
    for number, piece in enumerate(pieces):
        following = pieces[number + 1].t0 if number + 1 < len(pieces) else math.inf
        if piece.t0 >= time_s:
            left.append(piece)
        elif following > time_s:
            end = max(piece.t1, time_s)
            left.append(Segment(time_s, end, position, velocity, piece.a if velocity else 0.0))
    return left


def crossing_times(
    pieces: Sequence[Segment], first: int, start: float, step: float, count: int
) -> NDArray[np.float64]:
    """When start + k step is passed in the direction of the step, for k = first … count − 1.

    Each position fires once and in order: position k counts only after k − 1, and a stage that
    begins beyond position ``first`` must come back behind it. A stage at rest on a position fires
    when it leaves it forwards. Every piece's velocity must keep its sign.

    Returns
    -------
    ndarray (m,)
        Times of k = first … first + m − 1; shorter than asked where the motion ends before.
    """
    found: list[NDArray[np.float64]] = []
    due = first
    for piece in pieces:
        duration = piece.t1 - piece.t0
        end = piece.x0 + piece.v0 * duration + piece.a * duration * duration / 2
        forwards = (end - piece.x0) * step > 0
        begin_steps = (piece.x0 - start) / step
        if not forwards or due < begin_steps - _STEP_TOLERANCE or due >= count:
            continue
        last = min(math.floor((end - start) / step + _STEP_TOLERANCE), count - 1)
        if last < due:
            continue
        way = start + np.arange(due, last + 1) * step - piece.x0
        root = np.sqrt(np.maximum(piece.v0 * piece.v0 + 2 * piece.a * way, 0.0))
        below = piece.v0 + math.copysign(1.0, step) * root
        time_s = np.divide(2 * way, below, out=np.zeros_like(way), where=below != 0)
        found.append(piece.t0 + np.clip(time_s, 0.0, duration))
        due = last + 1
    return np.concatenate(found) if found else np.empty(0)
