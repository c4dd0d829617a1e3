"""How far a rotation may turn, and where it must be turned without beam."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

__all__ = ["RotationRange", "Stretch", "missing_wedge_deg", "wedge_sentence"]

Stretch = tuple[float, float]
"""From and to in deg, in the direction in which they are passed."""

_TURN = 360.0


class RotationRange(BaseModel):
    """Section ``rotation`` of the beamline file.

    Parameters
    ----------
    wired : bool
        Cables or tubes hang on the stage: it turns back instead of on.
    low_deg, high_deg : float or None
        Ends of the range of a wired stage; those of its motor record if not given.
    blind_sectors : list of pairs
        From and to in degrees, upwards, repeated every turn: a post or a cell's frame is in the
        way there. The beam is closed, the stage turns on, and the wedge is missing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    wired: bool = False
    low_deg: float | None = None
    high_deg: float | None = None
    blind_sectors: tuple[tuple[float, float], ...] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> RotationRange:
        if self.low_deg is not None and self.high_deg is not None and self.low_deg >= self.high_deg:
            raise ValueError(
                f"the range of the rotation must go upwards; got {self.low_deg:g} to "
                f"{self.high_deg:g} deg"
            )
        if not self.wired and (self.low_deg is not None or self.high_deg is not None):
            raise ValueError(
                "low_deg and high_deg are for a stage with cables; say 'wired: true', or leave "
                "them out"
            )
        for first, last in self.blind_sectors:
            if not 0 < last - first < _TURN:
                raise ValueError(
                    f"a blind sector goes upwards, by less than a turn; got {first:g} to {last:g} "
                    "deg; one that holds 0 is written as 350 to 370, say"
                )
        return self

    def reaches(self, *places_deg: float) -> bool:
        """Whether all these places are within the range."""
        low = -math.inf if self.low_deg is None else self.low_deg
        high = math.inf if self.high_deg is None else self.high_deg
        return not self.wired or all(low <= place <= high for place in places_deg)

    def placed(self, start_deg: float, end_deg: float, here_deg: float) -> Stretch:
        """The same path shifted by whole turns so that it fits the range, close to the stage.

        A stage that has no cables needs no shift. A wired one goes back (unwinds) to the start
        that is found.

        Parameters
        ----------
        start_deg, end_deg : float
            The path, run-up and run-down included, in the direction of travel.
        here_deg : float
            Where the stage stands.

        Raises
        ------
        ValueError
            It fits nowhere; the sentence says range and path.
        """
        if not self.wired:
            return start_deg, end_deg
        turns = range(-20, 21)
        fits = [
            (start_deg + _TURN * turn, end_deg + _TURN * turn)
            for turn in turns
            if self.reaches(start_deg + _TURN * turn, end_deg + _TURN * turn)
        ]
        if not fits:
            raise ValueError(
                f"rotation: expected a path of {abs(end_deg - start_deg):g} deg, run-up included, "
                f"within its cables' range, saw {self.low_deg} to {self.high_deg} deg; no beam was "
                "used; scan a shorter range, or in more sweeps"
            )
        return min(fits, key=lambda path: abs(path[0] - here_deg))

    def stretches(
        self, start_deg: float, end_deg: float, margin_deg: float = 0.0
    ) -> tuple[Stretch, ...]:
        """Parts of a path in which the beam may be open, in the order in which they come.

        Parameters
        ----------
        start_deg, end_deg : float
            The path in the direction of travel.
        margin_deg : float
            How far the beam must be closed before and behind a blind sector.
        """
        low, high = min(start_deg, end_deg), max(start_deg, end_deg)
        blind = self._within(low, high, margin_deg)
        open_parts: list[Stretch] = []
        begin = low
        for first, last in blind:
            if first > begin:
                open_parts.append((begin, min(first, high)))
            begin = max(begin, last)
        if begin < high:
            open_parts.append((begin, high))
        if start_deg <= end_deg:
            return tuple(open_parts)
        return tuple((last, first) for first, last in reversed(open_parts))

    def blind_at(
        self, angles_deg: NDArray[np.float64], margin_deg: float = 0.0, swept_deg: float = 0.0
    ) -> NDArray[np.bool_]:
        """Which of these angles lie in a blind sector, or nearer to one than the margin.

        Parameters
        ----------
        angles_deg : array, shape (n,)
            In any turn.
        margin_deg : float
            On both sides of each sector.
        swept_deg : float
            How far the stage turns on from each angle, with its sign; all the way is looked at.
        """
        blind = np.zeros(angles_deg.shape, dtype=np.bool_)
        for first, last in self.blind_sectors:
            begin = first - margin_deg - max(swept_deg, 0.0)
            width = last - first + 2 * margin_deg + abs(swept_deg)
            blind |= np.mod(angles_deg - begin, _TURN) < width
        return blind

    def _within(self, low: float, high: float, margin_deg: float) -> list[Stretch]:
        """Blind sectors of all turns that touch a range, with their margins, upwards."""
        found: list[Stretch] = []
        for first, last in self.blind_sectors:
            turn = math.floor((low - last - margin_deg) / _TURN)
            while first + turn * _TURN - margin_deg < high:
                begin, end = first + turn * _TURN - margin_deg, last + turn * _TURN + margin_deg
                if end > low:
                    found.append((begin, end))
                turn += 1
        return sorted(found)


def missing_wedge_deg(stretches: tuple[Stretch, ...]) -> tuple[Stretch, ...]:
    """Directions between 0 and 180 deg from which no beam came, upwards.

    Parameters
    ----------
    stretches : tuple of pairs
        What was scanned. Views half a turn apart show the same in tomography, so that a blind
        sector is made good by its opposite; do not ask this for a leaning axis.
    """
    half = _TURN / 2
    seen: list[Stretch] = []
    for ends in stretches:
        low, high = min(ends), max(ends)
        if high - low >= half:
            return ()
        begin = low % half
        end = begin + high - low
        seen += [(begin, min(end, half))] + ([(0.0, end - half)] if end > half else [])
    missing: list[Stretch] = []
    until = 0.0
    for begin, end in sorted(seen):
        if begin > until:
            missing.append((until, begin))
        until = max(until, end)
    if until < half:
        missing.append((until, half))
    return tuple(missing)


def wedge_sentence(missing: tuple[Stretch, ...]) -> str:
    """What a report says of the directions that are missing; empty where none is."""
    total = sum(last - first for first, last in missing)
    if total <= 0:
        return ""
    listed = ", ".join(f"{first:g} to {last:g} deg" for first, last in missing)
    return f"missing wedge: no view from {listed} ({total:g} deg of 180)"
