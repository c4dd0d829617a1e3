"""Where the sample stands in a scan: at its places for sweeps, beside the beam for flats."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from bluesky import Msg
from bluesky import plan_stubs as bps

from voltomo.model.place import HOME, Place
from voltomo.plans.stubs import Run

Plan = Generator[Msg, Any, Any]


class Stand:
    """Moves the sample, and only where it is not there already.

    Parameters
    ----------
    run : Run
        The scan under way.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._target: tuple[float, float] = (0.0, 0.0)
        # An interruption stops axes wherever they are.
        self._known_at = run.takes.count

    def home(self) -> Plan:
        """Where the sample stood before the scan."""
        return self.at(HOME)

    def at(self, place: Place) -> Plan:
        """A place of the scan."""
        return self._to(place.x_mm, place.z_mm)

    def beside(self) -> Plan:
        """Out of the beam, for flats."""
        return self._to(self._run.spec.flats_shift_mm, self._target[1])

    def _to(self, x_mm: float, z_mm: float) -> Plan:
        run, count = self._run, self._run.takes.count
        stage, facts = run.beamline.sample_stage, run.facts
        if count == self._known_at and self._target == (x_mm, z_mm):
            return
        known = count == self._known_at
        axes = [(stage.x, facts.sample_x_mm + x_mm, known and self._target[0] == x_mm)]
        if facts.sample_z_mm is not None:
            axes.append((stage.z, facts.sample_z_mm + z_mm, known and self._target[1] == z_mm))
        self._known_at = -1
        for axis, target, there in axes:
            if not there:
                yield from bps.abs_set(axis, target, group="sample")
                yield from bps.wait("sample")
        if run.takes.count == count:
            self._known_at, self._target = count, (x_mm, z_mm)
