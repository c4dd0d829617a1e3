"""Signals of a cycler, and its rows of data as they come in."""

from __future__ import annotations

import math
import threading
import time
from typing import Any

from ophyd import Component, Device, EpicsSignal, EpicsSignalRO, FormattedComponent
from ophyd.signal import AttributeSignal

from voltomo.devices.faults import DeviceFault, fault
from voltomo.model.cell_cycler import CyclerReading, CyclerState
from voltomo.model.cell_limits import CellLimits
from voltomo.model.cell_reading import CellReading
from voltomo.model.cycler_records import LIMITS
from voltomo.model.device_entries import CyclerEntry

STALE_POLLS = 3
"""Data older than so many polls are nobody's knowledge of the cell."""


def _row(name: str, kind: str = "normal") -> Any:
    return FormattedComponent(EpicsSignalRO, f"{{entry.pvs[{name}]}}", kind=kind, auto_monitor=True)


def _word(name: str, kind: str = "normal") -> Any:
    return FormattedComponent(
        EpicsSignalRO, f"{{entry.pvs[{name}]}}", kind=kind, auto_monitor=True, string=True
    )


def _put(name: str, *, string: bool = False) -> Any:
    return FormattedComponent(EpicsSignal, f"{{entry.pvs[{name}]}}", kind="omitted", string=string)


class CyclerSignals(Device):
    """All records of a cycler.

    Parameters
    ----------
    entry : CyclerEntry
        Their names.

    Notes
    -----
    A row is taken when ``DataNumber``, which its server writes last, changes. Without a
    connection the last readings are read, with ``state`` "disconnected", so that a record of a
    scan can be completed: a cycler that is gone ends no scan.
    """

    voltage = _row("voltage", "hinted")
    current = _row("current", "hinted")
    power = _row("power")
    charge = _row("charge")
    charge_step = _row("charge_step")
    charge_in = _row("charge_in")
    charge_out = _row("charge_out")
    energy = _row("energy")
    soc = _row("soc", "hinted")
    soc_sigma = _row("soc_sigma")
    temperature = _row("temperature")
    step = _row("step")
    cycle = _row("cycle")
    mode = _word("mode")
    test_time = _row("test_time")
    step_time = _row("step_time")
    data_time = _row("data_time")
    data_number = _row("data_number")

    state_word = _word("state", "omitted")
    state = Component(AttributeSignal, "cycler_state", write_access=False, kind="normal")
    data_age = Component(AttributeSignal, "_recorded_age_s", write_access=False, kind="normal")
    last_error = _word("last_error", "omitted")
    refusals = _row("refusals", "omitted")
    digest = _word("digest")
    poll_period = _row("poll_period", "omitted")
    time_scale = _row("time_scale", "omitted")

    min_voltage_V = _row("min_voltage_V", "omitted")
    max_voltage_V = _row("max_voltage_V", "omitted")
    max_charge_current_A = _row("max_charge_current_A", "omitted")
    max_discharge_current_A = _row("max_discharge_current_A", "omitted")
    min_temperature_C = _row("min_temperature_C", "omitted")
    max_temperature_C = _row("max_temperature_C", "omitted")
    max_charge_Ah = _row("max_charge_Ah", "omitted")

    load_command = _put("load_command", string=True)
    load_reply = FormattedComponent(
        EpicsSignalRO, "{entry.pvs[load_reply]}", kind="omitted", string=True
    )
    start_command = _put("start_command")
    pause_command = _put("pause_command", string=True)
    resume_command = _put("resume_command")
    next_command = _put("next_command")
    stop_command = _put("stop_command", string=True)
    reset_command = _put("reset_command")
    watchdog = _put("watchdog")
    watchdog_time = _put("watchdog_time")

    def __init__(self, prefix: str = "", *, name: str, entry: CyclerEntry, **kwargs: Any):
        self.entry = entry
        self._rows = threading.Lock()
        self._last: CyclerReading | None = None
        self._arrived_s = -math.inf
        self._described: dict[str, Any] = {}
        super().__init__(prefix, name=name, **kwargs)
        self.data_number.subscribe(self._take_row, run=False)

    def _take_row(self, *, value: Any = None, old_value: Any = None, **_: Any) -> None:
        if value is None or (self._last is not None and int(value) == self._last.number):
            return
        read = {name: getattr(self, name)._readback for name in _ROW}
        if not all(isinstance(one, int | float) for one in read.values()):
            # Just connected, and not all of the row is here.
            return
        cell = CellReading(
            time_s=time.time(),
            voltage_V=float(read["voltage"]),
            current_A=float(read["current"]),
            charge_Ah=float(read["charge"]),
            soc=float(read["soc"]),
            soc_sigma=float(read["soc_sigma"]),
            temperature_C=float(read["temperature"]),
            step=int(read["step"]),
            cycle=int(read["cycle"]),
        )
        times = (float(read[name]) for name in ("data_time", "test_time", "step_time"))
        with self._rows:
            self._last = CyclerReading(cell, *times, number=int(value))
            self._arrived_s = time.monotonic()

    @property
    def data_age_s(self) -> float:
        """Time since the last new row came in; infinite before the first."""
        with self._rows:
            return time.monotonic() - self._arrived_s

    @property
    def _recorded_age_s(self) -> float:
        """For documents, which have no infinity: -1 before the first row."""
        age_s = self.data_age_s
        return -1.0 if math.isinf(age_s) else age_s

    @property
    def longest_silence_s(self) -> float:
        """How old a row may be."""
        period_s: Any = self.poll_period._readback
        return STALE_POLLS * float(period_s if isinstance(period_s, int | float) else 1.0)

    @property
    def _answers(self) -> bool:
        return bool(self.state_word.connected and self.data_number.connected)

    @property
    def cycler_state(self) -> CyclerState:
        """State now: "unknown" where its data are old, "disconnected" where it does not answer."""
        if not self._answers:
            return "disconnected"
        if self.data_age_s > self.longest_silence_s:
            return "unknown"
        word: Any = self.state_word.get()
        return word if word in _STATES else "unknown"

    def stale(self) -> str | None:
        """A sentence where nobody knows the cell's state; None where its data are fresh."""
        age_s = self.data_age_s
        if self._answers and age_s <= self.longest_silence_s:
            return None
        seen = "none yet" if math.isinf(age_s) else f"the last {age_s:.1f} s ago"
        seen += "" if self._answers else ", and its PVs do not answer"
        return str(
            fault(
                self.name,
                f"new data at least every {self.longest_silence_s:g} s ({STALE_POLLS} polls)",
                seen,
                "the cell may go on cycling and nobody sees it; look at the cycler itself and at "
                "its server",
            )
        )

    def demand_fresh(self) -> None:
        """Refuse to act on a cell whose state nobody knows.

        Raises
        ------
        DeviceFault
            Its data are old, or it does not answer.
        """
        sentence = self.stale()
        if sentence is not None:
            raise DeviceFault(sentence)

    def reading(self) -> CyclerReading:
        """The last row, with both clocks.

        Raises
        ------
        DeviceFault
            It is old.
        """
        self.demand_fresh()
        with self._rows:
            if self._last is None:
                raise fault(self.name, "a row of data", "none yet")
            return self._last

    @property
    def limits(self) -> CellLimits:
        """What the instrument holds the cell to, read back."""
        return CellLimits(
            **{name: float(getattr(self, name).get(use_monitor=False)) for name in LIMITS}
        )

    def read(self) -> Any:
        """Readings; the last ones, marked by ``state``, where it does not answer."""
        if self.connected:
            return super().read()
        found: dict[str, Any] = {}
        for name in self.read_attrs:
            signal: Any = getattr(self, name)
            if isinstance(signal, AttributeSignal):
                found |= signal.read()
            else:
                found[signal.name] = {"value": signal._readback, "timestamp": signal.timestamp}
        return found

    def describe(self) -> Any:
        """What is read; as it was where it does not answer."""
        if self.connected or not self._described:
            described: Any = super().describe()
            self._described = described
        return self._described


_ROW = (
    "voltage", "current", "charge", "soc", "soc_sigma", "temperature", "step", "cycle",
    "data_time", "test_time", "step_time",
)  # fmt: skip
_STATES = ("idle", "ready", "running", "paused", "holding", "finished", "fault")
