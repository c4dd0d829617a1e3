"""A condition over time: readings in, crossings out. Pure; it knows no clock but the readings'."""

from __future__ import annotations

import math
from dataclasses import dataclass

from voltomo.model.cell_reading import CellReading
from voltomo.model.condition import Condition
from voltomo.model.local_line import LineEnd, LocalLine

# Less than this is no current: the cell rests.
_REST_A = 1e-6


@dataclass(frozen=True)
class Crossing:
    """A condition came true, or will within the lead that was asked for.

    Parameters
    ----------
    time_s : float
        When the value is or was passed, between or after the readings.
    start_s : float
        When to begin, so that the middle of what takes twice the lead falls on ``time_s``.
    value : float
        The quantity at the reading that told.
    slope_per_s : float
        How fast it changed; NaN where one reading alone is known.
    expected : bool
        The value had not been passed yet: it was foreseen.
    """

    time_s: float
    start_s: float
    value: float
    slope_per_s: float
    expected: bool


class ConditionWatch:
    """Tells once when a condition comes true.

    Parameters
    ----------
    condition : Condition
        What is watched.
    began_s : float
        When the protocol began; ``time_s`` counts from here.
    poll_s : float
        Time between readings; with a lead, a crossing is told one reading ahead.

    Notes
    -----
    A condition is armed by a value clearly before its own, and told when the value is passed, so
    a cell that is beyond it from the start never fires. ``step``, ``cycle`` and ``time_s`` are
    armed from the beginning. One that was foreseen is armed again once the value was passed, or the
    current has turned. Charge and voltage do not rise while the cell is discharged, nor fall while
    it is charged: what looks like it is noise. A new step begins a new line: voltage jumps with the
    current.
    """

    def __init__(self, condition: Condition, began_s: float = 0.0, poll_s: float = 1.0) -> None:
        self.condition = condition
        self._began_s = began_s
        self._poll_s = poll_s
        self._line = LocalLine(condition.smooth_s)
        self._armed = condition.quantity in ("time_s", "step", "cycle")
        self._foreseen = False
        self._passed = 0
        self._fired_in: set[int] = set()
        self._half_cycle = 0
        self._charges: bool | None = None
        self._against = False
        self._step: int | None = None
        self._before: tuple[float, float] | None = None

    def observe(self, reading: CellReading, lead_s: float = 0.0) -> Crossing | None:
        """Take a reading.

        Parameters
        ----------
        reading : CellReading
            The next one; readings in which the quantity is NaN are passed over.
        lead_s : float
            How long before the crossing one has to begin: half a scan and what comes before it.

        Raises
        ------
        ValueError
            The time of the reading does not rise.
        """
        self._follow_current(reading)
        end = self._end_of_line(reading)
        if end is None or math.isnan(end.value):
            return None
        if self._may_fire():
            crossing = self._crossing(reading.time_s, end, lead_s)
            if crossing is not None:
                self._armed, self._passed = False, 0
                self._foreseen = crossing.expected
                self._fired_in.add(self._half_cycle)
                self._before = (reading.time_s, end.value)
                return crossing
        elif self._ahead(end.value) <= 0:
            self._armed = False
        if self._ahead(end.value) <= 0:
            self._foreseen = False
        elif self._ahead(end.value) > self.condition.width and not self._foreseen:
            self._armed = True
        self._before = (reading.time_s, end.value)
        return None

    def _follow_current(self, reading: CellReading) -> None:
        self._against = (
            self.condition.quantity in ("soc", "voltage_V", "charge_Ah")
            and self.condition.sign * reading.current_A < -_REST_A
        )
        if abs(reading.current_A) > _REST_A:
            charges = reading.current_A > 0
            if self._charges is not None and charges != self._charges:
                self._half_cycle += 1
                self._foreseen = False
            self._charges = charges
        if reading.step != self._step:
            self._step = reading.step
            if self.condition.quantity in ("voltage_V", "dV_dt_V_per_s"):
                self._line.clear()

    def _end_of_line(self, reading: CellReading) -> LineEnd | None:
        if self.condition.quantity == "dV_dt_V_per_s":
            end = self._line.add(reading.time_s, reading.voltage_V)
            return LineEnd(end.slope_per_s, math.nan, end.sigma_slope_per_s, math.nan, end.readings)
        value = self.condition.value(reading, self._began_s)
        return None if math.isnan(value) else self._line.add(reading.time_s, value)

    def _may_fire(self) -> bool:
        if not self._armed or self._against:
            return False
        if self.condition.once == "ever":
            return not self._fired_in
        return self.condition.once == "crossing" or self._half_cycle not in self._fired_in

    def _ahead(self, value: float) -> float:
        """How far the value still is before the condition's; negative once it is passed."""
        return self.condition.sign * (self.condition.at - value)

    def _crossing(self, now_s: float, end: LineEnd, lead_s: float) -> Crossing | None:
        ahead = self._ahead(end.value)
        if ahead <= 0:
            self._passed += 1
            if self._passed < self.condition.debounce or not self._clear(end, ahead):
                return None
            time_s = self._when_passed(now_s, end, ahead)
            return Crossing(time_s, now_s, end.value, end.slope_per_s, expected=False)
        self._passed = 0
        to_go_s = self._to_go_s(end, ahead)
        if lead_s <= 0 or to_go_s > lead_s + self._poll_s:
            return None
        start_s = max(now_s, now_s + to_go_s - lead_s)
        return Crossing(now_s + to_go_s, start_s, end.value, end.slope_per_s, expected=True)

    def _clear(self, end: LineEnd, ahead: float) -> bool:
        """Whether a smoothed value is known well enough: a short line ends anywhere."""
        if self.condition.smooth_s == 0:
            return True
        if end.readings < 3:
            return -ahead > self.condition.width
        return end.sigma <= self.condition.width or -ahead > 2 * end.sigma

    def _to_go_s(self, end: LineEnd, ahead: float) -> float:
        approach = self.condition.sign * end.slope_per_s
        short = self.condition.smooth_s > 0 and end.readings < 3
        if short or not approach > 0 or approach <= 2 * end.sigma_slope_per_s:
            return math.inf
        return ahead / approach

    def _when_passed(self, now_s: float, end: LineEnd, ahead: float) -> float:
        """Between this reading and the one before it, where the slope tells."""
        approach = self.condition.sign * end.slope_per_s
        if self._before is None or not approach > 0:
            return now_s
        return max(now_s + ahead / approach, self._before[0])
