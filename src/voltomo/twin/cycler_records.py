"""Channels of the virtual cycler, under the names of `voltomo.model.cycler_records`."""

from __future__ import annotations

from typing import Any, Protocol, cast

from caproto.server import PVGroup, PvpropertyChar, PvpropertyString, pvproperty

from voltomo.model.cell_cycler import Hold, SafeState
from voltomo.model.cycler_records import CYCLER_RECORDS as NAMES
from voltomo.twin.cycler_engine import CyclerEngine
from voltomo.twin.ioc import PutRefused, on_put

_LONG, _VERY_LONG = 2048, 65536


class CyclerServer(Protocol):
    """What the channels act on."""

    @property
    def engine(self) -> CyclerEngine:
        """The cycler."""
        ...

    async def load(self, text: str) -> str:
        """Take a protocol."""
        ...

    async def command(self, action: Any) -> None:
        """Give a command."""
        ...

    def beaten(self) -> None:
        """The host lives."""
        ...

    def watch_host(self, seconds: float) -> None:
        """Set the watchdog."""
        ...


def _read(name: str, units: str, precision: int = 6) -> Any:
    return pvproperty(name=NAMES[name], value=0.0, units=units, precision=precision, read_only=True)


def _count(name: str) -> Any:
    return pvproperty(name=NAMES[name], value=0, read_only=True)


def _text(name: str, length: int = _LONG, *, read_only: bool = True) -> Any:
    return pvproperty(
        name=NAMES[name],
        value="",
        dtype=PvpropertyChar,
        max_length=length,
        string_encoding="utf-8",
        read_only=read_only,
    )


def _word(name: str, value: str = "", *, read_only: bool = True) -> Any:
    return pvproperty(name=NAMES[name], value=value, dtype=PvpropertyString, read_only=read_only)


class CyclerRecords(PVGroup):
    """Channels under ``…Cycler:``."""

    voltage = _read("voltage", "V")
    current = _read("current", "A", 9)
    power = _read("power", "W", 9)
    charge = _read("charge", "Ah", 9)
    charge_step = _read("charge_step", "Ah", 9)
    charge_in = _read("charge_in", "Ah", 9)
    charge_out = _read("charge_out", "Ah", 9)
    energy = _read("energy", "Wh", 9)
    soc = _read("soc", "")
    soc_sigma = _read("soc_sigma", "")
    temperature = _read("temperature", "degC", 3)
    step = _count("step")
    cycle = _count("cycle")
    mode = _word("mode", "OCV")
    test_time = _read("test_time", "s", 3)
    step_time = _read("step_time", "s", 3)
    data_time = _read("data_time", "s", 6)
    data_number = _count("data_number")

    state = _word("state", "idle")
    last_error = _text("last_error")
    refusals = _count("refusals")
    digest = _word("digest")
    poll_period = _read("poll_period", "s", 3)
    time_scale = _read("time_scale", "", 3)

    min_voltage_V = _read("min_voltage_V", "V")
    max_voltage_V = _read("max_voltage_V", "V")
    max_charge_current_A = _read("max_charge_current_A", "A", 9)
    max_discharge_current_A = _read("max_discharge_current_A", "A", 9)
    min_temperature_C = _read("min_temperature_C", "degC", 3)
    max_temperature_C = _read("max_temperature_C", "degC", 3)
    max_charge_Ah = _read("max_charge_Ah", "Ah", 9)

    load_command = _text("load_command", _VERY_LONG, read_only=False)
    load_reply = _text("load_reply")
    start_command = pvproperty(name=NAMES["start_command"], value=0)
    pause_command = _word("pause_command", "ocv", read_only=False)
    resume_command = pvproperty(name=NAMES["resume_command"], value=0)
    next_command = pvproperty(name=NAMES["next_command"], value=0)
    stop_command = _word("stop_command", read_only=False)
    reset_command = pvproperty(name=NAMES["reset_command"], value=0)
    watchdog = pvproperty(name=NAMES["watchdog"], value=0)
    watchdog_time = pvproperty(name=NAMES["watchdog_time"], value=0.0, units="s", precision=1)

    def __init__(self, prefix: str, server: CyclerServer) -> None:
        super().__init__(prefix=prefix)
        self._server = server
        self._plain("start_command", lambda: server.engine.start())
        self._plain("resume_command", lambda: server.engine.resume())
        self._plain("next_command", lambda: server.engine.next_step())
        self._plain("reset_command", lambda: server.engine.reset())
        on_put(self.load_command, self.put_load)
        on_put(self.pause_command, self.put_pause)
        on_put(self.stop_command, self.put_stop)
        on_put(self.watchdog, self.put_watchdog)
        on_put(self.watchdog_time, self.put_watchdog_time)

    async def post(self, **values: Any) -> None:
        """Write channels, in this order."""
        for name, value in values.items():
            await getattr(self, name).write(value, verify_value=False)

    async def put_load(self, value: Any) -> Any:
        """A protocol with its limits; what became of it is in LoadReply before this returns."""
        text = value if isinstance(value, str) else bytes(value).rstrip(b"\0").decode()
        await self.post(load_reply=await self._server.load(text))
        return value

    async def put_pause(self, value: Any) -> str:
        """How the cell waits."""
        hold = self._one_of("Pause", str(value) or "ocv", ("ocv", "cv", "zero"))
        await self._server.command(lambda: self._server.engine.pause(cast("Hold", hold)))
        return hold

    async def put_stop(self, value: Any) -> str:
        """How the cell is left; the configured way if nothing is said."""
        word = self._one_of("Stop", str(value), ("", "ocv", "zero"))
        left = cast("SafeState", word) if word else None
        await self._server.command(lambda: self._server.engine.stop(left))
        return word

    async def put_watchdog(self, value: int) -> int:
        """A counter, or anything."""
        self._server.beaten()
        return value

    async def put_watchdog_time(self, value: float) -> float:
        """0, or up to a day."""
        if not 0 <= value <= 86400:
            raise PutRefused(f"WatchdogTime is 0 to 86400 s, not {value:g}; it was kept")
        self._server.watch_host(float(value))
        return value

    def _plain(self, name: str, action: Any) -> None:
        async def put(value: int) -> int:
            if value:
                await self._server.command(action)
            return 0

        on_put(getattr(self, name), put)

    @staticmethod
    def _one_of(record: str, word: str, known: tuple[str, ...]) -> str:
        if word not in known:
            raise PutRefused(f"{record} takes {', '.join(map(repr, known))}, not {word!r}")
        return word
