"""What the guard reads of the beamline, and what of it ends a lease or moves the account."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

from voltomo.dose.beam_account import BeamAccount
from voltomo.dose.guard_settings import GuardSettings
from voltomo.dose.guard_table import Cause, Trip
from voltomo.dose.guard_words import HeldLease, ShutterState
from voltomo.dose.shutter_watch import ShutterWatch

__all__ = ["GuardSenses"]

# A stamp so far in the future is no stamp of this clock.
_AHEAD_s = 0.02
_AWAY = "the shutter is not connected any more"
_FOUND_OPEN = (
    "the guard latched shut: it died while a lease was open, and the shutter is not read closed"
)


class GuardSenses(ABC):
    """The half of the guard that looks; what it sees is acted on by the other, `GuardCore`.

    Every reading may be None: not connected, or nonsense. None is never taken for good news.
    """

    def __init__(self, settings: GuardSettings, account: BeamAccount) -> None:
        self.settings = settings
        self.account = account
        self.lease: HeldLease | None = None
        self._shutter = ShutterWatch(settings)
        self._count: int | None = None
        self._counts: float | None = None
        self._ring_off = self._second_dark = self._shut_off = False
        self._mounted: str | None = None
        self._note = ""
        self._ticked_s = 0.0
        self._died_leased = False

    @abstractmethod
    def _trip(self, found: Trip, now_s: float) -> None:
        """Do what the table says of a cause."""

    def shutter(self, state: ShutterState | None, at_s: float, now_s: float) -> None:
        """State of the shutter with its own stamp; None where none can be read."""
        first, self._shutter.state = self._shutter.state is None, state
        if state is None:
            self._trip(Trip(Cause.SHUTTER_AWAY, _AWAY), now_s)
            return
        if first and self._died_leased:
            self._died_leased = False
            if self._shutter.open:
                self._trip(Trip(Cause.FOUND_OPEN, _FOUND_OPEN), now_s)
        self._follow_blade(at_s, now_s)
        if state is ShutterState.FAULT:
            self._trip(Trip(Cause.SHUTTER_FAULT, "the shutter reads a fault"), now_s)

    def blade(self, open_part: float | None, at_s: float, now_s: float) -> None:
        """Position of the blade, 0 to 1; it says whether beam passes in a fault."""
        self._shutter.blade = open_part
        if self._shutter.state is ShutterState.FAULT:
            self._follow_blade(at_s, now_s)

    def stale_time(self, seconds: float | None, now_s: float) -> None:
        """How long the shutter's controller waits for a silent enable counter."""
        self._shutter.stale_s = seconds
        self._check_times(now_s)

    def travel_time(self, seconds: float | None, now_s: float) -> None:
        """How long the shutter's blade needs."""
        self._shutter.travel_s = seconds
        self._check_times(now_s)

    def _check_times(self, now_s: float) -> None:
        if self._shutter.stale_s is None or self._shutter.travel_s is None:
            self._trip(Trip(Cause.SHUTTER_AWAY, _AWAY), now_s)
        elif self._shutter.slow:
            self._trip(Trip(Cause.SHUTTER_SLOW, self._shutter.slow), now_s)

    def gate_mode(self, number: int | None, now_s: float) -> None:
        """What the shutter's controller takes for permission, as a number of `GATES`."""
        lease = self.lease
        if lease is None or lease.request is None or not lease.armed or number is None:
            return
        if number != int(lease.request.gate == "trigger_window"):
            changed = "the gate mode of the shutter's controller was changed"
            self._trip(Trip(Cause.GATE_CHANGED, changed), now_s)

    def _follow_blade(self, at_s: float, now_s: float) -> None:
        if self._shutter.open and self.account.beam is None:
            if self._shutter.state is not ShutterState.OPENING:
                at_s -= self.settings.travel_s
            if at_s > now_s + _AHEAD_s:
                # The controller's clock is wrong: it was read closed until the last tick.
                at_s = self._ticked_s
            if self.lease is not None and self.lease.armed:
                at_s = max(at_s, self.lease.asked_s)
            alarm = self.account.open(min(at_s, now_s), now_s)
            self._note = alarm or self._note
        elif not self._shutter.open and self.account.beam is not None:
            self.account.close(at_s, now_s)

    def monitor(self, counts: float | None, at_s: float) -> None:
        """Reading of the flux monitor; None where it is not connected."""
        self._counts = counts
        self.account.flux.add(counts, at_s, dark=self._dark)

    def ring_current(self, current_mA: float | None) -> None:
        """Ring current; None where it is not connected."""
        self._ring_off = current_mA is not None and current_mA <= self.settings.ring_off_mA

    def second_monitor(self, counts: float | None) -> None:
        """Reading of another monitor, which may agree that there is no beam."""
        dark_counts_s = self.settings.monitor_dark_counts_s
        self._second_dark = counts is not None and abs(counts) <= dark_counts_s

    def attenuator(self, transmission: float | None) -> None:
        """Readback of the attenuators, 0 to 1; None where it is not connected."""
        self.account.flux.scale.read_transmission(transmission)
        self._shut_off = transmission is not None and transmission <= 0

    @property
    def _dark(self) -> bool:
        """Whether something beside the monitor says that there is no beam."""
        return self._ring_off or self._second_dark or self._shut_off

    def _hold_zero(self, now_s: float) -> None:
        """No news of a monitor at zero is good news while something else agrees."""
        if self._dark and self._counts is not None:
            dark_counts_s = self.settings.monitor_dark_counts_s
            if abs(self._counts) <= dark_counts_s:
                self.account.flux.add(self._counts, now_s, dark=True)

    def mounted(self, name: str | None, now_s: float) -> None:
        """Which sample is read as mounted; None where none can be read."""
        self._mounted = name
        self.account.mounted = name
        lease = self.lease
        wrong = self._wrong_sample(lease.sample) if lease is not None else ""
        if wrong:
            self._trip(Trip(Cause.WRONG_SAMPLE, wrong), now_s)

    def _wrong_sample(self, sample: str) -> str:
        """Why a sample cannot be the one in the beam; empty where it can, or nobody reads it."""
        if self.settings.mounted_sample_pv is None or self._mounted == sample:
            return ""
        seen = f"'{self._mounted}' is" if self._mounted else "none can be read that is"
        return (
            f"'{sample}' was to pay, and {seen} mounted by {self.settings.mounted_sample_pv}: see "
            "which sample is in the beam"
        )

    def energy(self, energy_keV: float | None) -> None:
        """Readback of the photon energy; None where it is not connected."""
        self.account.flux.scale.read_energy(energy_keV)
        self.account.energy(energy_keV)

    def trigger_count(self, count: int | None, now_s: float) -> None:
        """Number of triggers latched so far; None where the source is not connected."""
        lease, before, self._count = self.lease, self._count, count
        if lease is None or lease.request is None or lease.ending is not None:
            return
        if count is None:
            if lease.request.trigger_deadline_s is not None:
                away = "the trigger source is not connected any more"
                self._trip(Trip(Cause.TRIGGERS_AWAY, away), now_s)
        elif before is not None and count > before:
            lease.last_rise_s = now_s

    def place(self, position_mm: float | None, still: bool, now_s: float) -> None:
        """Readback of the stage that takes the sample out; None where it is not connected."""
        beyond_mm = self.settings.sample_out_beyond_mm
        out = position_mm is not None and math.isfinite(position_mm)
        out = out and still and abs(position_mm or 0.0) >= beyond_mm
        self.account.place(out, now_s)
