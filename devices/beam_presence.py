"""Whether there is beam to be had: ring current, flux and position, looked at all the time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from ophyd import EpicsSignalRO

from voltomo.devices.faults import fault
from voltomo.model.beam_loss import ACROSS, FLUX, RING, TOP_UP, UP, BeamJudge, BeamLossLimits
from voltomo.model.pv_names import PvNames

log = logging.getLogger(__name__)

_EVERY_S = 0.05


class BeamPresence:
    """Follows what the limits name, in a thread of its own; nothing here moves or opens anything.

    A reading that is not to be had says nothing: the guard counts what passes the shutter.

    Parameters
    ----------
    pvs : PvNames
        Names of the readings.
    limits : BeamLossLimits
        What counts as lost.

    Attributes
    ----------
    on_tick : callable
        Called 20 times a second, from the thread, with why the beam is gone; empty while it is
        there.
    """

    name = "presence"
    parent = None

    def __init__(self, pvs: PvNames, limits: BeamLossLimits) -> None:
        names = {
            RING: pvs.ring_current,
            FLUX: pvs.beam_monitor,
            ACROSS: pvs.beam_x,
            UP: pvs.beam_y,
            TOP_UP: pvs.top_up_in,
        }
        absent = [name for name in limits.looked_at if names[name] is None]
        if absent:
            raise fault(
                "beam_loss",
                f"names of PVs for {', '.join(absent)}",
                "none",
                "no beam was used; name them under 'pvs', or leave their limits out",
            )
        self.on_tick: Callable[[str], None] = lambda _gone: None
        self._judge = BeamJudge(limits)
        self._seen: dict[str, float] = {}
        self._end = threading.Event()
        self._signals = {
            name: EpicsSignalRO(names[name], name=name, auto_monitor=True)
            for name in limits.looked_at
        }
        self._thread: Any = None

    def connect(self, timeout_s: float) -> None:
        """Wait for the PVs, and begin to look.

        Raises
        ------
        TimeoutError
            One does not answer.
        """
        from epics.ca import CAThread

        for name, signal in self._signals.items():
            signal.wait_for_connection(timeout=timeout_s)
            signal.subscribe(partial(self._take, name), run=True)
        self._thread = CAThread(target=self._follow, name="beam presence", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._end.set()

    @property
    def gone(self) -> str:
        """Why there is no beam; empty while there is."""
        return self._judge.gone

    @property
    def settle_s(self) -> float:
        """How long it must have been back."""
        return self._judge.limits.settle_s

    def gone_since(self, then_s: float) -> str:
        """Why the beam was lost since then (monotonic clock), or is now; empty where it was not."""
        return self._judge.gone_since(then_s)

    def hold_s(self, needed_s: float) -> float:
        """How long to wait so that no fill of the ring comes within the next ``needed_s``."""
        return self._judge.hold_s(needed_s, time.monotonic())

    def _take(self, name: str, value: Any = None, **_: Any) -> None:
        self._seen[name] = float(value)

    def _follow(self) -> None:
        while not self._end.wait(_EVERY_S):
            try:
                readings = {
                    name: value
                    for name, value in list(self._seen.items())
                    if self._signals[name].connected
                }
                self._judge.look(readings, time.monotonic())
                self.on_tick(self._judge.gone)
            except Exception:
                # Looking goes on: the guard is what the beam's safety rests on.
                log.exception("the presence of the beam could not be judged")
