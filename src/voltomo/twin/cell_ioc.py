"""The twin's cell: a cycler over Channel Access, with a cell of its own model at its terminals."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError

from voltomo.model.cell_limits import CellLimits
from voltomo.model.cell_protocol import CellProtocol
from voltomo.model.cycler_records import LIMITS
from voltomo.model.protocol_check import ProtocolRefused
from voltomo.model.soc_counter import SocCounter
from voltomo.twin.cell_memory import CellMemory
from voltomo.twin.cell_model import CellModel
from voltomo.twin.cell_settings import CellSettings
from voltomo.twin.cycler_engine import CyclerEngine, CyclerRefused
from voltomo.twin.cycler_records import CyclerRecords
from voltomo.twin.ioc import PutRefused, Scene, main

_log = logging.getLogger(__name__)
_LOOP_S = 0.05


class Cell:
    """Cycler, cell and their channels."""

    def __init__(self, scene: Scene) -> None:
        self._world = scene.world
        self._settings = settings = scene.settings.cell or CellSettings()
        parameters = settings.parameters
        cell = CellModel(
            parameters,
            soc=settings.soc,
            temperature_C=settings.ambient_C,
            ambient_C=settings.ambient_C,
        )
        self._engine = CyclerEngine(cell, settings.own_limits, settings.safe_state)
        self._memory = CellMemory(scene.folder, scene.world)
        if self._memory.recall(cell, settings.acceleration):
            self._engine.reason = (
                "the cycler was started anew and has lost its protocol; the cell has rested since"
            )
        self._records = CyclerRecords(f"{scene.prefix}Cycler:", self)
        self._random = np.random.default_rng(scene.settings.seed + 12)
        self._counter = SocCounter(
            parameters.capacity_Ah,
            cell.soc,
            ocv_soc=parameters.ocv_soc,
            ocv_V=parameters.ocv_V,
        )
        self._cell_s = self._due_s = 0.0
        self._number = self._refusals = 0
        self._watchdog_s, self._beaten_s = 0.0, 0.0
        self._shown: dict[str, Any] = {}

    @property
    def pvdb(self) -> Mapping[str, Any]:
        """All channels."""
        return self._records.pvdb

    async def load(self, text: str) -> str:
        """Take a protocol and its limits as JSON; what became of it, as JSON."""
        identity = ""
        try:
            given = json.loads(text)
            identity = str(given["id"])
            limits = given.get("limits")
            digest = self._engine.load(
                CellProtocol.model_validate(given["protocol"]),
                None if limits is None else CellLimits.model_validate(limits),
            )
            reply = {"id": identity, "ok": True, "digest": digest}
        except (ProtocolRefused, CyclerRefused) as error:
            reply = {"id": identity, "ok": False, "error": str(error)}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            words = f"expected JSON with id, protocol and limits, saw: {first}; nothing was loaded"
            reply = {"id": identity, "ok": False, "error": words}
        await self._show_state()
        return json.dumps(reply)

    async def command(self, action: Callable[[], None]) -> None:
        """Give a command, and show the state that came of it before the put is answered.

        Raises
        ------
        PutRefused
            It does not fit the state; counted in Refusals, the reason in LastError.
        """
        self._pass_time()
        try:
            action()
        except CyclerRefused as error:
            self._refusals += 1
            await self._records.post(last_error=str(error), refusals=self._refusals)
            raise PutRefused(str(error)) from error
        self._shown.pop("last_error", None)
        await self._show_state()

    @property
    def engine(self) -> CyclerEngine:
        """What commands act on."""
        return self._engine

    def beaten(self) -> None:
        """The host lives."""
        self._beaten_s = self._world.now_s()

    def watch_host(self, seconds: float) -> None:
        """Trip where the host is silent for longer; 0 lets the cell go on."""
        self._watchdog_s = seconds
        self.beaten()

    async def run(self) -> None:
        """Let the cell's time pass, measure at every poll, show states at once."""
        settings, limits = self._settings, self._engine.own_limits
        await self._records.post(
            poll_period=settings.poll_s, time_scale=settings.acceleration, **_named(limits)
        )
        self._cell_s = self._due_s = self._world.now_s()
        while True:
            self._pass_time()
            self._judge()
            await self._show_state()
            if self._world.now_s() >= self._due_s and not self._world.has_fault("cycler_frozen"):
                self._due_s = self._world.now_s() + settings.poll_s - _LOOP_S / 2
                await self._measure()
            await asyncio.sleep(_LOOP_S)

    def _pass_time(self) -> None:
        now_s = self._world.now_s()
        self._engine.advance((now_s - self._cell_s) * self._settings.acceleration)
        self._cell_s = now_s

    def _judge(self) -> None:
        engine = self._engine
        if engine.state not in ("running", "paused", "holding"):
            return
        silent_s = self._world.now_s() - self._beaten_s
        if self._world.has_fault("cycler_trip"):
            engine.trip("the instrument's own protection acted")
        elif 0 < self._watchdog_s < silent_s:
            engine.trip(
                f"expected the host's watchdog within {self._watchdog_s:g} s, saw it silent for "
                f"{silent_s:.1f} s"
            )
        if engine.state == "fault":
            _log.warning("%s", engine.reason)

    async def _show_state(self) -> None:
        engine = self._engine
        values: dict[str, Any] = {
            "last_error": engine.reason,
            "digest": engine.digest,
            **_named(engine.limits),
            "state": engine.state,
        }
        changed = {k: v for k, v in values.items() if self._shown.get(k) != v}
        self._shown |= changed
        await self._records.post(**changed)

    async def _measure(self) -> None:
        engine, world = self._engine, self._world
        self._memory.keep(engine.cell)
        true = engine.reading()
        volts = true.voltage_V + self._settings.voltage_noise_V * self._random.standard_normal()
        self._counter.add(
            self._cell_s * self._settings.acceleration,
            engine.cell.charge_Ah,
            true.current_A,
            volts,
        )
        self._number += 1
        await self._records.post(
            voltage=volts,
            current=true.current_A,
            power=volts * true.current_A,
            charge=engine.charge_Ah,
            charge_step=engine.step_Ah,
            charge_in=engine.in_Ah,
            charge_out=engine.out_Ah,
            energy=engine.energy_Wh,
            soc=self._counter.soc,
            soc_sigma=self._counter.sigma,
            temperature=true.temperature_C,
            step=engine.step,
            cycle=engine.cycle,
            mode=engine.mode,
            test_time=engine.test_s,
            step_time=engine.step_s,
            data_time=world.utc_s() + self._settings.clock_offset_s,
            data_number=self._number,
        )


def _named(limits: CellLimits) -> dict[str, float]:
    return {name: float(getattr(limits, name)) for name in LIMITS}


if __name__ == "__main__":
    raise SystemExit(main(Cell))
